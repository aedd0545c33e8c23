"""Policies of other systems, to be compared with."""

from __future__ import annotations

from vidinfer.scheduling.arrivals import Activity
from vidinfer.scheduling.policies import Situation, Verdict

__all__ = ["Eager", "Rounds"]

SHORTEST, LONGEST = 0.002, 0.100


class Eager:
    """A free model takes whatever there is: Triton's default (``max_queue_delay_microseconds=0``)."""

    def verdict(self, situation: Situation, now: float) -> Verdict:  # noqa: ARG002
        """At once."""
        return Verdict("idle")


class Rounds:
    """Rate-matched rounds: a frame of every live stream, or as long as the fastest one's period leaves after the model.

    As Roboflow inference's ``AUTO`` (collection_policy.py), from the oldest frame on. Before it knows the period it
    waits for a fifth of the model's time, 2 to 30 ms.
    """

    def verdict(self, situation: Situation, now: float) -> Verdict:
        """``full`` or ``delay``."""
        group = situation.group
        live = [s for s in group.streams.values() if s.arrivals.activity(now) is Activity.ACTIVE]
        if all(stream.queue for stream in live):
            return Verdict("full")
        seconds = group.service.predict(group.frames) or 0.0
        periods = [s.arrivals.period for s in live if s.arrivals.period]
        window = min(max(0.2 * seconds, SHORTEST), 0.030)
        if periods:
            window = min(max(min(periods) - seconds, SHORTEST), LONGEST)
        until = group.oldest_queued() + window
        return Verdict("delay") if now >= until else Verdict(None, until)
