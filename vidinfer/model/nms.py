"""Choosing among candidate boxes of a whole batch at once."""

from __future__ import annotations

import torch
from torch import Tensor
from torchvision.ops import batched_nms, nms

from vidinfer.errors import ModelError

__all__ = ["best_of_each", "best_of_runs", "survivors"]

BLURRED = 1000
"""Up to so many boxes torchvision suppresses all groups of a picture in one go on a CPU, moving them apart."""


def best_of_each(groups: Tensor, scores: Tensor, limit: int, count: int) -> Tensor:
    """Indices of the ``limit`` best of every group, group by group, best first.

    On a CPU equal scores come in the order in which torchvision has them, that of its ``topk``.

    Args:
        groups: ``(m,)`` int64, from 0 to ``count`` - 1.
        scores: ``(m,)``; NaN counts as the best.
        limit: at least 0.
        count: of groups.
    """
    if groups.device.type != "cpu":
        return _ranked(groups, scores, limit, count)
    order = groups.argsort(stable=True)
    sizes = torch.bincount(groups, minlength=count).tolist()
    return order[best_of_runs(scores[order], sizes, limit)]


def best_of_runs(scores: Tensor, sizes: list[int], limit: int) -> Tensor:
    """The same for groups that lie one after the other, of ``sizes`` members."""
    kept, start = [], 0
    for size in sizes:
        if size:
            kept.append(scores[start : start + size].topk(min(limit, size)).indices + start)
        start += size
    return torch.cat(kept) if kept else torch.empty(0, dtype=torch.int64, device=scores.device)


def _ranked(groups: Tensor, scores: Tensor, limit: int, count: int) -> Tensor:
    """As ``best_of_each``, without asking the device for the size of every group."""
    by_score = scores.argsort(descending=True, stable=True)
    order = by_score[groups[by_score].argsort(stable=True)]
    if len(order) <= limit:
        return order
    sizes = _sizes(groups, count)
    starts = sizes.cumsum(0) - sizes
    rank = torch.arange(len(order), device=groups.device) - starts[groups[order]]
    return order[rank < limit]


def survivors(
    boxes: Tensor, scores: Tensor, image: Tensor, groups: Tensor, *, images: int, iou: float, limit: int
) -> tuple[Tensor, Tensor]:
    """Greedy non-maximum suppression within each group of each picture, then the ``limit`` best of each picture.

    On a CPU to the bit what ``batched_nms`` of torchvision gives for each picture alone.

    Args:
        boxes: ``(m, 4)``, inside their picture.
        scores: ``(m,)``.
        image: ``(m,)`` int64, from 0 to ``images`` - 1, ascending.
        groups: ``(m,)`` int64, not negative: boxes of different groups leave each other alone.
        images: pictures in the batch.
        iou: boxes that overlap by more are suppressed.
        limit: boxes of each picture, at most.

    Returns:
        The indices of what is kept, picture by picture, best first; and how many each picture has, ``(images,)``.

    Raises:
        ModelError: a box or a score is NaN.
    """
    if bool((boxes.sum() + scores.sum()).isnan()):
        raise ModelError(
            "the network gave boxes or scores that are not numbers (NaN): its weights are damaged, "
            "or do not suit this precision"
        )
    if boxes.device.type != "cpu":
        return _all_at_once(boxes, scores, image, groups, images, iou, limit)
    moved = _moved_apart(boxes, image, groups, images)
    kept, counts, start = [], [], 0
    for size in torch.bincount(image, minlength=images).tolist():
        end = start + size
        if size > BLURRED:
            chosen = _best_first(boxes[start:end], scores[start:end], groups[start:end], iou, limit)
        else:
            chosen = nms(moved[start:end], scores[start:end], iou)[:limit]
        kept.append(chosen + start)
        counts.append(len(chosen))
        start = end
    return torch.cat(kept), torch.tensor(counts)


def _moved_apart(boxes: Tensor, image: Tensor, groups: Tensor, images: int) -> Tensor:
    """Each group in a place of its own, as far apart as torchvision moves them: its rounding decides close cases."""
    highest = boxes.new_zeros(images).scatter_reduce_(0, image, boxes.amax(dim=1), "amax")
    return boxes + (groups.to(boxes) * (highest + 1)[image])[:, None]


def _best_first(boxes: Tensor, scores: Tensor, groups: Tensor, iou: float, limit: int) -> Tensor:
    """Of one picture: indices of the ``limit`` best that are kept.

    What is worse never suppresses what is better, so where a few are asked of many, the best alone are looked at.
    Equal scores may come in another order then.
    """
    looked_at = max(4 * limit, 1)
    while looked_at * 2 <= len(scores):
        best = scores.topk(looked_at).indices.sort().values
        kept = _group_by_group(boxes[best], scores[best], groups[best], iou)
        if len(kept) >= limit:
            return best[kept[:limit]]
        looked_at *= 4
    return _group_by_group(boxes, scores, groups, iou)[:limit]


def _group_by_group(boxes: Tensor, scores: Tensor, groups: Tensor, iou: float) -> Tensor:
    """Of one picture: indices of what is kept, best first."""
    order = groups.argsort(stable=True)
    boxes, ranked = boxes[order], scores[order]
    kept, start = [], 0
    for size in torch.bincount(groups).tolist():
        if size:
            kept.append(nms(boxes[start : start + size], ranked[start : start + size], iou) + start)
        start += size
    chosen = order[torch.cat(kept)].sort().values
    return chosen[scores[chosen].sort(descending=True).indices]  # not stable: as torchvision does it


def _all_at_once(
    boxes: Tensor, scores: Tensor, image: Tensor, groups: Tensor, images: int, iou: float, limit: int
) -> tuple[Tensor, Tensor]:
    """One suppression for the batch, as each waits for the device.

    In double precision: moving the groups of a whole batch apart would blur the boxes in single precision.
    """
    apart = image + groups * images
    kept = batched_nms(boxes.double(), scores.double(), apart, iou)
    kept = kept[_ranked(image[kept], scores[kept], limit, images)]
    return kept, _sizes(image[kept], images)


def _sizes(groups: Tensor, count: int) -> Tensor:
    """``(count,)``: members of each group; unlike ``bincount`` it does not wait for the device."""
    return groups.new_zeros(count).scatter_add_(0, groups, torch.ones_like(groups))
