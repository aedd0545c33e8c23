"""The service time of a batch, l(n) = a·n + b, measured, and what follows from it: which backend, which batch size."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

__all__ = [
    "ENOUGH",
    "Curve",
    "Effort",
    "Service",
    "Timed",
    "Within",
    "cameras",
    "fastest",
    "fit",
    "largest_within",
    "smallest_enough",
    "sustained",
    "within",
]

ENOUGH = 0.95
"""Share of the best throughput for which a smaller batch is taken: less memory, and the first label comes sooner."""
STRAIGHT = 0.95
"""R² from which the line is trusted between the sizes that were measured."""


@dataclass(frozen=True, slots=True)
class Effort:
    """How much to measure."""

    sizes: tuple[int, ...]
    """Batch sizes, ascending."""
    seconds: float
    """For each figure, about."""
    longest: float = 2.0
    """Seconds: no batch that would take longer is tried, but for the first."""


@dataclass(frozen=True, slots=True)
class Service:
    """A straight line through the measured times."""

    marginal: float
    """Milliseconds that each frame adds: a."""
    fixed: float
    """Milliseconds that each batch costs whatever its size: b. Below 0 where larger batches grow ever slower."""
    quality: float | None
    """R², at most 1; ``None`` for less than three points, which say nothing of it."""

    def milliseconds(self, frames: float) -> float:
        """l(n)."""
        return self.marginal * frames + self.fixed

    @property
    def half(self) -> float:
        """b/a: the batch size that reaches half of the throughput of endless batches."""
        return math.inf if self.marginal <= 0 else max(0.0, self.fixed) / self.marginal

    def as_dict(self) -> dict[str, float | None]:
        """For JSON."""
        quality = None if self.quality is None else round(self.quality, 5)
        return {"a_ms": round(self.marginal, 4), "b_ms": round(self.fixed, 4), "r_squared": quality}


@dataclass(frozen=True, slots=True)
class Timed:
    """One batch size, measured."""

    frames: int
    milliseconds: float
    """From submitting a batch to its results, while no other is on its way: the median."""
    frames_per_second: float
    """With as many batches on their way as the backend wants."""


@dataclass(frozen=True, slots=True)
class Curve:
    """One way of running a model, at every batch size that was tried."""

    backend: str
    precision: str
    timed: tuple[Timed, ...] = ()
    """By size, ascending."""
    exact: bool = False
    """It labels the frames as the reference does: a run may use it."""
    parity: str = ""
    """How far it is from the reference, in words."""
    failure: str = ""
    """Why nothing was measured."""
    in_flight: int = 1
    """Batches on their way at one time in a run."""
    stopped: str = ""
    """Why larger batches were not measured."""

    @property
    def name(self) -> str:
        """``openvino bf16``."""
        return f"{self.backend} {self.precision}"

    @property
    def best(self) -> float:
        """Most frames a second at any size; 0 where nothing was measured."""
        return max((one.frames_per_second for one in self.timed), default=0.0)

    @property
    def service(self) -> Service | None:
        """``None`` where nothing was measured."""
        return fit([(one.frames, one.milliseconds) for one in self.timed]) if self.timed else None

    @property
    def batch_size(self) -> int:
        """The smallest with ``ENOUGH`` of the best throughput."""
        return smallest_enough({one.frames: one.frames_per_second for one in self.timed})

    def at(self, frames: int) -> Timed | None:
        """What was measured at this size."""
        return next((one for one in self.timed if one.frames == frames), None)


@dataclass(frozen=True, slots=True)
class Within:
    """The largest batch that keeps to a budget."""

    budget: float
    """Milliseconds."""
    curve: Curve
    frames: int
    milliseconds: float

    @property
    def frames_per_second(self) -> float:
        """One batch after the other."""
        return 1000 * self.frames / self.milliseconds


def fit(points: Sequence[tuple[float, float]]) -> Service:
    """The line through ``(n, milliseconds)`` with the least squares.

    One point gives the line through it and the origin.

    Raises:
        ValueError: no points, or several of one size only.
    """
    if not points:
        raise ValueError("no points to fit a line through")
    sizes, times = np.asarray(points, np.float64).T
    if len(points) == 1:
        return Service(float(times[0] / sizes[0]), 0.0, None)
    x, y = sizes - sizes.mean(), times - times.mean()
    if not (x @ x):
        raise ValueError(f"{len(points)} points of one size, {sizes[0]:g}")
    a = float(x @ y / (x @ x))
    b = float(times.mean() - a * sizes.mean())
    if len(points) == 2:
        return Service(a, b, None)
    total, rest = float(y @ y), float(((times - a * sizes - b) ** 2).sum())
    return Service(a, b, 1 - rest / total if total > 0 else 1.0)


def smallest_enough(rates: Mapping[int, float], share: float = ENOUGH) -> int:
    """The smallest key with at least ``share`` of the best rate.

    Raises:
        ValueError: no rates.
    """
    enough = share * max(rates.values())
    return min(key for key, rate in rates.items() if rate >= enough)


def fastest(curves: Sequence[Curve]) -> Curve | None:
    """The one with the most frames a second of those that label as the reference does."""
    exact = [one for one in curves if one.exact and one.timed]
    return max(exact, key=lambda one: one.best, default=None)


def largest_within(curve: Curve, budget: float) -> int:
    """The largest batch that takes at most ``budget`` milliseconds; 0 if none does.

    Between the sizes that were measured the line decides, where it is straight; it never contradicts a measurement, and
    nothing is said beyond the largest size.
    """
    fits = max((one.frames for one in curve.timed if one.milliseconds <= budget), default=0)
    over = min((one.frames for one in curve.timed if one.frames > fits), default=fits + 1)
    line = curve.service
    if not fits or line is None or (line.quality or 0.0) < STRAIGHT or line.marginal <= 0:
        return fits
    return min(max(fits, math.floor((budget - line.fixed) / line.marginal)), over - 1)


def within(curves: Sequence[Curve], budget: float) -> Within | None:
    """The exact one that does most in batches of at most ``budget`` milliseconds; ``None``: one frame takes longer."""
    found = []
    for curve in curves:
        frames = largest_within(curve, budget) if curve.exact else 0
        if frames:
            found.append(Within(budget, curve, frames, _time_of(curve, frames, budget)))
    return max(found, key=lambda one: one.frames_per_second, default=None)


def _time_of(curve: Curve, frames: int, budget: float) -> float:
    """As measured; between two sizes by the line, which may not leave what the smaller one took and the budget."""
    below = max(one.milliseconds for one in curve.timed if one.frames <= frames)
    line = curve.service
    if line is None or curve.at(frames) is not None:
        return below
    return max(below, min(line.milliseconds(frames), budget))


def sustained(service: Service, budget: float) -> float:
    """Frames a second, arriving evenly spread, of which each has its label within ``budget`` milliseconds.

    Whatever has arrived goes to the model as soon as it is free. At ``f`` frames a millisecond batches then settle at
    n = f·b / (1 - f·a), and no frame waits longer than for one batch before its own, 2·l(n) = 2·b / (1 - f·a).
    """
    a, b = service.marginal, max(0.0, service.fixed)
    if 2 * (a + b) > budget:
        return 0.0
    return math.inf if a <= 0 else 1000 * (1 - 2 * b / budget) / a


def cameras(rate: float, service: Service, budget: float, fps: float) -> int:
    """Cameras at ``fps`` frames a second that get each label within ``budget`` milliseconds.

    Args:
        rate: frames a second that decoding and the model do together.
    """
    many = math.floor(min(rate, sustained(service, budget)) / fps)
    # A single camera never finds the model busy, if that is done before the next frame.
    alone = service.milliseconds(1) <= min(budget, 1000 / fps) and rate >= fps
    return max(many, int(alone))
