"""Post-processing of the one-stage detectors (SSD, RetinaNet, FCOS), vectorised over batch, classes and anchors.

torchvision loops over images and, for SSD, over 90 classes in each: on a CPU that costs as much as the network, on
a GPU it waits hundreds of times for each image. The steps and their order are the same here; only the loops are gone,
and what cannot reach the threshold is left out from the start.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torchvision.models.detection import FCOS, RetinaNet
from torchvision.models.detection.ssd import SSD
from torchvision.ops import clip_boxes_to_image

from vidinfer.model.found import Found
from vidinfer.model.nms import best_of_each, best_of_runs, survivors
from vidinfer.model.threshold import Passed, centred_above, sigmoid_above, softmax_above

__all__ = ["vectorise"]

Sizes = list[tuple[int, int]]


def vectorise(network: nn.Module) -> bool:
    """Give a one-stage detector of torchvision the vectorised post-processing, for pictures all of one size.

    Returns:
        Whether ``network`` is one; anything else, and a class with a post-processing of its own, is left as it is.
    """
    families: tuple[tuple[Any, Callable[..., Found]], ...] = (
        (SSD, _ssd),
        (RetinaNet, _retinanet),
        (FCOS, _fcos),
    )
    for family, replacement in families:
        if (
            isinstance(network, family)
            and type(network).postprocess_detections is family.postprocess_detections
        ):
            network.postprocess_detections = replacement.__get__(network)
            return True
    return False


def _ssd(self: Any, head_outputs: dict[str, Tensor], anchors: list[Tensor], sizes: Sizes) -> Found:
    logits, regression = head_outputs["cls_logits"], head_outputs["bbox_regression"]
    images, places, classes = logits.shape
    row, label, score = softmax_above(logits.flatten(0, 1), self.score_thresh)
    # Class by class, as torchvision has them: of equal scores the first wins.
    group = row.div(places, rounding_mode="floor") * classes + label
    order = best_of_each(group, score, self.topk_candidates, images * classes)
    passed = row[order], label[order], score[order]
    return _settle(self, passed, regression, anchors[0], self.box_coder.decode_single, sizes)


def _retinanet(
    self: Any, head_outputs: dict[str, list[Tensor]], anchors: list[list[Tensor]], sizes: Sizes
) -> Found:
    logits, regression = _whole(head_outputs["cls_logits"]), _whole(head_outputs["bbox_regression"])
    passed = _best_of_levels(self, sigmoid_above(logits.flatten(0, 1), self.score_thresh), anchors[0], sizes)
    return _settle(self, passed, regression, _whole(anchors[0]), self.box_coder.decode_single, sizes)


def _fcos(
    self: Any, head_outputs: dict[str, list[Tensor]], anchors: list[list[Tensor]], sizes: Sizes
) -> Found:
    logits, regression, centre = (
        _whole(head_outputs[name]) for name in ("cls_logits", "bbox_regression", "bbox_ctrness")
    )
    passed = centred_above(logits.flatten(0, 1), centre.flatten(0, 1), self.score_thresh)
    passed = _best_of_levels(self, passed, anchors[0], sizes)
    return _settle(self, passed, regression, _whole(anchors[0]), self.box_coder.decode, sizes)


def _whole(levels: list[Tensor]) -> Tensor:
    """``(..., places, k)`` of all levels: torchvision has split one tensor; where that is so, nothing is copied."""
    first, places = levels[0], 0
    storage, stride = first.untyped_storage().data_ptr(), first.stride()
    for level in levels:
        offset = first.storage_offset() + places * stride[-2]
        found = (level.untyped_storage().data_ptr(), level.stride(), level.storage_offset())
        if found != (storage, stride, offset):
            return torch.cat(levels, dim=-2)
        places += level.shape[-2]
    return first.as_strided((*first.shape[:-2], places, first.shape[-1]), stride, first.storage_offset())


def _best_of_levels(self: Any, passed: Passed, anchors: list[Tensor], sizes: Sizes) -> Passed:
    """Of each level of each picture at most as many as torchvision takes on."""
    row, label, score = passed
    if len(row) <= self.topk_candidates and row.device.type != "cpu":
        return passed  # on a CPU they are put in order all the same: torchvision's, where scores are equal
    level_sizes = [len(level) for level in anchors]
    ends = torch.tensor(level_sizes, device=row.device).cumsum(0)
    ends = ends + sum(level_sizes) * torch.arange(len(sizes), device=row.device)[:, None]
    before = torch.searchsorted(row, ends.flatten())  # rows ascend: picture by picture, level by level
    runs = before.diff(prepend=before.new_zeros(1)).tolist()
    order = best_of_runs(score, runs, self.topk_candidates)
    return row[order], label[order], score[order]


def _settle(
    self: Any,
    passed: Passed,
    regression: Tensor,
    anchors: Tensor,
    decode: Callable[[Tensor, Tensor], Tensor],
    sizes: Sizes,
) -> Found:
    """Boxes of what has passed, non-maximum suppression within each class of each image, the best of each image."""
    row, label, score = passed
    images, places, _ = regression.shape
    if not len(row):
        return Found.none(images, score.device)
    image = row.div(places, rounding_mode="floor")
    boxes = decode(regression.flatten(0, 1)[row].float(), anchors[row - image * places])
    boxes = clip_boxes_to_image(boxes, sizes[0])
    kept, counts = survivors(
        boxes, score, image, label, images=images, iou=self.nms_thresh, limit=self.detections_per_img
    )
    return Found(counts, boxes[kept], score[kept], label[kept])
