"""When a batch closes while the model is free: the policies that a person can choose."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from vidinfer.scheduling.lookahead import worth_waiting_for
from vidinfer.scheduling.settings import Settings
from vidinfer.scheduling.streams import Group

__all__ = ["Filling", "LookAhead", "Policy", "Situation", "Verdict", "Window", "policy_of"]

MARGIN = 0.001
"""Seconds that a batch is sent before the last moment: a thread does not wake up on the dot."""
TICK = 0.00025
"""Seconds: nothing is asked again sooner."""


class Verdict(NamedTuple):
    """Close the batch because of ``reason``; or, where there is none, ask again at ``until``."""

    reason: str | None
    until: float = math.inf


@dataclass(slots=True)
class Situation:
    """The frames of one group that could go now; fewer than ``places``."""

    settings: Settings
    group: Group
    places: int
    alone: bool
    """There is one stream only."""
    contested: bool
    """Another group has frames waiting."""
    oldest: float
    """When the oldest frame waiting was received."""

    def latest(self, frames: int) -> float:
        """Last moment to send a batch of so many, for the oldest frame to have its label in time."""
        slo = self.settings.latency_slo
        if slo is None:
            return math.inf
        return self.oldest + slo - (self.group.service.predict(frames, high=True) or 0.0) - MARGIN

    def limit(self) -> Verdict:
        """Until when the frames may wait at most, and why not longer."""
        delay = self.group.oldest_queued() + self.settings.max_queue_delay
        deadline = self.latest(self.group.frames)
        return Verdict("deadline", deadline) if deadline < delay else Verdict("delay", delay)


class Policy(Protocol):
    """Pure: asked under a lock for every frame that comes while the model is free."""

    def verdict(self, situation: Situation, now: float) -> Verdict:
        """Close now, or wait."""
        ...


class Window:
    """Wait for a full batch as long as it is allowed, whatever comes: ``fixed``."""

    def verdict(self, situation: Situation, now: float) -> Verdict:
        """``delay`` or ``deadline``."""
        limit = situation.limit()
        return Verdict(limit.reason) if now >= limit.until else Verdict(None, limit.until)


class Filling:
    """The same, but not in vain: it goes at once where nobody is expected before that: ``throughput``."""

    def verdict(self, situation: Situation, now: float) -> Verdict:
        """``lookahead``, ``delay`` or ``deadline``."""
        limit = situation.limit()
        if now >= limit.until:
            return Verdict(limit.reason)
        group = situation.group
        if not group.unpredictable(now) and not group.expected(now, limit.until):
            return Verdict("lookahead")
        return Verdict(None, limit.until)


class LookAhead:
    """Wait only for predicted arrivals that make the largest latency smaller: ``latency``.

    With one stream nothing is ever waited for; nor while another group could use the model.
    """

    def verdict(self, situation: Situation, now: float) -> Verdict:
        """``lookahead``, ``delay`` or ``deadline``."""
        group, delay = situation.group, situation.settings.max_queue_delay
        seconds = group.service.predict(group.frames)
        if situation.alone or situation.contested or not delay or seconds is None:
            return Verdict("lookahead")
        expected = group.expected(now, now + seconds)
        if not expected:
            return Verdict("lookahead")
        limit = situation.limit()
        if now >= limit.until:
            return Verdict(limit.reason)
        predict = group.service.predict
        count = worth_waiting_for(
            now,
            (group.frames, situation.oldest),
            expected,
            lambda frames: predict(frames) or 0.0,
            lambda frames: min(limit.until, situation.latest(frames)),
            situation.places,
        )
        if not count:
            return Verdict("lookahead")
        return Verdict(None, min(limit.until, max(expected[count - 1][0], now + TICK)))


def policy_of(settings: Settings) -> Policy:
    """By its name."""
    policies: dict[str, Policy] = {"latency": LookAhead(), "throughput": Filling(), "fixed": Window()}
    return policies[settings.policy]
