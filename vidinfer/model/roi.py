"""The second stage of Faster, Mask and Keypoint R-CNN, vectorised over the batch.

The steps are those of torchvision's ``RoIHeads``; what it does picture by picture is done here on columns.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torchvision.models.detection._utils import BoxCoder
from torchvision.models.detection.generalized_rcnn import GeneralizedRCNN
from torchvision.models.detection.roi_heads import RoIHeads, heatmaps_to_keypoints
from torchvision.ops import clip_boxes_to_image

from vidinfer.model.found import Found
from vidinfer.model.nms import survivors
from vidinfer.model.proposals import propose_together, too_small
from vidinfer.model.regions import Regions
from vidinfer.model.threshold import softmax_above

__all__ = ["vectorise"]

Sizes = list[tuple[int, int]]

LEAST = 1e-2
"""Pixels: boxes with a shorter side are dropped, as torchvision does it."""


def vectorise(network: nn.Module) -> bool:
    """Give a two-stage detector of torchvision the vectorised post-processing, for pictures all of one size.

    Returns:
        Whether ``network`` has it now. What is not torchvision's own code is left as it is.
    """
    if not isinstance(network, GeneralizedRCNN) or type(network).forward is not GeneralizedRCNN.forward:
        return False
    proposed = propose_together(network.rpn)
    heads: Any = network.roi_heads
    if type(heads) is not RoIHeads or type(heads.box_coder) is not BoxCoder:
        return proposed
    heads.forward = _forward.__get__(heads)
    return True


def _forward(
    self: Any, features: dict[str, Tensor], proposals: list[Tensor], sizes: Sizes, _targets: None = None
) -> tuple[Found, dict[str, Tensor]]:
    regions = Regions(features, sizes)
    logits, codes = self.box_predictor(self.box_head(regions.cut(self.box_roi_pool, proposals)))
    found = _boxes(self, logits, codes, proposals, sizes)
    if self.has_mask():
        cut = regions.cut(self.mask_roi_pool, _by_picture(found))
        logits = self.mask_predictor(self.mask_head(cut))
        of_its_class = logits[torch.arange(len(logits), device=logits.device), found.labels]
        found = replace(found, masks=of_its_class.sigmoid())
    if self.has_keypoint():
        cut = regions.cut(self.keypoint_roi_pool, _by_picture(found))
        logits = self.keypoint_predictor(self.keypoint_head(cut))
        points, scores = heatmaps_to_keypoints(logits, found.boxes)
        found = replace(found, keypoints=torch.cat([points[..., :2], scores[..., None]], dim=-1))
    return found, {}


def _boxes(self: Any, logits: Tensor, codes: Tensor, proposals: list[Tensor], sizes: Sizes) -> Found:
    """What of the regions is above the threshold, and not suppressed by something better."""
    row, label, score = softmax_above(logits, self.score_thresh)
    if not len(row):
        return Found.none(len(proposals), score.device)
    codes = codes.reshape(*logits.shape, 4)[row, label].float()
    boxes = self.box_coder.decode_single(codes, torch.cat(proposals)[row])
    boxes = clip_boxes_to_image(boxes, sizes[0])
    whole = too_small(boxes, LEAST).logical_not_()
    row, label, score, boxes = row[whole], label[whole], score[whole], boxes[whole]
    counts = torch.tensor([len(of_one) for of_one in proposals], device=row.device)
    image = torch.bucketize(row, counts.cumsum(0), right=True)
    kept, counts = survivors(
        boxes, score, image, label, images=len(proposals), iou=self.nms_thresh, limit=self.detections_per_img
    )
    return Found(counts, boxes[kept], score[kept], label[kept])


def _by_picture(found: Found) -> list[Tensor]:
    return list(torch.split(found.boxes, found.counts.tolist()))
