"""When will the next frame of a stream come? From when the last ones came, and from nothing that it claims."""

from __future__ import annotations

import math
from collections import deque
from enum import StrEnum

from vidinfer.scheduling.recent import Recent

__all__ = ["Activity", "Arrivals"]

KEPT = 64
TRUSTED = 16
"""Stamps from which the period is believed."""
MISSED = 3
"""Periods without a frame after which none is expected any more."""
RESTART = 2.0
"""Seconds without a frame after which the old pace says nothing about the new one; shorter pauses are made up for by
the burst that follows them, and belong to the pace."""
TYPICAL = 0.9
"""Quantile of the errors of past predictions that is to be small against the period, else nothing is predicted."""
BEYOND = 1.25
"""An expected frame is waited for a quarter longer than the latest of the last 64 was late. A single one that was very
late costs nothing: ``expected`` then tells that waiting for what is late already would take long."""
SAME = 1e-6
"""Seconds: a delay that differs by less from one of the past is that one, and is over."""
LEAST_SLACK = 0.0005
"""Seconds: what a machine's own scheduling makes of any time."""


class Activity(StrEnum):
    """Does the stream deliver?"""

    ACTIVE = "active"
    STALLED = "stalled"


class Arrivals:
    """Period = span / count over the last 64 stamps, never an average of gaps, which a burst would fool; phase from the
    last stamp.

    The period rule is Roboflow inference's (collection_policy.py). Thread rule: one caller at a time.
    """

    __slots__ = ("_errors", "_stamps", "due", "period", "slack")

    def __init__(self) -> None:
        self._stamps: deque[float] = deque(maxlen=KEPT)
        self._errors = Recent(KEPT)
        self.period: float | None = None
        """Seconds; ``None`` before the second stamp."""
        self.due = math.inf
        """When the next frame is expected, which may have passed; never, where the stream is not to be predicted."""
        self.slack = 0.0
        """Seconds after ``due`` during which it may still come."""

    def seen(self, now: float) -> None:
        """A frame came. O(1), but for moving 64 numbers."""
        stamps, period = self._stamps, self.period
        if stamps and period:
            gap = now - stamps[-1]
            if gap > max(RESTART, MISSED * period):
                stamps.clear()
                self._errors.clear()
            else:  # frames that the camera left out are no error of the prediction
                self._errors.add(gap - period * max(1, round(gap / period)))
        stamps.append(now)
        if len(stamps) < 2:
            self.period, self.due = None, math.inf
            return
        self.period = period = (now - stamps[0]) / (len(stamps) - 1)
        if len(stamps) < TRUSTED or len(self._errors) < TRUSTED - 2:
            self.due = math.inf
            return
        self.slack = min(period / 2, LEAST_SLACK + BEYOND * max(0.0, self._errors.quantile(1.0)))
        self.due = now + period if self._errors.quantile(TYPICAL) <= period / 4 else math.inf

    def expected(self, now: float) -> float:
        """When the next frame will come, given that it is not there yet; ``inf``: nobody knows. Never before ``now``.

        After ``due`` it is the mean of those past errors that were larger than the delay so far.
        """
        if now > self.due + self.slack:
            self._pass_over(now)
        if self.due == math.inf:
            return math.inf
        late = self._errors.mean_above(now - self.due + SAME) if now > self.due - self.slack else 0.0
        return max(now, self.due + min(self.slack, self.slack if late is None else late))

    def activity(self, now: float) -> Activity:
        """``STALLED``: no frame yet, or none for three periods."""
        if not self._stamps or (self.period and now - self._stamps[-1] >= MISSED * self.period):
            return Activity.STALLED
        return Activity.ACTIVE

    def _pass_over(self, now: float) -> None:
        """The frame did not come: expect the next ones, as long as the stream is active."""
        assert self.period is not None
        last = self._stamps[-1]
        while now > self.due + self.slack:
            self.due += self.period
            if self.due >= last + (MISSED - 0.5) * self.period:
                self.due = math.inf
