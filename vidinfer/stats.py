"""The ledger (what became of every frame) and the time each stage spent working."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from vidinfer.clock import Clock

__all__ = ["Ledger", "LedgerSnapshot", "StageTimes", "ledger_of", "together"]


@dataclass(frozen=True, slots=True)
class LedgerSnapshot:
    """The counts at one moment. Once a run has ended, :meth:`balanced` holds."""

    decoded: int
    """Frames that came out of the decoder, or that it was right to pass over as the sampling leaves them out."""
    labelled: int
    skipped: dict[str, int]
    """Left out knowingly, by reason (``sampling``, ``range``, ``limit``, ``interrupted``)."""
    dropped: dict[str, int]
    """Left out under load, by reason. Always empty offline."""
    corrupt: int
    """Damaged pixels, not shown to the model."""
    failed: int
    """The model raised on them."""
    gaps: int
    """Stretches that could not be decoded (not frames, so not part of the sum)."""
    packets_lost: int
    """Compressed packets inside those stretches."""
    propagated: int = 0
    """Of those labelled: with the results of a frame that they look like."""

    @property
    def accounted(self) -> int:
        """Frames with an outcome."""
        return (
            self.labelled
            + sum(self.skipped.values())
            + sum(self.dropped.values())
            + self.corrupt
            + self.failed
        )

    @property
    def balanced(self) -> bool:
        """decoded = labelled + skipped + dropped + corrupt + failed."""
        return self.decoded == self.accounted

    def as_dict(self) -> dict[str, object]:
        """As written to ``run.json``; the usual reasons are present even when zero."""
        return {
            "decoded": self.decoded,
            "labelled": self.labelled,
            "skipped": {"sampling": 0} | self.skipped,
            "dropped": {"stale": 0, "queue_full": 0} | self.dropped,
            "corrupt": self.corrupt,
            "failed": self.failed,
            "gaps": self.gaps,
            "packets_lost": self.packets_lost,
            **({"propagated": self.propagated} if self.propagated else {}),
        }


def ledger_of(counts: Mapping[str, Any]) -> LedgerSnapshot:
    """The snapshot that ``as_dict`` gave."""
    fields = {name: counts.get(name, 0) for name in LedgerSnapshot.__dataclass_fields__}
    for reasons in ("skipped", "dropped"):
        fields[reasons] = {reason: n for reason, n in fields[reasons].items() if n}
    return LedgerSnapshot(**fields)


def together(ledgers: Iterable[LedgerSnapshot]) -> LedgerSnapshot:
    """The sums of several sources."""
    all_of_them = tuple(ledgers)
    skipped, dropped = Counter[str](), Counter[str]()
    for one in all_of_them:
        skipped.update(one.skipped)
        dropped.update(one.dropped)

    def total(what: str) -> int:
        return sum(getattr(one, what) for one in all_of_them)

    return LedgerSnapshot(
        decoded=total("decoded"),
        labelled=total("labelled"),
        skipped=dict(skipped),
        dropped=dict(dropped),
        corrupt=total("corrupt"),
        failed=total("failed"),
        gaps=total("gaps"),
        packets_lost=total("packets_lost"),
        propagated=total("propagated"),
    )


class Ledger:
    """Counts every frame once when it is decoded and once when its outcome is known.

    Thread rule: share freely.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()
        self._skipped: Counter[str] = Counter()
        self._dropped: Counter[str] = Counter()

    def add(self, what: str, n: int = 1) -> None:
        """Count ``n`` of anything but ``skipped`` and ``dropped``: see :class:`LedgerSnapshot`."""
        if what not in LedgerSnapshot.__dataclass_fields__ or what in ("skipped", "dropped"):
            raise ValueError(f"no such count: {what!r}")
        with self._lock:
            self._counts[what] += n

    def skip(self, reason: str, n: int = 1) -> None:
        """Count frames left out knowingly."""
        with self._lock:
            self._skipped[reason] += n

    def drop(self, reason: str, n: int = 1) -> None:
        """Count frames left out under load."""
        with self._lock:
            self._dropped[reason] += n

    def settle(self, reason: str) -> None:
        """Frames that were decoded but whose outcome will never come (the run was given up) are skipped."""
        missing = (snapshot := self.snapshot()).decoded - snapshot.accounted
        if missing:
            self.skip(reason, missing)

    def snapshot(self) -> LedgerSnapshot:
        """All counts at one moment."""
        with self._lock:
            c = self._counts
            return LedgerSnapshot(
                decoded=c["decoded"],
                labelled=c["labelled"],
                skipped=dict(self._skipped),
                dropped=dict(self._dropped),
                corrupt=c["corrupt"],
                failed=c["failed"],
                gaps=c["gaps"],
                packets_lost=c["packets_lost"],
                propagated=c["propagated"],
            )


class StageTimes:
    """Seconds each stage spent working, waits excluded. Thread rule: one stage name per thread."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._busy: dict[str, float] = {}

    @contextmanager
    def busy(self, stage: str) -> Iterator[None]:
        """Count the time inside the block as work of ``stage``."""
        start = self._clock.now()
        try:
            yield
        finally:
            self._busy[stage] = self._busy.get(stage, 0.0) + self._clock.now() - start

    def seconds(self) -> dict[str, float]:
        """Busy seconds by stage, in order of first use."""
        return dict(self._busy)
