"""Every detection builder of torchvision finds the same through vidinfer as through torchvision itself."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import torch
from torchvision.models import get_model_weights
from torchvision.models.detection.roi_heads import paste_masks_in_image
from torchvision.transforms._presets import ObjectDetection

from tests.model import reference, running
from tests.model.frames import scene
from tests.model.networks import random_detector
from vidinfer.detections import Objects
from vidinfer.model import load_model
from vidinfer.model.assemble import Reporting, Running, assemble
from vidinfer.model.demo import build_demo
from vidinfer.model.execution import choose_execution
from vidinfer.model.network import Loaded
from vidinfer.model.registry import builders_by_task
from vidinfer.model.runner import TorchModel
from vidinfer.stages import Model

SMALL = {"min_size": 160, "max_size": 280}
BUILDERS = builders_by_task()["detection"]


def small(name: str) -> dict[str, Any]:
    return {} if name.startswith("ssd") else SMALL


def threshold_for(name: str) -> float:
    """So high that some tens of objects are left, fewer than the models' own limits."""
    return 0.22 if "rcnn" in name else 0.65


def as_model(name: str, network: torch.nn.Module, threshold: float, classes: Any = None) -> TorchModel:
    categories = ("nothing", "car", "bus", "cat", "dog", "N/A")
    loaded = Loaded(name, "detection", copy.deepcopy(network), categories, "test", None, None)
    return assemble(loaded, Running(choose_execution("cpu", 1)), Reporting(threshold, 5, classes))


def label(model: Model, frames: list[Any]) -> Objects:
    objects = running.label(model, frames).objects
    assert objects is not None
    return objects


QUICK = {
    "ssdlite320_mobilenet_v3_large",
    "ssd300_vgg16",
    "fasterrcnn_mobilenet_v3_large_320_fpn",
    "retinanet_resnet50_fpn",
    "fcos_resnet50_fpn",
}


@pytest.mark.parametrize(
    "name", [n if n in QUICK else pytest.param(n, marks=pytest.mark.slow) for n in BUILDERS]
)
def test_same_objects_as_torchvision(name: str) -> None:
    network = random_detector(name, **small(name))
    transforms = get_model_weights(name).DEFAULT.transforms()
    threshold = threshold_for(name)
    model = as_model(name, network, threshold)
    seen = 0
    for width, height in ((333, 257), (120, 214), (640, 480)):
        frames = [scene(width, height, seed) for seed in range(1 if name.startswith("ssd300") else 2)]
        expected = reference.detect(network, transforms, frames)
        found = label(model, frames)
        reference.assert_same_objects(found, expected, threshold, least=0)
        assert found.boxes.dtype == np.float32
        assert found.labels.dtype == np.int64
        seen += len(found)
    assert seen >= 12, f"{seen} objects in all: this shows too little"


def test_the_trained_demo_finds_in_real_frames_what_torchvision_finds() -> None:
    with av.open(str(Path(__file__).parents[2] / "sample_media" / "traffic.mp4")) as video:
        decoded = [frame.to_ndarray(format="rgb24") for frame in video.decode(video=0)][::60]
    network = build_demo(score_thresh=0.3)
    expected = reference.detect(network, ObjectDetection(), decoded)
    model = load_model("demo", device="cpu", threads=1, score_threshold=0.3)
    found = label(model, decoded)
    reference.assert_same_objects(found, expected, 0.3, least=60)


@pytest.fixture(scope="module")
def ssdlite() -> torch.nn.Module:
    return random_detector("ssdlite320_mobilenet_v3_large")


@pytest.mark.parametrize("size", [(333, 257), (640, 480)])
def test_batches_of_any_size_find_the_same(ssdlite: torch.nn.Module, size: tuple[int, int]) -> None:
    model = as_model("ssdlite320_mobilenet_v3_large", ssdlite, 0.7)
    frames = [scene(*size, seed) for seed in range(4)] * 8
    one_by_one = [label(model, [rgb]) for rgb in frames[:4]] * 8
    expected = [
        {"scores": torch.tensor(o.scores), "boxes": torch.tensor(o.boxes), "labels": torch.tensor(o.labels)}
        for o in one_by_one
    ]
    for count in (2, 7, 32):
        found = label(model, frames[:count])
        reference.assert_same_objects(found, expected[:count], 0.7, least=10 * count)


def test_pushing_the_threshold_into_the_model_equals_filtering_afterwards(ssdlite: torch.nn.Module) -> None:
    frames = [scene(333, 257, seed) for seed in range(3)]
    everything = label(as_model("ssdlite320_mobilenet_v3_large", ssdlite, 0.001), frames)
    for threshold in (0.6, 0.75, float(everything.scores[5])):
        found = label(as_model("ssdlite320_mobilenet_v3_large", ssdlite, threshold), frames)
        kept = everything.select(everything.scores >= np.float32(threshold))
        assert 0 < len(found) < len(everything)
        np.testing.assert_array_equal(found.offsets, kept.offsets)
        np.testing.assert_array_equal(found.labels, kept.labels)
        np.testing.assert_allclose(found.scores, kept.scores, atol=1e-6)
        np.testing.assert_allclose(found.boxes, kept.boxes, atol=1e-3)


def test_classes_restrict_the_report_and_nothing_else(ssdlite: torch.nn.Module) -> None:
    frames = [scene(333, 257, seed) for seed in range(3)]
    name = "ssdlite320_mobilenet_v3_large"
    everything = label(as_model(name, ssdlite, 0.6), frames)
    found = label(as_model(name, ssdlite, 0.6, ["bus", "dog"]), frames)
    kept = everything.select(np.isin(everything.labels, [2, 4]))
    assert 0 < len(found) < len(everything)
    np.testing.assert_array_equal(found.offsets, kept.offsets)
    np.testing.assert_array_equal(found.boxes, kept.boxes)


def test_a_frame_without_findings_and_one_with(ssdlite: torch.nn.Module) -> None:
    model = as_model("ssdlite320_mobilenet_v3_large", ssdlite, 1.0)
    found = label(model, [scene(333, 257), scene(333, 257, 1)])
    assert found.offsets.tolist() == [0, 0, 0]
    assert found.boxes.shape == (0, 4)


def test_small_places_hold_resampled_pixels_and_large_ones_the_picture(ssdlite: torch.nn.Module) -> None:
    model = as_model("ssdlite320_mobilenet_v3_large", ssdlite, 0.5)
    small_source, large_source = model.input_for(333, 257), model.input_for(1920, 1080)
    assert (small_source.shape, small_source.dtype) == ((257, 333, 3), np.uint8)
    assert (large_source.shape, large_source.dtype) == ((320, 320, 3), np.float32)


@pytest.mark.slow
def test_masks_and_keypoints_are_those_of_torchvision() -> None:
    frames = [scene(333, 257, 3)]
    for name, column in (("maskrcnn_resnet50_fpn", "masks"), ("keypointrcnn_resnet50_fpn", "keypoints")):
        network = random_detector(name, **SMALL)
        transforms = get_model_weights(name).DEFAULT.transforms()
        (expected,) = reference.detect(network, transforms, frames)
        found = label(as_model(name, network, 0.05), frames)
        keep = expected["scores"] >= 0.05
        assert len(found) == int(keep.sum()) > 0
        if column == "masks":
            assert found.masks is not None
            pasted = paste_masks_in_image(
                torch.from_numpy(found.masks)[:, None], torch.from_numpy(found.boxes), (257, 333)
            )
            assert float((pasted - expected["masks"][keep]).abs().mean()) < 1e-3
        else:
            assert found.keypoints is not None
            assert found.keypoints.shape == (len(found), 17, 3)
            np.testing.assert_allclose(found.keypoints[..., 2], expected["keypoints_scores"][keep], atol=1e-3)
            distance = np.abs(found.keypoints[..., :2] - expected["keypoints"][keep][..., :2].numpy())
            assert np.median(distance) < 0.05


@pytest.mark.parametrize("name", ["maskrcnn_resnet50_fpn", "keypointrcnn_resnet50_fpn"])
def test_a_threshold_in_a_two_stage_detector_changes_nothing_above_it(name: str) -> None:
    network = random_detector(name, min_size=96, max_size=160, box_detections_per_img=24)
    frames = [scene(150, 90, seed) for seed in range(2)]
    everything = label(as_model(name, network, 0.05), frames)
    threshold = float(np.median(everything.scores)) + 1e-4
    found, kept = label(as_model(name, network, threshold), frames), everything.scores >= threshold
    expected = everything.select(kept)
    assert 0 < len(found) < len(everything)
    np.testing.assert_array_equal(found.offsets, expected.offsets)
    np.testing.assert_allclose(found.boxes, expected.boxes, atol=1e-3)
    if expected.masks is not None:
        assert found.masks is not None
        assert found.masks.shape[1:] == (28, 28), "pasted by whoever writes or draws, not before"
        np.testing.assert_allclose(found.masks, expected.masks, atol=1e-4)
    if expected.keypoints is not None:
        assert found.keypoints is not None
        np.testing.assert_allclose(found.keypoints[..., 2], expected.keypoints[..., 2], atol=1e-3)
