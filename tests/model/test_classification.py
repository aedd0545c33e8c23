"""Classifiers see what the weights' own ``transforms()`` show them, and report the same classes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torchvision.models import get_model, get_model_weights
from torchvision.transforms import InterpolationMode
from torchvision.transforms._presets import ImageClassification

from tests.model import reference, running
from tests.model.frames import scene
from vidinfer.detections import Classes
from vidinfer.errors import UsageError
from vidinfer.model import load_model
from vidinfer.model.classification import ClassificationPreset
from vidinfer.model.registry import builders_by_task
from vidinfer.stages import Model

SIZES = [(333, 257), (214, 380), (97, 60), (640, 360)]


def presets() -> dict[str, Any]:
    """Each preset of torchvision's classifiers once, by the name of the first weights that have it."""
    found: dict[str, Any] = {}
    for name in builders_by_task()["classification"]:
        for member in get_model_weights(name):
            if member.meta.get("categories"):
                found.setdefault(repr(member.transforms()), member)
    return {str(member): member for member in found.values()}


PRESETS = presets()


@pytest.mark.parametrize("name", PRESETS)
def test_places_hold_what_the_preset_makes(name: str) -> None:
    transforms = PRESETS[name].transforms()
    preset = ClassificationPreset.of(transforms)
    for width, height in SIZES:
        rgb = scene(width, height)
        place = np.empty((preset.crop, preset.crop, 3), np.uint8)
        preset.model_input(width, height).prepare(rgb, place)
        expected = transforms(reference.as_tensor(rgb))
        seen = torch.from_numpy(place).permute(2, 0, 1).float() / 255
        seen = (seen - torch.tensor(preset.mean).view(3, 1, 1)) / torch.tensor(preset.std).view(3, 1, 1)
        # At most one grey level, and that only where torch's own rounding was a coin's toss.
        assert float((seen - expected).abs().max()) <= 1.01 / 255 / min(preset.std)
        assert float(((seen - expected).abs() > 1e-5).float().mean()) < 6e-5, (width, height)


def test_places_of_a_large_picture_with_padded_rows() -> None:
    transforms = get_model_weights("resnet50").IMAGENET1K_V1.transforms()
    preset = ClassificationPreset.of(transforms)
    padded = np.zeros((1080, 1930, 3), np.uint8)
    padded[:, :1920] = rgb = scene(1920, 1080)
    place = np.empty((preset.crop, preset.crop, 3), np.uint8)
    preset.model_input(1920, 1080).prepare(padded[:, :1920], place)
    expected = transforms(reference.as_tensor(rgb))
    seen = torch.from_numpy(place).permute(2, 0, 1).float() / 255
    seen = (seen - torch.tensor(preset.mean).view(3, 1, 1)) / torch.tensor(preset.std).view(3, 1, 1)
    assert float(((seen - expected).abs() > 1e-5).float().mean()) < 6e-5


@pytest.mark.parametrize(
    ("crop", "antialias", "interpolation"),
    [(300, True, "bilinear"), (97, False, "bilinear"), (97, True, "nearest")],
)
def test_presets_that_no_weights_have_today(crop: int, antialias: bool, interpolation: str) -> None:
    transforms = ImageClassification(
        crop_size=crop, resize_size=128, antialias=antialias, interpolation=InterpolationMode(interpolation)
    )
    preset = ClassificationPreset.of(transforms)
    rgb = scene(333, 257)
    place = np.empty((crop, crop, 3), np.uint8)
    preset.model_input(333, 257).prepare(rgb, place)
    seen = torch.from_numpy(place).permute(2, 0, 1).float() / 255
    seen = (seen - torch.tensor(preset.mean).view(3, 1, 1)) / torch.tensor(preset.std).view(3, 1, 1)
    torch.testing.assert_close(seen, transforms(reference.as_tensor(rgb)))


def random_classifier(name: str) -> nn.Module:
    """A torchvision classifier whose random weights answer to what they see."""
    torch.manual_seed(1)
    options = {"init_weights": False, "transform_input": True} if name == "inception_v3" else {}
    network = get_model(name, weights=None, **options).eval()
    last = [module for module in network.modules() if isinstance(module, nn.Linear)][-1]
    reference.awaken(network, [(last, 0.0, 2.0)], 299 if name == "inception_v3" else 224)
    return network


def label(model: Model, frames: list[Any]) -> Classes:
    classes = running.label(model, frames).classes
    assert classes is not None
    return classes


SLOW = ["vit_b_16", "inception_v3"]


@pytest.mark.parametrize(
    "name",
    [
        "resnet50",
        "efficientnet_b0",
        "mobilenet_v3_large",
        *(pytest.param(n, marks=pytest.mark.slow) for n in SLOW),
    ],
)
def test_same_classes_as_torchvision(name: str, tmp_path: Path) -> None:
    network = random_classifier(name)
    torch.save(network.state_dict(), tmp_path / "own.pth")
    transforms = get_model_weights(name).DEFAULT.transforms()
    model = load_model(name, weights=str(tmp_path / "own.pth"), device="cpu", threads=1)
    for width, height in ((333, 257), (97, 160)):
        frames = [scene(width, height, seed) for seed in range(3)]
        expected = reference.classify(network, transforms, frames)
        found = label(model, frames)
        scores, labels = expected.topk(5)
        assert float(scores.max()) > 0.01, "uniform scores show nothing"
        np.testing.assert_allclose(found.scores, scores.numpy(), atol=1e-4)
        np.testing.assert_allclose(
            expected.gather(1, torch.from_numpy(found.labels)), found.scores, atol=1e-4
        )
        assert (found.labels == labels.numpy()).mean() > 0.9  # near ties may change places


@pytest.fixture(scope="module")
def classifier() -> Model:
    return load_model("mobilenet_v3_small", weights="none", device="cpu", threads=1)


def test_batches_of_any_size_give_the_same(classifier: Model) -> None:
    frames = [scene(333, 257, seed) for seed in range(4)] * 8
    alone = [label(classifier, [rgb]) for rgb in frames[:4]] * 8
    for count in (2, 7, 32):
        found = label(classifier, frames[:count])
        for i in range(count):
            np.testing.assert_allclose(found.scores[i], alone[i].scores[0], atol=1e-4)


def test_classes_restrict_the_report() -> None:
    name = "mobilenet_v3_small"
    model = load_model(name, weights="none", device="cpu", threads=1, classes=["crane", "tabby"], top_k=5)
    found = label(model, [scene(333, 257)])
    assert found.labels.shape == (1, 2)
    assert {model.info.categories[i] for i in found.labels[0]} == {"crane", "tabby"}
    assert (np.diff(found.scores[0]) <= 0).all()
    assert found.scores.sum() < 0.1  # probabilities among all thousand classes


def test_top_k_beyond_the_number_of_classes_is_all_of_them() -> None:
    model = load_model("mobilenet_v3_small", weights="none", device="cpu", threads=1, top_k=5000)
    found = label(model, [scene(97, 60)])
    assert found.scores.shape == (1, 1000)
    assert found.scores.sum() == pytest.approx(1.0, abs=1e-4)


def test_an_unknown_class_is_refused_with_the_nearest() -> None:
    with pytest.raises(UsageError, match="no class 'tabbi'; did you mean tabby"):
        load_model("mobilenet_v3_small", weights="none", classes=["tabbi"])
