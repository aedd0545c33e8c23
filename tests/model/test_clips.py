"""Video classification through vidinfer is video classification through torchvision."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torchvision.models import get_model, get_model_weights, list_models, video

from tests.model import reference
from tests.model.frames import scene
from tests.model.running import label_windows
from vidinfer.model import load_model
from vidinfer.model.clips import ClipRule
from vidinfer.stages import Window

QUICK = "r3d_18"
SIZE = (96, 80)


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> tuple[nn.Module, Path]:
    network = random_video_classifier(QUICK)
    path = tmp_path_factory.mktemp("video") / "own.pth"
    torch.save(network.state_dict(), path)
    return network, path


def random_video_classifier(name: str) -> Any:
    """Random weights with an output that differs from clip to clip."""
    torch.manual_seed(5)
    network = get_model(name, weights=None).eval()
    last = [m for m in network.modules() if isinstance(m, nn.Linear | nn.Conv3d)][-1]
    with torch.no_grad():
        last.weight.mul_(30.0)
    return network


def clip(seed: int, frames: int = 16) -> list[Any]:
    return [scene(*SIZE, 100 * seed + i // 4) for i in range(frames)]


def test_same_classes_as_torchvision_in_batches_of_any_size(weights: tuple[nn.Module, Path]) -> None:
    network, path = weights
    transforms = get_model_weights(QUICK).DEFAULT.transforms()
    clips = [clip(0), clip(1)]
    model = load_model(QUICK, weights=str(path), device="cpu", threads=1)
    for batch in (clips[:1], [clips[1], clips[0], clips[1]]):
        found = label_windows(model, batch).clips
        assert found is not None
        for row, pictures in enumerate(batch):
            scores, labels = reference.classify_clip(network, transforms, pictures).topk(5)
            np.testing.assert_allclose(found.scores[row], scores.numpy(), atol=1e-4)
            np.testing.assert_array_equal(found.labels[row], labels.numpy())


def test_every_builder_says_what_a_clip_is() -> None:
    for name in list_models(module=video):
        for member in get_model_weights(name):
            rule = ClipRule.of(member.meta)
            assert rule.stated, f"{name} {member.name} does not say, or says it in another way"
            assert rule.frames >= (member.meta.get("min_temporal_size") or 1)
    by_name = {n: ClipRule.of(get_model_weights(n).DEFAULT.meta) for n in list_models(module=video)}
    assert (by_name["r3d_18"].frames, by_name["r3d_18"].rate) == (16, 15)
    assert (by_name["s3d"].frames, by_name["s3d"].rate) == (128, 15)
    assert (by_name["mvit_v2_s"].frames, by_name["mvit_v2_s"].rate) == (16, Fraction("7.5"))
    assert ClipRule.of({}) == ClipRule(16, Fraction(15), stated=False)


def test_clips_follow_one_another_unless_a_stride_is_asked_for(weights: tuple[nn.Module, Path]) -> None:
    model = load_model(QUICK, weights=str(weights[1]), device="cpu", threads=1)
    assert model.input_for(*SIZE).window == Window(16, Fraction(15), Fraction(16, 15))
    assert model.info.details["clip"] == {
        "frames": 16,
        "frames_per_second": 15.0,
        "seconds": pytest.approx(16 / 15),
        "stride_seconds": pytest.approx(16 / 15),
        "rule": "of the weights",
    }
    often = load_model(QUICK, weights=str(weights[1]), device="cpu", threads=1, clip_stride=Fraction(1, 2))
    window = often.input_for(*SIZE).window
    assert window is not None
    assert window.stride == Fraction(1, 2)
