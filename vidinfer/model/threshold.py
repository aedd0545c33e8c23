"""Scores above a threshold, found without computing the others.

Nearly all anchors show background. The highest logit of each tells what its best score can be at most; only where that
is above the threshold are scores computed, with the same arithmetic as everywhere. NaN passes every threshold here, so
that somebody notices.
"""

from __future__ import annotations

from typing import TypeAlias

import torch
from torch import Tensor

__all__ = ["Passed", "centred_above", "sigmoid_above", "softmax_above"]

SLACK = 1e-5
"""Relative; more than the rounding of a softmax over thousands of classes."""

Passed: TypeAlias = tuple[Tensor, Tensor, Tensor]
"""Row, class and score of each score above the threshold, ``(m,)`` all, row by row."""


def softmax_above(logits: Tensor, threshold: float) -> Passed:
    """Of the softmax over ``(rows, classes)``; class 0 is the background, which takes part but never passes."""
    rows = _possible(torch.sigmoid(_highest(logits[:, 1:]).float() - logits[:, 0]), threshold)
    row, label, score = _passed(logits.index_select(0, rows).float().softmax(dim=1)[:, 1:], threshold)
    return rows[row], label + 1, score


def sigmoid_above(logits: Tensor, threshold: float) -> Passed:
    """Of the sigmoid of ``(rows, classes)``."""
    rows = _possible(_highest(logits).float().sigmoid_(), threshold)
    row, label, score = _passed(logits.index_select(0, rows).float().sigmoid_(), threshold)
    return rows[row], label, score


def centred_above(logits: Tensor, centre: Tensor, threshold: float) -> Passed:
    """Of ``sqrt(sigmoid(logits) * sigmoid(centre))``, ``(rows, classes)`` and ``(rows, 1)``."""
    centre = centre.float().sigmoid()
    best = _highest(logits).float().sigmoid_()
    rows = _possible(torch.sqrt(best * centre[:, 0]), threshold)
    scores = logits.index_select(0, rows).float().sigmoid_().mul_(centre.index_select(0, rows)).sqrt_()
    row, label, score = _passed(scores, threshold)
    return rows[row], label, score


def _possible(best: Tensor, threshold: float) -> Tensor:
    """Rows whose ``best`` score, known but for rounding, may be above ``threshold``."""
    return (best <= threshold * (1 - SLACK)).logical_not_().nonzero()[:, 0]


def _passed(scores: Tensor, threshold: float) -> Passed:
    row, label = (scores <= threshold).logical_not_().nonzero(as_tuple=True)
    return row, label, scores[row, label]


def _highest(values: Tensor) -> Tensor:
    """The maximum of each row; NaN where there is one.

    On a CPU torch takes the maximum of 32 neighbours at once and what is left over one by one: for 90 classes the 26
    left over cost twice as much as the others. So two windows that overlap.
    """
    width = values.shape[1]
    window = width // 32 * 32 or (width + 1) // 2
    if width < 8 or width > 128 or width == window or values.device.type != "cpu":
        return values.amax(dim=1)
    return torch.maximum(values[:, :window].amax(dim=1), values[:, -window:].amax(dim=1))
