"""The last step of torchvision's presets, for whole batches on the device."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

__all__ = ["Normaliser"]


class Normaliser:
    """``(x / 255 - mean) / std`` by channel, in the order of torchvision's steps. Thread rule: share freely."""

    def __init__(self, mean: Sequence[float], std: Sequence[float], device: torch.device) -> None:
        """Mean and deviation by channel, in units of 255."""
        self._mean = torch.tensor(tuple(mean), device=device).view(3, 1, 1)
        self._std = torch.tensor(tuple(std), device=device).view(3, 1, 1)

    def __call__(self, batch: Tensor) -> Tensor:
        """From ``(..., h, w, 3)`` uint8 to ``(..., 3, h, w)`` float32, channels last in memory: no copy but one."""
        return batch.movedim(-1, -3).float().div_(255.0).sub_(self._mean).div_(self._std)
