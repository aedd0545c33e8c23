"""From a picture that was scaled on the way, models get about what they get from the whole one."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch
from torchvision.models import get_model_weights
from torchvision.models.detection.transform import GeneralizedRCNNTransform

from tests.model.frames import scene
from vidinfer.model.classification import ClassificationPreset
from vidinfer.model.geometry import DetectionInput
from vidinfer.model.segmentation import SegmentationInput
from vidinfer.stages import ModelInput

CPU = torch.device("cpu")


def detection(width: int, height: int) -> ModelInput:
    transform = GeneralizedRCNNTransform(
        320, 320, [0.5] * 3, [0.5] * 3, size_divisible=1, fixed_size=(320, 320)
    )
    rule = DetectionInput(transform, CPU)
    return rule.model_input(rule.geometry(width, height))


def classification(width: int, height: int) -> ModelInput:
    preset = ClassificationPreset.of(get_model_weights("resnet50").IMAGENET1K_V2.transforms())
    return preset.model_input(width, height)


def segmentation(width: int, height: int) -> ModelInput:
    preset = get_model_weights("lraspp_mobilenet_v3_large").DEFAULT.transforms()
    return SegmentationInput(preset, CPU).input_for(width, height)


@pytest.mark.parametrize(
    ("rule", "unit"),
    [(detection, 2 / 255), (classification, 1), (segmentation, 1)],
    ids=["detection", "classification", "segmentation"],
)
def test_about_the_same_place(rule: object, unit: float) -> None:
    width, height = 1918, 1078
    spec: ModelInput = rule(width, height)  # type: ignore[operator]
    assert spec.scaled is not None
    # Soft, so that it does not matter which pixels count.
    rgb = np.asarray(cv2.GaussianBlur(scene(width, height), (0, 0), 8), np.uint8)
    exact, about = (np.empty(spec.place, spec.dtype) for _ in range(2))
    spec.prepare(rgb, exact)
    small = cv2.resize(rgb, spec.scaled.size[::-1], interpolation=cv2.INTER_AREA)
    spec.scaled.prepare(np.asarray(small, np.uint8), about)
    assert np.abs(exact.astype(float) - about).mean() < 1 * unit  # one grey level


@pytest.mark.parametrize("rule", [detection, classification, segmentation])
def test_pictures_are_never_scaled_up(rule: object) -> None:
    spec: ModelInput = rule(120, 90)  # type: ignore[operator]
    assert spec.scaled is None
