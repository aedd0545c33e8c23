"""What the scheduler is told and what it answers."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["QUEUE_FULL", "STALE", "Decision", "Dispatch", "Ticket"]

STALE = "stale"
"""Its label would have come too late, or it was too old to be worth one."""
QUEUE_FULL = "queue_full"
"""The oldest of a stream, for which there was no room any more."""


@dataclass(frozen=True, slots=True)
class Ticket:
    """A frame that waits for the model. Within a stream neither time ever goes back."""

    stream: int
    number: int
    """Names the frame within its stream; the scheduler only hands it back."""
    received: float
    """Monotonic seconds, right after its packet was read: what its latency counts from."""
    queued: float
    """Monotonic seconds, when it was ready for the model."""


@dataclass(frozen=True, slots=True)
class Dispatch:
    """A batch for the model."""

    tickets: tuple[Ticket, ...]
    """At least one; all of one shape; those of a stream in their order."""
    closed_by: str
    """``full``; ``idle``: the model was free and waiting would not have paid; ``lookahead``: what was waited for has
    come, or no longer pays; ``deadline``: the oldest frame could not wait any longer; ``delay``: ``max_queue_delay``;
    ``flush``: nothing more arrives."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do now."""

    dispatch: Dispatch | None = None
    dropped: tuple[tuple[Ticket, str], ...] = ()
    """With the reason of each."""
    wait_until: float | None = None
    """Ask again at each arrival, and then at the latest; ``None``: at the next arrival or when the batch is done."""
