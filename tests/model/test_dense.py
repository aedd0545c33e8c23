"""The vectorised post-processing gives what torchvision's loops give, also where every limit is reached."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
import torch
from torchvision.models import get_model

from vidinfer.model.dense import vectorise
from vidinfer.model.found import Found
from vidinfer.model.nms import best_of_each, suppress

CLASSES = 5


def detector(name: str, **options: Any) -> Any:
    torch.manual_seed(0)
    return get_model(name, weights=None, weights_backbone=None, num_classes=CLASSES, **options).eval()


def anchors(generator: torch.Generator, count: int) -> torch.Tensor:
    corner = torch.rand(count, 2, generator=generator) * 200
    return torch.cat([corner, corner + 8 + 60 * torch.rand(count, 2, generator=generator)], dim=1)


def outputs(family: str, images: int, levels: list[int]) -> tuple[Any, Any]:
    """Made-up outputs of a head, and the anchors they belong to."""
    g = torch.Generator().manual_seed(7)
    logits = [2 * torch.randn(images, n, CLASSES, generator=g) for n in levels]
    boxes = [0.4 * torch.randn(images, n, 4, generator=g) for n in levels]
    places = [anchors(g, n) for n in levels]
    if family == "ssd":
        return {"cls_logits": logits[0], "bbox_regression": boxes[0]}, [places[0]] * images
    heads = {"cls_logits": logits, "bbox_regression": boxes}
    if family == "fcos":
        heads["bbox_regression"] = [b.abs() for b in boxes]
        heads["bbox_ctrness"] = [torch.randn(images, n, 1, generator=g) for n in levels]
    return heads, [places] * images


CASES = [
    ("ssdlite320_mobilenet_v3_large", "ssd", [400]),
    ("retinanet_resnet50_fpn", "retinanet", [300, 80, 20]),
    ("fcos_resnet50_fpn", "fcos", [300, 80, 20]),
]


@pytest.mark.parametrize(("name", "family", "levels"), CASES)
@pytest.mark.parametrize(
    ("threshold", "limits"),
    [
        (0.3, {}),
        (0.3, {"topk_candidates": 25, "detections_per_img": 40}),
        (0.01, {"detections_per_img": 60}),
        (1.0, {}),
    ],
)
def test_equal_to_the_loops(
    name: str, family: str, levels: list[int], threshold: float, limits: dict[str, int]
) -> None:
    stock = detector(name, score_thresh=threshold, **limits)
    quick = copy.copy(stock)
    assert vectorise(quick)
    heads, places = outputs(family, 3, levels)
    sizes = [(240, 250)] * 3
    with torch.inference_mode():
        expected = stock.postprocess_detections(heads, places, sizes)
        found = quick.postprocess_detections(heads, places, sizes)
    assert isinstance(found, Found)
    assert found.counts.tolist() == [len(e["scores"]) for e in expected]
    joined = Found.joined(expected)
    np.testing.assert_allclose(found.scores, joined.scores, atol=1e-6)
    np.testing.assert_array_equal(found.labels, joined.labels)
    np.testing.assert_allclose(found.boxes, joined.boxes, atol=1e-3)
    assert (len(found.scores) > 20) == (threshold < 1.0)


def test_two_stage_detectors_are_left_alone() -> None:
    network = detector("fasterrcnn_mobilenet_v3_large_320_fpn")
    assert not vectorise(network)


def test_the_best_of_each_group() -> None:
    groups = torch.tensor([2, 0, 2, 2, 0, 5])
    scores = torch.tensor([0.1, 0.9, 0.3, 0.2, 0.95, 0.5])
    assert best_of_each(groups, scores, 2).tolist() == [4, 1, 2, 3, 5]
    assert best_of_each(groups[:0], scores[:0], 2).tolist() == []


def test_groups_do_not_suppress_each_other() -> None:
    boxes = torch.tensor([[0.0, 0.0, 10.0, 10.0]] * 3)
    kept = suppress(boxes, torch.tensor([0.5, 0.9, 0.7]), torch.tensor([10**6, 7, 7]), 0.5)
    assert kept.tolist() == [1, 0]
