"""From a few measured pieces to what the whole archive will take, and how sure that is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["CONFIDENCE", "Estimate", "Expected", "Piece", "expect"]

CONFIDENCE = 0.9
"""Share of the resampled totals that an interval holds."""
_RESAMPLED = 2000


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of a file that was decoded and labelled as a run does it."""

    name: str
    frames: int
    """At least 1."""
    seconds: float
    """That decoding, the model and writing took."""
    opening: float
    """Seconds until the first frame."""
    written: int
    """Bytes of its outputs."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A total, and between what it most likely lies."""

    value: float
    low: float | None
    """``None`` with one piece: nothing is known of how they differ."""
    high: float | None

    def times(self, factor: float) -> Estimate:
        """In another unit."""
        scaled = [None if x is None else x * factor for x in (self.low, self.high)]
        return Estimate(self.value * factor, scaled[0], scaled[1])


@dataclass(frozen=True, slots=True)
class Expected:
    """What a run over the archive is expected to take."""

    seconds: Estimate
    written: Estimate
    """Bytes."""
    pieces: int
    frames: int
    """That were measured."""


def expect(
    pieces: Sequence[Piece], files: int, frames: int, *, written: int | None = None, seed: int = 0
) -> Expected | None:
    """Scale up to ``files`` files with ``frames`` frames together; ``None`` without pieces.

    Outputs are those of ``written`` frames, where that is another number: duplicates have outputs, and may be labelled
    but once.

    The pieces must have been drawn with chances in proportion to frames, with replacement: then the mean of what a
    frame took in each, times all frames, is an unbiased total (Hansen and Hurwitz, 1943). The interval is the
    percentile bootstrap's (Efron, 1979) over the pieces. It knows of differences between the pieces, and of nothing
    else: not of a machine that will be busier, nor of headers that lie about their frames.
    """
    if not pieces:
        return None
    each = np.array([(p.seconds / p.frames, p.opening, p.written / p.frames) for p in pieces])
    means = np.vstack([each.mean(axis=0), _resampled(each, seed)])
    seconds = means[:, 0] * frames + means[:, 1] * files
    outputs = means[:, 2] * (frames if written is None else written)
    several = len(pieces) > 1
    return Expected(
        _estimate(seconds, several), _estimate(outputs, several), len(pieces), sum(p.frames for p in pieces)
    )


def _resampled(each: NDArray[np.float64], seed: int) -> NDArray[np.float64]:
    chosen = np.random.default_rng(seed).integers(len(each), size=(_RESAMPLED, len(each)))
    means: NDArray[np.float64] = each[chosen].mean(axis=1)
    return means


def _estimate(totals: NDArray[np.float64], several: bool) -> Estimate:
    """The first is the total, the others are those of the resampled pieces."""
    if not several:
        return Estimate(float(totals[0]), None, None)
    low, high = np.quantile(totals[1:], [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return Estimate(float(totals[0]), float(low), float(high))
