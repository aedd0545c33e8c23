"""Weighted sums in exactly the float32 steps of torch's antialiased resampling, for the few values that need it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["SumsInOrder"]

GROUP = 4
"""Products that are formed at once where compilers vectorise torch's loop over a window."""


class SumsInOrder:
    """Sums over the windows along one side of a picture, as that loop does them.

    Behind the first, products are rounded and then added, as long as there is a full group of them; those left over
    are added by fused multiply-adds. (x86 with AVX2 or AVX-512.)

    Thread rule: share freely; it holds nothing that changes.
    """

    def __init__(self, starts: NDArray[np.int64], weights: NDArray[np.float32]) -> None:
        """``weights``: ``(n, k)``, zeros behind the end of a shorter window; window ``i`` begins at ``starts[i]``."""
        length = np.count_nonzero(weights, axis=1)
        self._grouped = length - (length - 1) % GROUP
        self._tap = np.arange(weights.shape[1])
        self._in_group = (self._tap < self._grouped[:, None]).astype(np.float32)
        self._weights = weights.astype(np.float64)
        self._starts = starts
        self._last = int((starts + length).max()) - 1

    def taps(self, which: NDArray[np.int64]) -> NDArray[np.int64]:
        """``(k, m)``: the positions that windows ``which`` ``(m,)`` read; repeated behind the end of one."""
        taps: NDArray[np.int64] = np.minimum(self._starts[which] + self._tap[:, None], self._last)
        return taps

    def __call__(self, values: NDArray[Any], which: NDArray[np.int64]) -> NDArray[np.float32]:
        """``(m,)`` or ``(m, r)`` sums of windows ``which``, whose inputs are ``values`` ``(k, m)`` or ``(k, m, r)``."""
        shape = (len(self._tap), len(which)) + (1,) * (values.ndim - 2)
        products = values * self._weights[which].T.reshape(shape)  # exact: of two float32
        rounded = products.astype(np.float32) * self._in_group[which].T.reshape(shape)
        total: NDArray[np.float32] = rounded[0]
        for product in rounded[1:]:
            total += product
        for extra in range(GROUP - 1):
            tap = self._grouped[which] + extra
            there = (tap < len(products)).reshape(shape[1:])
            left = products[np.minimum(tap, len(products) - 1), np.arange(len(which))] * there
            total = (left + total).astype(np.float32)
        return total
