"""Whether a live run does its work: for load balancers and watchdogs."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from vidinfer.status import LiveStatus, StreamState

__all__ = ["Health", "health"]

YOUNG = 30.0
"""Seconds that a run has to bring its first stream up."""


@dataclass(frozen=True, slots=True)
class Health:
    """No names, addresses or errors: it may be told without a token."""

    ok: bool
    why: str
    """One line."""
    uptime: float
    """Seconds."""
    streams: dict[str, int]
    """How many are in each state that occurs."""

    def as_dict(self) -> dict[str, object]:
        """For JSON."""
        status = "ok" if self.ok else "failing"
        return {"status": status, "why": self.why, "uptime": round(self.uptime, 3), "streams": self.streams}


def health(status: LiveStatus) -> Health:
    """Well while a stream is live, or the run is younger than 30 seconds."""
    states = Counter(stream.state.value for stream in status.streams)
    live, all_of_them = states[StreamState.LIVE.value], len(status.streams)
    if live:
        ok, why = True, f"{live} of {all_of_them} streams live"
    elif status.uptime < YOUNG:
        ok, why = True, f"no stream is live yet, {YOUNG - status.uptime:.0f} s are left for the first"
    else:
        ok, why = (
            False,
            "no stream is live: "
            + (", ".join(f"{n} {state}" for state, n in sorted(states.items())) or "there is none"),
        )
    return Health(ok, why, status.uptime, {state: n for state, n in sorted(states.items()) if n})
