"""Ending FFmpeg's wait for a TCP connection: it cannot be woken, but its socket can be told that nothing more comes.

PyAV does not say which socket is FFmpeg's. It is the one to the address it was given that was not there before it was
asked to connect; so that this is one at most, connections to one address are begun one after the other.
"""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from vidinfer.interrupt import Interrupt
from vidinfer.source.lookup import Target

__all__ = ["Cut", "cut_reading", "not_ffmpegs"]

_OPEN_FILES = Path("/proc/self/fd")
_LOOKS, _PAUSE = 200, 0.005
"""So often, so many seconds apart, it is looked whether the connection begun before has its socket: a second."""
_LOCK = threading.RLock()  # a signal may end a connection on the very thread that looks
_BEGUN: list[Cut] = []
"""In the order of their beginning."""


def not_ffmpegs(wire: socket.socket) -> None:
    """Mark a socket of our own, before it is connected, so that it is never taken for FFmpeg's."""
    wire.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)


@contextmanager
def cut_reading(targets: Sequence[Target], interrupt: Interrupt) -> Iterator[Cut]:
    """In this block FFmpeg connects to ``targets`` and reads; ``interrupt`` ends its waits, and nobody else's.

    Writing goes on, so that a goodbye can be said. Where the system does not list open files (elsewhere than on Linux),
    and in the rare case that the socket cannot be told from another's, it does nothing, and a wait lasts until its
    timeout.
    """
    cut = Cut(frozenset((target[0], target[1]) for _, target in targets))
    for _ in range(_LOOKS):
        if cut.begin() or interrupt.wait(_PAUSE):
            break
    cut.begin(anyway=True)
    try:
        with interrupt.ended_by(cut):
            yield cut
    finally:
        cut.end()


class Cut:
    """Which sockets are those of one connection. Thread rule: share freely."""

    def __init__(self, peers: frozenset[tuple[object, object]]) -> None:
        self._peers = peers
        self._before: frozenset[int] = frozenset()
        self._own: frozenset[int] = frozenset()
        """Numbers of sockets in the system, which are not used again as those of files are."""

    def __call__(self) -> None:
        """End every wait for data of this connection."""
        with _LOCK:
            self.look()
            for wire, number in _sockets(self._peers):
                with wire, suppress(OSError):
                    if number in self._own:
                        wire.shutdown(socket.SHUT_RD)

    def begin(self, *, anyway: bool = False) -> bool:
        """From here on FFmpeg connects; false while another connection to the same address has no socket yet."""
        with _LOCK:
            if self in _BEGUN:
                return True
            for other in self._rivals():
                other.look()
            if self._rivals() and not anyway:
                return False
            self._before = _numbers(self._peers)
            _BEGUN.append(self)
            return True

    def look(self) -> None:
        """Which are its own by now; also once FFmpeg has connected, as it may have done so twice."""
        with _LOCK:
            there = _numbers(self._peers)
            self._own &= there
            if self._own or self not in _BEGUN:
                return
            taken = frozenset[int]().union(*(other._own for other in _BEGUN))
            found = there - self._before - taken
            for rival in self._rivals():
                # What was there when a later one began is not that one's; of the rest nobody can tell.
                later = _BEGUN.index(rival) > _BEGUN.index(self)
                found = found & rival._before if later else frozenset()
            self._own = found

    def end(self) -> None:
        """The connection is over."""
        with _LOCK:
            if self in _BEGUN:
                _BEGUN.remove(self)

    def _rivals(self) -> list[Cut]:
        """Connections to the same address of which no socket is known."""
        return [
            one
            for one in _BEGUN
            if one is not self and not one._own and not self._peers.isdisjoint(one._peers)
        ]


def _numbers(peers: frozenset[tuple[object, object]]) -> frozenset[int]:
    found = set()
    for wire, number in _sockets(peers):
        wire.close()
        found.add(number)
    return frozenset(found)


def _sockets(peers: frozenset[tuple[object, object]]) -> Iterator[tuple[socket.socket, int]]:
    """Every connection to ``peers`` that may be FFmpeg's, with its number in the system.

    Each is a copy under a number of its own: the first may be closed, and somebody else's, at any moment.
    """
    for wire in _all_sockets():
        try:
            wanted = (
                wire.type == socket.SOCK_STREAM
                and wire.getpeername()[:2] in peers
                and not wire.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
            )
            number = os.fstat(wire.fileno()).st_ino
        except OSError:
            wanted, number = False, 0
        if wanted:
            yield wire, number
        else:
            wire.close()


def _all_sockets() -> Iterator[socket.socket]:
    try:
        names = os.listdir(_OPEN_FILES)  # noqa: PTH208 - names, not paths
    except OSError:
        return
    for name in names:
        with suppress(OSError):
            number = os.dup(int(name))
            try:
                wire = socket.socket(fileno=number)
            except OSError:  # no socket
                os.close(number)
                continue
            yield wire
