"""What scripted cameras do: each function makes a script for ``ScriptedCamera``."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from typing import TypeAlias

from tests.live.servers import BASE, TICKS, Session
from vidinfer.clock import MonotonicClock

__all__ = ["Script", "by_turn", "on_air", "pausing", "steady", "then_cut", "with_backlog"]

Script: TypeAlias = Callable[[Session], None]
RATE = 25.0

_clock = MonotonicClock()


def on_air(
    session: Session, units: Sequence[bytes], *, frames: int | None = None, first: int = 0, rate: float = RATE
) -> None:
    """Send ``units`` again and again, ``rate`` a second by the clock, claiming 25; ``frames`` of them or for ever."""
    begun = _clock.now()
    for i in _counting(first, frames):
        session.pause(max(0.0, begun + (i - first) / rate - _clock.now()))
        session.send(units[i % len(units)], BASE + i * TICKS)


def steady(units: Sequence[bytes], *, rate: float = RATE, first: int = 0) -> Script:
    """A healthy camera, or with another ``rate`` one whose clock is wrong."""
    return lambda session: on_air(session, units, rate=rate, first=first)


def then_cut(units: Sequence[bytes], frames: int, *, first: int = 0) -> Script:
    """So many frames, and the end of the connection."""

    def script(session: Session) -> None:
        on_air(session, units, frames=frames, first=first)
        session.cut()

    return script


def by_turn(*scripts: Script) -> Script:
    """The first client gets the first script and so on; the last one is for all that come later."""
    lock, turns = threading.Lock(), iter(scripts[:-1])

    def script(session: Session) -> None:
        with lock:
            mine = next(turns, scripts[-1])
        mine(session)

    return script


def in_a_row(*parts: tuple[Sequence[bytes], int | None, int]) -> Script:
    """``(units, frames, ticks ahead)`` one after the other in one connection, on time; ``frames=None`` never ends."""

    def script(session: Session) -> None:
        begun, sent = _clock.now(), 0
        for units, frames, ahead in parts:
            for i in _counting(0, frames):
                session.pause(max(0.0, begun + sent / RATE - _clock.now()))
                session.send(units[i % len(units)], BASE + ahead + sent * TICKS)
                sent += 1

    return script


def pausing(units: Sequence[bytes], pause: float, group: int) -> Script:
    """Silent for ``pause`` seconds before each keyframe, and then in a hurry until it has made up for it."""

    def script(session: Session) -> None:
        begun = _clock.now()
        for i in _counting(0, None):
            if i % group == 0:
                session.pause(pause)
            session.pause(max(0.0, begun + i / RATE - _clock.now()))
            session.send(units[i % len(units)], BASE + i * TICKS)

    return script


def with_backlog(units: Sequence[bytes], *, after: float, behind: float, for_: float) -> Script:
    """On time for ``after`` seconds, then ``behind`` seconds late for ``for_`` seconds, then all at once on time."""

    def script(session: Session) -> None:
        begun = _clock.now()
        for i in _counting(0, None):
            due = begun + i / RATE
            late = behind if after <= i / RATE < after + for_ else 0.0
            session.pause(max(0.0, due + late - _clock.now()))
            session.send(units[i % len(units)], BASE + i * TICKS)

    return script


def _counting(first: int, frames: int | None) -> Iterator[int]:
    i = first
    while frames is None or i < first + frames:
        yield i
        i += 1
