"""The time that a run may take: ``--budget``, ``--until``, whichever ends first."""

from __future__ import annotations

from vidinfer.clock import Clock, seconds_until
from vidinfer.config import RunConfig

__all__ = ["TimeAllowed"]


class TimeAllowed:
    """Measured on a clock that nobody sets, from when it is made. Thread rule: one thread."""

    def __init__(self, config: RunConfig, clock: Clock) -> None:
        """``config``: without either option there is always time."""
        now, ends = clock.now(), []
        if config.budget is not None:
            ends.append((now + float(config.budget), f"--budget {float(config.budget):g}s"))
        if config.until is not None:
            hour, minute = config.until
            ends.append((now + seconds_until(hour, minute), f"--until {hour:02d}:{minute:02d}"))
        self._clock, self._told = clock, False
        self._end, self._option = min(ends, default=(float("inf"), ""))

    @property
    def over(self) -> bool:
        """It is used up."""
        return self._clock.now() >= self._end

    def news(self) -> str | None:
        """For people, once."""
        if self._told:
            return None
        self._told = True
        return (
            f"the time allowed by {self._option} is up: what is under way is finished, nothing more is begun; "
            "give the same command again to go on"
        )
