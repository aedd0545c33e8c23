"""Bilinear resampling of a batch on its device, equal to torch's but reading only the pixels it needs."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

__all__ = ["PickedResampler"]


class PickedResampler:
    """From ``(n, H, W, 3)`` uint8 to ``(n, 3, h, w)`` float32, as ``interpolate`` with ``mode="bilinear",
    align_corners=False, antialias=False`` makes it of the pixels that ``steps`` gives.

    Shrinking reads at most four pixels for each one it makes; ``steps`` works on those alone. The weights are torch's
    float32; sums may differ in the last bit.

    Thread rule: share freely.
    """

    def __init__(self, source: tuple[int, int], target: tuple[int, int], device: torch.device) -> None:
        """Sizes as ``(height, width)``."""
        self._rows, self._down = _taps(source[0], target[0], device)
        self._columns, self._across = _taps(source[1], target[1], device)

    def __call__(self, pictures: Tensor, steps: Callable[[Tensor], Tensor]) -> Tensor:
        """Resample; ``steps``: from ``(n, 3, h, w)`` uint8 to float32, pixel by pixel."""
        picked = pictures[
            :, self._rows[:, None], self._columns
        ]  # the first taps, then the second, on both axes
        x = steps(picked.permute(0, 3, 1, 2))
        left, right = x.chunk(2, dim=3)
        x = left * (1 - self._across) + right * self._across
        above, below = x.chunk(2, dim=2)
        return above * (1 - self._down[:, None]) + below * self._down[:, None]


def _taps(source: int, target: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """``(2 * target,)`` positions, all first neighbours and then all second, and the weight of the second."""
    scale = torch.tensor(source) / torch.tensor(target)
    centre = (scale * (torch.arange(target) + 0.5) - 0.5).clamp_(min=0)
    first = centre.long().clamp_(max=source - 1)
    second = (first + 1).clamp_(max=source - 1)
    weight = (centre - first).clamp_(max=1)
    return torch.cat([first, second]).to(device), weight.to(device)
