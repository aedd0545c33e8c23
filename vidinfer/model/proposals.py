"""Proposals of the two-stage detectors, vectorised over the batch.

torchvision decodes every anchor and then loops over the images. Here the best of each level are chosen first, and
only those are decoded: the same proposals in the same order, as the regions cut out for them decide all that follows.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torchvision.models.detection._utils import BoxCoder
from torchvision.models.detection.image_list import ImageList
from torchvision.models.detection.rpn import RegionProposalNetwork
from torchvision.ops import clip_boxes_to_image

from vidinfer.model.nms import survivors

__all__ = ["propose_together", "too_small"]


def propose_together(network: nn.Module) -> bool:
    """Give a region proposal network of torchvision the vectorised way, for pictures all of one size.

    Returns:
        Whether ``network`` is one; a class with a way of its own is left as it is.
    """
    kind, own = type(network), RegionProposalNetwork
    if not isinstance(network, own) or not isinstance(network.box_coder, BoxCoder):
        return False
    steps = ("forward", "filter_proposals", "_get_top_n_idx")
    if any(getattr(kind, name) is not getattr(own, name) for name in steps):
        return False
    if type(network.box_coder).decode is not BoxCoder.decode:
        return False
    network.forward = _forward.__get__(network)
    return True


def too_small(boxes: Tensor, least: float) -> Tensor:
    """``(m,)``: a side of the box is shorter than ``least``. NaN is not, so that somebody notices."""
    return (boxes[:, 2:] - boxes[:, :2] < least).any(dim=1)


def _forward(
    self: Any, images: ImageList, features: dict[str, Tensor], _targets: None = None
) -> tuple[list[Tensor], dict[str, Tensor]]:
    maps = list(features.values())
    objectness, deltas = self.head(maps)
    anchors = self.anchor_generator(images, maps)[0]
    scores, codes, places, level = _best_of_levels(objectness, deltas, anchors, self.pre_nms_top_n())
    count, candidates = scores.shape
    boxes = self.box_coder.decode_single(codes.flatten(0, 1), places.flatten(0, 1))
    boxes = clip_boxes_to_image(boxes, images.image_sizes[0])
    scores = scores.flatten().sigmoid()
    row = (too_small(boxes, self.min_size) | (scores < self.score_thresh)).logical_not_().nonzero()[:, 0]
    image = row.div(candidates, rounding_mode="floor")
    boxes = boxes[row]
    kept, counts = survivors(
        boxes,
        scores[row],
        image,
        level[row - image * candidates],
        images=count,
        iou=self.nms_thresh,
        limit=self.post_nms_top_n(),
    )
    return list(torch.split(boxes[kept], counts.tolist())), {}


def _best_of_levels(
    objectness: list[Tensor], deltas: list[Tensor], anchors: Tensor, limit: int
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The ``limit`` best anchors of each level of each picture.

    Args:
        objectness: ``(n, a, h, w)`` of each level.
        deltas: ``(n, 4 * a, h, w)`` of each level.
        anchors: ``(all, 4)``, level by level, in each by h, w, a.
        limit: at least 1.

    Returns:
        Logits ``(n, k)``, deltas ``(n, k, 4)``, anchors ``(n, k, 4)`` and level ``(k,)``.
    """
    scores, codes, places, levels, start = [], [], [], [], 0
    image = torch.arange(len(objectness[0]), device=anchors.device)[:, None]
    for i, (logits, moves) in enumerate(zip(objectness, deltas, strict=True)):
        kinds = logits.shape[1]
        flat = logits.permute(0, 2, 3, 1).flatten(1)
        best = flat.topk(min(limit, flat.shape[1]), dim=1)
        place = best.indices.div(kinds, rounding_mode="floor")
        scores.append(best.values)
        codes.append(
            torch.unflatten(moves, 1, (kinds, 4)).flatten(3)[image, best.indices - place * kinds, :, place]
        )
        places.append(anchors[best.indices + start])
        levels.append(torch.full((best.indices.shape[1],), i, device=anchors.device))
        start += flat.shape[1]
    return torch.cat(scores, 1), torch.cat(codes, 1), torch.cat(places, 1), torch.cat(levels)
