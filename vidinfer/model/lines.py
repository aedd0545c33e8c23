"""Weighted sums of neighbouring lines of pixels, many at once."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import embedding_bag

__all__ = ["ByteLines", "LineSums"]

_SUM: Any = getattr(torch.ops.quantized, "embedding_bag_byte_rowwise_offsets", None)
"""Sums lines of bytes without a float32 copy of them. What it is made for, bags of words, is the same sum."""
_TAIL = np.array([1.0, 0.0], np.float32).view(np.uint8)
"""What that sum expects behind each line: a factor and an offset, float32."""


class ByteLines(threading.local):
    """Room for ``count`` lines of ``width`` bytes, as :meth:`LineSums.of_bytes` wants them.

    Thread rule: share freely; each thread has a room of its own.
    """

    def __init__(self, count: int, width: int) -> None:
        self._room = np.empty((count, width + len(_TAIL)), np.uint8)
        self._room[:, width:] = _TAIL
        self._tensor = torch.from_numpy(self._room)
        self._width = width

    def put(self, lines: NDArray[np.uint8]) -> Tensor:
        """Copy ``lines``; good until the next call on this thread."""
        self._room[: len(lines), : self._width] = lines
        return self._tensor[: len(lines)]


class LineSums:
    """Each result ``i`` is the sum of ``weights[i, k] * lines[starts[i] + k]``, one fused multiply-add after the other.

    Thread rule: share freely; it holds nothing that changes.
    """

    def __init__(
        self, starts: NDArray[np.int64], weights: NDArray[np.float32], *, fused: bool = _SUM is not None
    ) -> None:
        """``weights``: ``(n, k)``, zeros where a sum has fewer lines; ``fused``: bytes are not converted first."""
        there = weights != 0
        lines = (starts[:, None] + np.arange(weights.shape[1]))[there]
        self._lines = torch.from_numpy(lines.astype(np.int64))
        self._first = torch.from_numpy(np.cumsum(there.sum(axis=1)) - there.sum(axis=1))
        self._weights = torch.from_numpy(weights[there])
        self._fused = fused

    def of_bytes(self, lines: Tensor) -> Tensor:
        """``(n, width)`` float32 from what :meth:`ByteLines.put` gave."""
        if not self._fused:
            return self.of_floats(lines[:, : -len(_TAIL)].float())
        sums: Tensor = _SUM(lines, self._lines, self._first, per_sample_weights=self._weights)
        return sums

    def of_floats(self, lines: Tensor) -> Tensor:
        """``(n, width)`` float32 from ``(lines, width)`` float32."""
        return embedding_bag(self._lines, lines, self._first, mode="sum", per_sample_weights=self._weights)
