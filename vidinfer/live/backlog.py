"""Whether a stream falls behind before it gets here, from its own times against ours."""

from __future__ import annotations

from collections import deque
from enum import StrEnum

__all__ = ["Backlog", "Pace"]

JUDGED_AFTER = 10.0
"""Seconds from which on a pace can be told."""
_GIVEN_UP = 3 * JUDGED_AFTER
"""Seconds of too few frames, or too many pauses, after which the clock is taken to be right."""
_STEP = 0.1
"""Seconds of arrival that one sample stands for."""
_WINDOW = 1.0
"""Seconds of which the most punctual frame counts as now: single frames are late for many reasons."""
_CREEP = 500e-6
"""Seconds in a second by which two clocks that are right may differ."""
_OTHER = 0.01
"""And those of which nobody knows: growth this slow is no backlog unless the clock is known to be right."""
_SLOWEST = 0.01
_STEADY = 0.02
"""Seconds, and share of the whole growth, by which a steady pace may miss a straight line."""
_BACK, _AHEAD = 1.0, 2.0
"""Seconds that times may step back, or lead, without being a jump."""


class Pace(StrEnum):
    """What became of the stream's clock."""

    UNKNOWN = "unknown"
    """Too early to say, or nothing steady."""
    TRUE = "true"
    """A second of it lasts a second."""
    OTHER = "other"
    """It runs at another pace, steadily: a camera that claims 25 frames a second and sends 21."""


class Backlog:
    """How far a stream runs behind its own best.

    A frame's lag is when it came less its own time; the smallest lag there was is the stream's best. Frames wait
    somewhere (socket, network, camera) when the lag grows. It also grows when the stream's clock is slow: the first
    ten seconds decide, by whether the smallest lags of their quarters lie on a line. What is steady from the beginning
    is put down to the clock, unless ``true_clock`` says that it is right (by sender reports) or ``lagging`` that we
    are what is slow. From then on whatever grows faster than that is a backlog.

    Thread rule: one thread at a time.
    """

    def __init__(self) -> None:
        self._first: tuple[float, float] | None = None
        self._last: tuple[float, float] | None = None
        self._samples: deque[tuple[float, float]] = deque(maxlen=int(2 * JUDGED_AFTER / _STEP))
        """Arrival and lag of the most punctual frame of each step of the time before the judgement."""
        self._recent: deque[tuple[float, float]] = deque()
        """Arrivals and lags of the last second; lags increase."""
        self._best: tuple[float, float] | None = None
        """Arrival and lag of the most punctual frame."""
        self.pace = Pace.UNKNOWN
        self.rate = 1.0
        """Seconds of the stream's clock in a second of ours; 0.84 for 25 claimed and 21 sent."""
        self.jumps = 0
        """How often the stream's clock jumped."""
        self.true_clock = False
        """Somebody knows that the stream's clock is right."""
        self.lagging = False
        """We never wait for the stream: whatever grows is our doing."""

    def frame(self, seconds: float, received: float) -> float | None:
        """A frame of time ``seconds`` that came at ``received``, in monotonic seconds, in the order of arrival.

        Returns:
            By how many seconds the stream's clock jumped with it; else ``None``.
        """
        jump = self._jump(seconds, received)
        if jump is not None:
            self.jumps += 1
            self._begin_anew()
        self._last = (seconds, received)
        if self._first is None:
            self._first = self._last
        lag = received - seconds / self.rate
        while self._recent and self._recent[-1][1] >= lag:
            self._recent.pop()
        self._recent.append((received, lag))
        while received - self._recent[0][0] > _WINDOW:
            self._recent.popleft()
        if self.pace is Pace.UNKNOWN:
            self._sample(received, lag)
        best = self._best_at(received)
        if best is None or lag < best:
            self._best = (received, lag)
        return jump

    @property
    def behind(self) -> float:
        """Seconds that even the most punctual frame of the last second was behind; 0 until the pace is known."""
        if self.pace is Pace.UNKNOWN or self._last is None or not self._recent:
            return 0.0
        best = self._best_at(self._last[1])
        return 0.0 if best is None else max(0.0, self._recent[0][1] - best)

    def _jump(self, seconds: float, received: float) -> float | None:
        if self._last is None:
            return None
        step, passed = seconds - self._last[0], received - self._last[1]
        lead = step - passed
        if step < -_BACK or lead > _AHEAD + self._lateness():
            return lead
        return None

    def _lateness(self) -> float:
        """What could be caught up at once."""
        if self._best is None or self._last is None:
            return 0.0
        return max(0.0, self._last[1] - self._last[0] / self.rate - self._best[1])

    def _begin_anew(self) -> None:
        """The pace of the clock is what it was; where it stands is not."""
        self._samples.clear()
        self._recent.clear()
        self._first = self._best = None

    def _sample(self, received: float, lag: float) -> None:
        if not self._samples or received // _STEP != self._samples[-1][0] // _STEP:
            self._samples.append((received, lag))
        elif lag < self._samples[-1][1]:
            self._samples[-1] = (received, lag)
        if received - self._samples[0][0] >= JUDGED_AFTER:
            self._judge()
        if self._first is not None and received - self._first[1] > _GIVEN_UP and self.pace is Pace.UNKNOWN:
            self.pace = Pace.TRUE

    def _judge(self) -> None:
        begin, span = self._samples[0][0], self._samples[-1][0] - self._samples[0][0]
        quarters: list[list[tuple[float, float]]] = [[], [], [], []]
        for at, lag in self._samples:
            quarters[min(3, int(4 * (at - begin) / span))].append((at, lag))
        if not all(quarters):
            self._samples.popleft()  # with pauses nothing can be told; wait for a better stretch
            return
        punctual = [min(quarter, key=lambda sample: sample[1]) for quarter in quarters]
        (t0, lag0), *between, (t3, lag3) = punctual
        slope = (lag3 - lag0) / (t3 - t0)
        allowed = _STEADY + _STEADY * abs(lag3 - lag0)
        steady = all(abs(lag0 + slope * (at - t0) - lag) <= allowed for at, lag in between)
        if steady and abs(slope) > _OTHER and not (self.true_clock or self.lagging):
            self.pace, self.rate = Pace.OTHER, max(1 - slope, _SLOWEST)
            self._begin_anew()  # what grew so far was the clock's
        else:
            self.pace = Pace.TRUE
        self._samples.clear()

    def _best_at(self, now: float) -> float | None:
        """The best lag there was, and what the clocks may have drifted apart since."""
        if self._best is None:
            return None
        creep = _CREEP if self.true_clock or self.lagging else _OTHER
        return self._best[1] + creep * (now - self._best[0])
