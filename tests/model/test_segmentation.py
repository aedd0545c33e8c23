"""Segmentation through vidinfer is segmentation through torchvision."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torchvision.models import get_model, get_model_weights

from tests.model import reference
from tests.model.frames import scene
from tests.model.running import label
from vidinfer.detections import NOT_REPORTED
from vidinfer.errors import ModelUnavailable
from vidinfer.model import load_model
from vidinfer.model.segmentation import SegmentationInput

QUICK = "lraspp_mobilenet_v3_large"


def random_segmenter(name: str, classes: int = 21) -> nn.Module:
    """A torchvision segmenter whose random weights answer to what they see."""
    torch.manual_seed(3)
    network = get_model(name, weights=None, weights_backbone=None, num_classes=classes).eval()
    last = [m for m in network.modules() if isinstance(m, nn.Conv2d) and m.out_channels == classes]
    reference.awaken(network, [(layer, 0.0, 2.0) for layer in last], 224)
    return network


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> tuple[nn.Module, Path]:
    network = random_segmenter(QUICK)
    path = tmp_path_factory.mktemp("segmenter") / "own.pth"
    torch.save(network.state_dict(), path)
    return network, path


@pytest.mark.parametrize("size", [(333, 257), (97, 160), (1280, 720)])
def test_same_classes_as_torchvision(weights: tuple[nn.Module, Path], size: tuple[int, int]) -> None:
    network, path = weights
    model = load_model(QUICK, weights=str(path), device="cpu", threads=1)
    frames = [scene(*size, seed) for seed in range(2)]
    expected = reference.segment(network, get_model_weights(QUICK).DEFAULT.transforms(), frames)
    segments = label(model, frames).segments
    assert segments is not None
    assert segments.class_maps.dtype == np.uint8
    for found, same in zip(segments.class_maps, expected, strict=True):
        assert len(np.unique(found)) > 3, "one class everywhere shows nothing"
        assert (found == same.numpy()).mean() >= 0.999


def test_batches_of_any_size_give_the_same(weights: tuple[nn.Module, Path]) -> None:
    model = load_model(QUICK, weights=str(weights[1]), device="cpu", threads=1)
    frames = [scene(128, 128, seed) for seed in range(3)] * 3  # the network sees 520 x 520
    alone = [label(model, [rgb]).segments for rgb in frames[:3]] * 3
    for count in (2, 9):
        segments = label(model, frames[:count]).segments
        assert segments is not None
        for found, one in zip(segments.class_maps, alone, strict=False):
            assert one is not None
            assert (found == one.class_maps[0]).mean() >= 0.999


def test_large_pictures_are_resized_where_they_are_decoded(weights: tuple[nn.Module, Path]) -> None:
    model = load_model(QUICK, weights=str(weights[1]), device="cpu", threads=1)
    assert model.input_for(1920, 1080).shape == (520, 924, 3)
    assert model.input_for(320, 240).shape == (240, 320, 3)


def test_classes_that_were_not_asked_for_are_not_reported(weights: tuple[nn.Module, Path]) -> None:
    everything = load_model(QUICK, weights=str(weights[1]), device="cpu", threads=1)
    some = load_model(QUICK, weights=str(weights[1]), device="cpu", threads=1, classes=["car", "dog"])
    frames = [scene(160, 120)]
    whole, part = label(everything, frames).segments, label(some, frames).segments
    assert whole is not None
    assert part is not None
    wanted = [everything.info.categories.index(name) for name in ("car", "dog")]
    expected = np.where(np.isin(whole.class_maps, wanted), whole.class_maps, NOT_REPORTED)
    np.testing.assert_array_equal(part.class_maps, expected)


def test_a_network_trained_further_with_and_without_the_auxiliary_head(tmp_path: Path) -> None:
    (tmp_path / "names.txt").write_text("__background__\nroad\nsky\n")
    for aux in (True, False):
        torch.manual_seed(0)
        network = get_model(
            "deeplabv3_mobilenet_v3_large", weights=None, weights_backbone=None, num_classes=3, aux_loss=aux
        )
        torch.save(network.state_dict(), tmp_path / "own.pth")
        model = load_model(
            "deeplabv3_mobilenet_v3_large",
            weights=str(tmp_path / "own.pth"),
            labels_file=tmp_path / "names.txt",
            device="cpu",
        )
        assert model.info.categories == ("__background__", "road", "sky")
    (tmp_path / "names.txt").write_text("a\nb\n")
    with pytest.raises(ModelUnavailable, match=r"\[3\] given, \[2\] expected.*the classes given are 2"):
        load_model(
            "deeplabv3_mobilenet_v3_large",
            weights=str(tmp_path / "own.pth"),
            labels_file=tmp_path / "names.txt",
        )


def test_a_preset_without_a_size_takes_the_picture_as_it_is() -> None:
    from torchvision.transforms._presets import SemanticSegmentation

    preset = SemanticSegmentation(resize_size=None)
    rule = SegmentationInput(preset, torch.device("cpu"))
    assert rule.input_for(333, 257).shape == (257, 333, 3)
    rgb = scene(333, 257)
    seen = rule.tensor(torch.from_numpy(rgb)[None], 333, 257)
    torch.testing.assert_close(seen[0], preset(reference.as_tensor(rgb)))
