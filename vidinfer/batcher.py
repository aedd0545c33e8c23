"""Stage 2: when does a batch close? A pure state machine: it is told the state and the time, and answers."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Decision", "Fill", "OfflineBatcher"]


@dataclass(frozen=True, slots=True)
class Fill:
    """The batch being filled."""

    entries: int
    """Entries in it."""
    capacity: int
    """Entries it can hold."""
    full: bool
    """Nothing more fits: no entry, or no place of the batch's memory."""
    ended: bool
    """No more will come."""
    oldest: float | None
    """When its first entry was committed, on the clock; ``None`` when empty."""


@dataclass(frozen=True, slots=True)
class Decision:
    """Close the batch now, or ask again: at the next change, and no later than ``wait_until``."""

    close: bool
    closed_by: str = ""
    """``full``, ``end``, ``delay``, ``deadline``, …"""
    wait_until: float | None = None
    """On the clock; ``None``: a change is the only reason to ask again."""


class OfflineBatcher:
    """Full batches, no timers: the composition depends on the order of the input and on nothing else."""

    def decide(self, fill: Fill, now: float) -> Decision:  # noqa: ARG002 - offline ignores the time
        """Close a batch that is full, and the last one at the end of the source."""
        if fill.full:
            return Decision(close=True, closed_by="full")
        if fill.ended and fill.entries > 0:
            return Decision(close=True, closed_by="end")
        return Decision(close=False)
