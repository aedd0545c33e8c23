"""How long a batch of n frames takes, learned while running: l(n) = a·n + b, and how far it strays."""

from __future__ import annotations

from collections.abc import Iterable

from vidinfer.scheduling.recent import Recent
from vidinfer.service import fit

__all__ = ["ServiceTimes"]

KEPT = 128
"""Batches of each size."""
ENOUGH = 8
"""Batches of a size from which their own median counts more than the line."""
ENOUGH_HIGH = 32
"""The same for their high quantile."""
SKIPPED = 2
"""First batches of a size: warm-up."""
HIGH = 0.99
USUAL = 0.8
"""Quantiles."""
UNKNOWN_SPREAD = 1.25
"""High quantile over median, before there is anything to tell it from."""
FORGOTTEN = 512
"""Batches after which a size that did not come again no longer counts: what it took may no longer be so, and would keep
it from ever being tried again."""


def _largest(seconds: list[float], budget: float, most: int) -> int:
    return next((n for n in range(most, 0, -1) if seconds[n] <= budget), 0)


class _Size:
    """What is known of one size."""

    __slots__ = ("last", "skip", "times")

    def __init__(self, skip: int) -> None:
        self.times = Recent(KEPT)
        self.skip = skip
        self.last = 0


class ServiceTimes:
    """Seconds by batch size, of one model and one shape. BentoML's dispatcher fits the same line; the quantiles are for
    models whose time depends on what they see (ORLOJ, arXiv 2209.00159).

    Memory: at most 128 numbers for each size that was ever run. Thread rule: one caller at a time.
    """

    def __init__(self) -> None:
        self._begin()

    def _begin(self) -> None:
        self._sizes: dict[int, _Size] = {}
        self._spread = Recent(2 * KEPT)
        self._observed = 0
        self._line: tuple[float, float] | None = None
        self._middle: list[float] = [0.0]
        self._usual: list[float] = [0.0]
        self._high: list[float] = [0.0]
        self._changed = False

    def seed(self, measured: Iterable[tuple[int, float]]) -> None:
        """``(frames, seconds)`` from a warmed-up model: these sizes need no warm-up any more."""
        for frames, seconds in measured:
            self._sizes.setdefault(frames, _Size(0)).skip = 0
            self._add(frames, seconds)

    def restart(self, measured: Iterable[tuple[int, float]]) -> None:
        """The model runs otherwise from now on: what was observed counts no more, but ``measured`` does."""
        self._begin()
        self.seed(measured)

    def observe(self, frames: int, seconds: float) -> None:
        """A batch was run.

        Raises:
            ValueError: no frames, or less than no time.
        """
        if frames < 1 or seconds < 0:
            raise ValueError(
                f"a batch has at least 1 frame and takes time, got {frames} frames in {seconds} s"
            )
        size = self._sizes.setdefault(frames, _Size(SKIPPED))
        if size.skip:
            size.skip -= 1
            return
        usual = self.predict(frames)
        if usual:
            self._spread.add(seconds / usual)
        self._add(frames, seconds)

    @property
    def line(self) -> tuple[float, float] | None:
        """a and b in seconds; ``None`` before anything was measured. b is 0 where only one size was."""
        if self._changed:
            self._refresh(len(self._middle) - 1)
        return self._line

    def predict(self, frames: int, high: bool = False) -> float | None:
        """Seconds for a batch of ``frames``: the median, or what 99 of 100 do not exceed; ``None``: not known yet."""
        table = self._high if high else self._middle
        if self._changed or frames >= len(table):
            self._refresh(max(frames, len(table) - 1))
            table = self._high if high else self._middle
        return table[frames] if self._line is not None else None

    def quantile(self, frames: int, share: float) -> float | None:
        """Seconds that ``share``, 0.5 to 1, of the batches of ``frames`` do not exceed; ``None``: not known."""
        middle = self.predict(frames)
        return middle if middle is None or share <= 0.5 else self._quantile(frames, share)

    def chance(self, frames: int, budget: float) -> float:
        """The share, 0 to 1, of batches of ``frames`` that take at most ``budget`` seconds; 1: nothing is known."""
        middle = self.predict(frames)
        if middle is None:
            return 1.0
        own = self._own(frames)
        if own is not None:
            return own.share_up_to(budget)
        if len(self._spread) < ENOUGH:
            return 1.0 if budget >= middle * UNKNOWN_SPREAD else 0.5 if budget >= middle else 0.0
        return self._spread.share_up_to(budget / middle)

    def _own(self, frames: int) -> Recent | None:
        """The times of this size, where there are enough to tell the rare ones."""
        size = self._sizes.get(frames)
        return size.times if size is not None and len(size.times) >= ENOUGH_HIGH else None

    def largest(self, budget: float, most: int) -> int | None:
        """Frames of the largest batch, up to ``most``, that hardly ever takes longer than ``budget`` seconds.

        0 if none does; ``None``: not known yet.
        """
        return None if self.predict(most) is None else _largest(self._high, budget, most)

    def largest_usually(self, budget: float, most: int) -> int | None:
        """The same for a batch that takes no longer in four of five cases."""
        return None if self.predict(most) is None else _largest(self._usual, budget, most)

    def _add(self, frames: int, seconds: float) -> None:
        self._observed += 1
        size = self._sizes[frames]
        size.times.add(seconds)
        size.last = self._observed
        self._changed = True

    def _refresh(self, most: int) -> None:
        """O(sizes + most), once for each batch that was run."""
        self._changed = False
        known = {n: size for n, size in self._sizes.items() if len(size.times)}
        for n, size in list(known.items()):
            if self._observed - size.last >= FORGOTTEN:
                del self._sizes[n], known[n]
        if not known:
            return
        medians = {n: size.times.quantile(0.5) for n, size in known.items()}
        points = [(n, m) for n, m in medians.items() for _ in range(min(ENOUGH, len(known[n].times)))]
        line = fit(points if len(known) > 1 else points[:1])
        a, b = line.marginal, line.fixed
        least = min(medians.values()) / 2  # a line through noise may go below 0
        self._line = a, b
        self._middle = [0.0]
        for n in range(1, most + 1):
            enough = n in known and len(known[n].times) >= ENOUGH
            self._middle.append(medians[n] if enough else max(least, a * n + b))
        self._usual = [0.0, *(self._quantile(n, USUAL) for n in range(1, most + 1))]
        self._high = [0.0, *(self._quantile(n, HIGH) for n in range(1, most + 1))]

    def _quantile(self, frames: int, share: float) -> float:
        """The table of medians is there."""
        own = self._own(frames)
        if own is not None:
            return own.quantile(share)
        known = len(self._spread) >= ENOUGH
        return self._middle[frames] * (max(1.0, self._spread.quantile(share)) if known else UNKNOWN_SPREAD)
