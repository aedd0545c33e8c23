"""Choosing among candidate boxes of a whole batch at once."""

from __future__ import annotations

import torch
from torch import Tensor
from torchvision.ops import batched_nms

__all__ = ["best_of_each", "suppress"]


def best_of_each(groups: Tensor, scores: Tensor, limit: int) -> Tensor:
    """Indices of the ``limit`` best of every group, group by group, best first.

    Args:
        groups: ``(m,)`` int64, not negative.
        scores: ``(m,)``.
    """
    by_score = scores.argsort(descending=True, stable=True)
    order = by_score[groups[by_score].argsort(stable=True)]
    counts = torch.bincount(groups)
    starts = counts.cumsum(0) - counts
    rank = torch.arange(len(order), device=groups.device) - starts[groups[order]]
    return order[rank < limit]


def suppress(boxes: Tensor, scores: Tensor, groups: Tensor, iou: float) -> Tensor:
    """Indices of what greedy non-maximum suppression keeps, boxes of different groups left alone, best first.

    In double precision: torchvision keeps groups apart by moving each by a multiple of the picture's size, and in
    single precision that blurs the boxes of a large batch.
    """
    kept: Tensor = batched_nms(boxes.double(), scores.double(), groups, iou)
    return kept
