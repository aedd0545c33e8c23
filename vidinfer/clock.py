"""The only place that reads a clock."""

from __future__ import annotations

import datetime
import math
import time
from typing import Protocol

__all__ = ["Clock", "MonotonicClock", "ProcessorClock", "seconds_until", "unix_now", "utc_compact", "utc_now"]


class Clock(Protocol):
    """Seconds that never go backwards. Tests pass a virtual one."""

    def now(self) -> float:
        """Seconds since an arbitrary, fixed moment."""
        ...


class MonotonicClock:
    """The machine's monotonic clock. Thread rule: share freely."""

    def now(self) -> float:
        return time.monotonic()


class ProcessorClock:
    """Processor time that all threads of this process have used together. Thread rule: share freely."""

    def now(self) -> float:
        return time.process_time()


def utc_now() -> str:
    """The wall clock as ISO 8601 in UTC, for reports only: nothing is ever computed from it."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


def unix_now() -> float:
    """The wall clock in Unix seconds, for what is named by a time of day: nothing is ever measured by it."""
    return time.time()


def utc_compact(seconds: float) -> str:
    """Unix ``seconds``, rounded down, as ``20261125T101500Z``."""
    moment = datetime.datetime.fromtimestamp(math.floor(seconds), datetime.UTC)
    return moment.strftime("%Y%m%dT%H%M%SZ")


def seconds_until(hour: int, minute: int) -> float:
    """To the next time that local clocks show ``hour:minute``; more than 0, at most a day (and an hour, where clocks
    are changed)."""
    now = datetime.datetime.now().astimezone()
    then = now.replace(hour=hour, minute=minute, second=0, microsecond=0)
    if then <= now:
        then = (then.replace(tzinfo=None) + datetime.timedelta(days=1)).astimezone()
    return (then - now).total_seconds()
