"""Post-processing of the one-stage detectors (SSD, RetinaNet, FCOS), vectorised over batch, classes and anchors.

torchvision loops over images and, for SSD, over 90 classes in each: on a CPU that costs as much as the network, on
a GPU it waits hundreds of times for each image. The steps and their order are the same here; only the loops are gone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torchvision.models.detection import FCOS, RetinaNet
from torchvision.models.detection.ssd import SSD
from torchvision.ops import clip_boxes_to_image

from vidinfer.model.found import Found
from vidinfer.model.nms import best_of_each, suppress

__all__ = ["vectorise"]

Sizes = list[tuple[int, int]]


@dataclass(frozen=True, slots=True)
class _Candidates:
    """Boxes above the threshold, ``m`` of them."""

    image: Tensor
    boxes: Tensor
    scores: Tensor
    labels: Tensor


def vectorise(network: nn.Module) -> bool:
    """Give a one-stage detector of torchvision the vectorised post-processing.

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
    # Label 0 is the background: it takes part in the softmax and in nothing else.
    scores = head_outputs["cls_logits"].softmax(dim=-1)[:, :, 1:]
    image, anchor, label, score = _above(scores, self.score_thresh, self.topk_candidates, per_class=True)
    boxes = self.box_coder.decode_single(head_outputs["bbox_regression"][image, anchor], anchors[0][anchor])
    found = _Candidates(image, clip_boxes_to_image(boxes, sizes[0]), score, label + 1)
    return _settle(self, [found], len(sizes))


def _retinanet(
    self: Any, head_outputs: dict[str, list[Tensor]], anchors: list[list[Tensor]], sizes: Sizes
) -> Found:
    levels = []
    for logits, regression, level in zip(
        head_outputs["cls_logits"], head_outputs["bbox_regression"], anchors[0], strict=True
    ):
        image, anchor, label, score = _above(logits.sigmoid(), self.score_thresh, self.topk_candidates)
        boxes = self.box_coder.decode_single(regression[image, anchor], level[anchor])
        levels.append(_Candidates(image, clip_boxes_to_image(boxes, sizes[0]), score, label))
    return _settle(self, levels, len(sizes))


def _fcos(
    self: Any, head_outputs: dict[str, list[Tensor]], anchors: list[list[Tensor]], sizes: Sizes
) -> Found:
    levels = []
    for logits, regression, centre, level in zip(
        head_outputs["cls_logits"],
        head_outputs["bbox_regression"],
        head_outputs["bbox_ctrness"],
        anchors[0],
        strict=True,
    ):
        scores = torch.sqrt(logits.sigmoid() * centre.sigmoid())
        image, anchor, label, score = _above(scores, self.score_thresh, self.topk_candidates)
        boxes = self.box_coder.decode(regression[image, anchor], level[anchor])
        levels.append(_Candidates(image, clip_boxes_to_image(boxes, sizes[0]), score, label))
    return _settle(self, levels, len(sizes))


def _above(
    scores: Tensor, threshold: float, limit: int, *, per_class: bool = False
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Where ``scores`` ``(n, anchors, classes)`` exceed ``threshold``: image, anchor, class and score of each.

    Of each image, or of each class in each image, at most the ``limit`` best.
    """
    image, anchor, label = (scores > threshold).nonzero(as_tuple=True)
    score = scores[image, anchor, label]
    group = image * scores.shape[-1] + label if per_class else image
    keep = best_of_each(group, score, limit)
    return image[keep], anchor[keep], label[keep], score[keep]


def _settle(self: Any, levels: list[_Candidates], images: int) -> Found:
    """Non-maximum suppression within each class of each image, and the best of each image."""
    image = torch.cat([level.image for level in levels])
    boxes = torch.cat([level.boxes for level in levels])
    scores = torch.cat([level.scores for level in levels])
    labels = torch.cat([level.labels for level in levels])
    classes = int(labels.max()) + 1 if len(labels) else 1
    kept = suppress(boxes, scores, image * classes + labels, self.nms_thresh)
    kept = kept[best_of_each(image[kept], scores[kept], self.detections_per_img)]
    counts = torch.bincount(image[kept], minlength=images)
    return Found(counts, boxes[kept], scores[kept], labels[kept])
