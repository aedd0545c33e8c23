"""From the logits of a classifier to its best classes."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from vidinfer.detections import Classes
from vidinfer.errors import ModelError

__all__ = ["TopClasses"]


class TopClasses:
    """The ``top_k`` best of the classes that may be reported, by softmax over all. Thread rule: share freely."""

    def __init__(
        self, categories: tuple[str, ...], top_k: int, allowed: tuple[int, ...] | None, device: torch.device
    ) -> None:
        """``allowed``: labels that may be reported; ``None``: all."""
        self._classes = len(categories)
        self._allowed = None if allowed is None else torch.tensor(allowed, device=device)
        self._top_k = min(top_k, len(categories) if allowed is None else len(allowed))

    def __call__(self, logits: Any, n: int) -> Classes:
        """The classes of ``n`` rows.

        Raises:
            ModelError: ``logits`` is not ``(n, classes)``.
        """
        if not isinstance(logits, Tensor) or logits.shape != (n, self._classes):
            got = tuple(logits.shape) if isinstance(logits, Tensor) else type(logits).__name__
            raise ModelError(
                f"the classifier gave {got} for a batch of {n}, expected ({n}, {self._classes}): one score per class"
            )
        probabilities = logits.float().softmax(dim=1)
        if self._allowed is not None:
            probabilities = probabilities[:, self._allowed]
        scores, labels = probabilities.topk(self._top_k, dim=1)
        if self._allowed is not None:
            labels = self._allowed[labels]
        return Classes(labels.cpu().numpy().astype(np.int64), scores.cpu().numpy())
