"""Proposals, regions and findings of the two-stage detectors are torchvision's own, whatever the batch."""

from __future__ import annotations

import copy
from collections import OrderedDict
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torchvision.models.detection import FasterRCNN, KeypointRCNN, MaskRCNN
from torchvision.models.detection._utils import BoxCoder
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.faster_rcnn import FastRCNNPredictor, TwoMLPHead
from torchvision.models.detection.image_list import ImageList
from torchvision.models.detection.keypoint_rcnn import KeypointRCNNHeads, KeypointRCNNPredictor
from torchvision.models.detection.mask_rcnn import MaskRCNNHeads, MaskRCNNPredictor
from torchvision.models.detection.roi_heads import RoIHeads
from torchvision.models.detection.rpn import RegionProposalNetwork
from torchvision.ops import MultiScaleRoIAlign

from vidinfer.errors import ModelError
from vidinfer.model.found import Found
from vidinfer.model.proposals import propose_together
from vidinfer.model.regions import Regions
from vidinfer.model.roi import vectorise

CLASSES = 5
CHANNELS = 8
SIZE = (128, 160)
STRIDES = (8, 16, 32)
KINDS = 3


class Given(nn.Module):
    """Gives the same whatever it is asked."""

    def __init__(self, value: Any) -> None:
        super().__init__()
        self.value = value

    def forward(self, *_: Any) -> Any:
        return self.value


class Backbone(nn.Module):
    """Looks at nothing; the tests bring their own features."""

    out_channels = CHANNELS

    def forward(self, pictures: Tensor) -> OrderedDict[str, Tensor]:
        return features(len(pictures), 0)


def features(images: int, seed: int) -> OrderedDict[str, Tensor]:
    g = torch.Generator().manual_seed(seed)
    maps = [torch.randn(images, CHANNELS, SIZE[0] // s, SIZE[1] // s, generator=g) for s in STRIDES]
    return OrderedDict((str(i), m) for i, m in enumerate(maps))


def network(family: str = "faster", **options: Any) -> Any:
    """A small one of the family, whose scores and boxes are spread wide."""
    torch.manual_seed(3)
    anchors = AnchorGenerator(((16,), (32,), (64,)), ((0.5, 1.0, 2.0),) * 3)
    names = ["0", "1", "2"]
    made: dict[str, Any] = {
        "rpn_anchor_generator": anchors,
        "box_roi_pool": MultiScaleRoIAlign(names, 7, 2),
        "box_head": TwoMLPHead(CHANNELS * 49, 32),
        "box_predictor": FastRCNNPredictor(32, CLASSES),
        **options,
    }
    if family == "mask":
        made["mask_head"] = MaskRCNNHeads(CHANNELS, (8,), 1)
        made["mask_predictor"] = MaskRCNNPredictor(8, 8, CLASSES)
        made["mask_roi_pool"] = MultiScaleRoIAlign(names, 14, 2)
    if family == "keypoint":
        made["keypoint_head"] = KeypointRCNNHeads(CHANNELS, (8,))
        made["keypoint_predictor"] = KeypointRCNNPredictor(8, 4)
        made["keypoint_roi_pool"] = MultiScaleRoIAlign(names, 14, 2)
    kinds = {"faster": FasterRCNN, "mask": MaskRCNN, "keypoint": KeypointRCNN}
    detector = kinds[family](Backbone(), **made).eval()
    nn.init.normal_(detector.roi_heads.box_predictor.cls_score.weight, std=6.0)
    nn.init.normal_(detector.roi_heads.box_predictor.bbox_pred.weight, std=3.0)
    return detector


def both(detector: Any) -> tuple[Any, Any]:
    quick = copy.deepcopy(detector)
    assert vectorise(quick)
    return detector, quick


def proposal_outputs(images: int, spread: float, seed: int) -> tuple[list[Tensor], list[Tensor]]:
    g = torch.Generator().manual_seed(seed)
    shapes = [(images, SIZE[0] // s, SIZE[1] // s) for s in STRIDES]
    objectness = [3 * torch.randn(n, KINDS, h, w, generator=g) - 1 for n, h, w in shapes]
    deltas = [spread * torch.randn(n, 4 * KINDS, h, w, generator=g) for n, h, w in shapes]
    return objectness, deltas


def batch(images: int) -> ImageList:
    return ImageList(torch.empty(images, 3, *SIZE), [SIZE] * images)


@pytest.mark.parametrize("images", [1, 2, 7])
@pytest.mark.parametrize("spread", [0.1, 1.0, 5.0])
@pytest.mark.parametrize(
    ("before", "after", "threshold"),
    [(1000, 300, 0.0), (1000, 1000, 0.0), (600, 30, 0.05), (50, 20, 0.9), (40, 1000, 0.0), (100, 50, 1.0)],
)
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_same_proposals_in_the_same_order(
    images: int, spread: float, before: int, after: int, threshold: float, layout: torch.memory_format
) -> None:
    """More than a thousand candidates too, which torchvision suppresses level by level."""
    stock, quick = both(network())
    outputs = [
        [level.to(memory_format=layout) for level in levels] for levels in proposal_outputs(images, spread, 5)
    ]
    for detector in (stock, quick):
        detector.rpn.head = Given((outputs[0], outputs[1]))
        detector.rpn._pre_nms_top_n = {"testing": before, "training": 1}
        detector.rpn._post_nms_top_n = {"testing": after, "training": 1}
        detector.rpn.score_thresh = threshold
    maps = features(images, 1)
    with torch.inference_mode():
        expected, _ = stock.rpn(batch(images), maps)
        found, losses = quick.rpn(batch(images), maps)
    assert losses == {}
    assert [len(f) for f in found] == [len(e) for e in expected]
    for ours, theirs in zip(found, expected, strict=True):
        # The last bits of exp depend on where in a vector register a value happens to lie.
        np.testing.assert_allclose(ours, theirs, atol=1e-4)
    assert (sum(map(len, found)) > 0) == (threshold < 1.0)


@pytest.mark.parametrize("part", ["objectness", "deltas"])
def test_nan_in_a_proposal_is_told(part: str) -> None:
    _, quick = both(network())
    objectness, deltas = proposal_outputs(2, 0.5, 5)
    objectness[1][1, 2, 3, 4] = torch.nan if part == "objectness" else 50.0
    if part == "deltas":
        deltas[1][1, 2 * 4 + 1, 3, 4] = torch.nan
    quick.rpn.head = Given((objectness, deltas))
    with pytest.raises(ModelError, match="NaN"), torch.inference_mode():
        quick.rpn(batch(2), features(2, 1))


def some_boxes(g: torch.Generator, count: int, size: tuple[int, int] = SIZE) -> Tensor:
    """``(count, 4)`` inside the picture; some thin, some large, some at the border."""
    limit = torch.tensor([size[1], size[0]])
    centre = torch.rand(count, 2, generator=g) * limit
    half = torch.rand(count, 2, generator=g) ** 3 * limit / 2
    return torch.cat([(centre - half).clamp(min=0), torch.minimum(centre + half, limit)], dim=1)


@pytest.mark.parametrize("family", ["faster", "mask", "keypoint"])
@pytest.mark.parametrize("images", [1, 2, 7])
@pytest.mark.parametrize("threshold", [0.0001, 0.05, 0.5, 0.9, 1.0])
def test_same_findings(family: str, images: int, threshold: float) -> None:
    found = compare_findings(family, [60] * images, threshold, limit=40 if family == "faster" else 8)
    assert (len(found.scores) > 0) == (threshold < 1.0)


@pytest.mark.parametrize("limit", [1, 100, 5000])
def test_same_findings_of_a_crowd(limit: int) -> None:
    """More than a thousand candidates, which torchvision suppresses class by class."""
    compare_findings("faster", [900, 0, 3, 500], 0.0001, limit=limit)


@pytest.mark.parametrize("family", ["faster", "mask", "keypoint"])
def test_pictures_without_a_proposal(family: str) -> None:
    found = compare_findings(family, [0, 0], 0.05, limit=8)
    assert found.counts.tolist() == [0, 0]


def compare_findings(family: str, proposals: list[int], threshold: float, *, limit: int) -> Found:
    images = len(proposals)
    stock, quick = both(network(family))
    g = torch.Generator().manual_seed(11)
    boxes = [some_boxes(g, count) for count in proposals]
    maps, sizes = features(images, 2), [SIZE] * images
    for detector in (stock, quick):
        detector.roi_heads.score_thresh = threshold
        detector.roi_heads.detections_per_img = limit
    with torch.inference_mode():
        expected, _ = stock.roi_heads(maps, boxes, sizes)
        for pool in ("box_roi_pool", "mask_roi_pool", "keypoint_roi_pool"):
            if getattr(quick.roi_heads, pool) is not None:  # as after a first batch
                getattr(stock.roi_heads, pool)(maps, boxes, sizes)
                setattr(quick.roi_heads, pool, getattr(stock.roi_heads, pool))
        found, losses = quick.roi_heads(maps, boxes, sizes)
    assert isinstance(found, Found)
    assert losses == {}
    joined = Found.joined(expected)
    assert found.counts.tolist() == joined.counts.tolist()
    np.testing.assert_array_equal(found.labels, joined.labels)
    # Regions are sums in another order, and the heads here multiply what that changes.
    np.testing.assert_allclose(found.scores, joined.scores, atol=1e-5)
    np.testing.assert_allclose(found.boxes, joined.boxes, atol=1e-3)
    assert (found.masks is None) == (joined.masks is None)
    if found.masks is not None and joined.masks is not None:
        np.testing.assert_allclose(found.masks, joined.masks, atol=1e-5)
    assert (found.keypoints is None) == (joined.keypoints is None)
    if found.keypoints is not None and joined.keypoints is not None:
        assert found.keypoints.shape == joined.keypoints.shape
        np.testing.assert_allclose(found.keypoints[..., 2], joined.keypoints[..., 2], atol=1e-4)
        if len(found.labels):
            # A maximum between two pixels that differ by rounding alone may be told a pixel off.
            assert float((found.keypoints - joined.keypoints).abs().median()) < 1e-3
    return found


@pytest.mark.parametrize("output", [0, 1])
def test_nan_in_a_finding_is_told(output: int) -> None:
    _, quick = both(network())
    logits, codes = torch.zeros(20, CLASSES), torch.zeros(20, 4 * CLASSES)
    logits[:, 0] = 9.0
    logits[7, 2] = 30.0
    (logits, codes)[output][7, 2 if output == 0 else 9] = torch.nan
    quick.roi_heads.box_predictor = Given((logits, codes))
    boxes = some_boxes(torch.Generator().manual_seed(1), 10) + torch.tensor([0.0, 0.0, 1.0, 1.0])
    with pytest.raises(ModelError, match="NaN"), torch.inference_mode():
        quick.roi_heads(features(2, 1), [boxes] * 2, [SIZE] * 2)


@given(
    counts=st.lists(st.integers(0, 90), min_size=1, max_size=3),
    levels=st.integers(1, 3),
    bins=st.sampled_from([1, 7, (3, 5), 14]),
    grid=st.integers(1, 3),
    layout=st.sampled_from([torch.contiguous_format, torch.channels_last]),
    seed=st.integers(0, 10**6),
)
@settings(max_examples=60, deadline=None)
def test_regions_are_those_of_torchvision(
    counts: list[int], levels: int, bins: Any, grid: int, layout: torch.memory_format, seed: int
) -> None:
    g = torch.Generator().manual_seed(seed)
    maps = OrderedDict(
        (name, m.to(memory_format=layout)) for name, m in list(features(len(counts), seed).items())[:levels]
    )
    boxes = [some_boxes(g, count) for count in counts]
    sizes = [SIZE] * len(counts)
    pooler = MultiScaleRoIAlign(list(maps), bins, grid, canonical_scale=60)
    expected = pooler(maps, boxes, sizes)
    regions = Regions(maps, sizes)
    for _ in range(2):  # the second time from what was prepared for the first
        found = regions.cut(pooler, boxes)
        assert found.shape == expected.shape
        np.testing.assert_allclose(found, expected, atol=1e-5)  # the order of the sums


def test_few_regions_of_large_maps_are_left_to_torchvision() -> None:
    maps = features(2, 1)
    boxes = [some_boxes(torch.Generator().manual_seed(1), 1)] * 2
    pooler = MultiScaleRoIAlign(list(maps), 2, 1)
    expected = pooler(maps, boxes, [SIZE] * 2)
    assert torch.equal(Regions(maps, [SIZE] * 2).cut(pooler, boxes), expected)


class OwnHeads(RoIHeads):
    pass


class OwnProposals(RegionProposalNetwork):
    def filter_proposals(self, *_: Any) -> Any:
        return [torch.tensor([[1.0, 2.0, 30.0, 40.0]])], None


class OwnCoder(BoxCoder):
    def decode(self, rel_codes: Tensor, boxes: list[Tensor]) -> Tensor:
        return super().decode(2 * rel_codes, boxes)


class OwnNetwork(FasterRCNN):
    def forward(self, images: Any, targets: Any = None) -> Any:
        return super().forward(images, targets)


def is_own(module: Any) -> bool:
    return "forward" not in vars(module)


def test_what_somebody_wrote_himself_is_left_alone() -> None:
    heads, proposals, coder, whole = (network() for _ in range(4))
    heads.roi_heads.__class__ = OwnHeads
    assert vectorise(heads)
    assert is_own(heads.roi_heads)
    assert not is_own(heads.rpn)
    proposals.rpn.__class__ = OwnProposals
    assert vectorise(proposals)
    assert is_own(proposals.rpn)
    assert not is_own(proposals.roi_heads)
    coder.rpn.box_coder = OwnCoder((1.0, 1.0, 1.0, 1.0))
    assert not propose_together(coder.rpn)
    whole.__class__ = OwnNetwork
    assert not vectorise(whole)
    assert is_own(whole.rpn)
    assert is_own(whole.roi_heads)
    assert not vectorise(nn.Linear(2, 2))
