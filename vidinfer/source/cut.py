"""Ending FFmpeg's wait for a TCP connection: it cannot be woken, but its socket can be told that nothing more comes.

PyAV does not say which socket is FFmpeg's. It is one of this process that is connected to the address it was given.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path

from vidinfer.source.lookup import Target

__all__ = ["cut_reading"]

_OPEN_FILES = Path("/proc/self/fd")


def cut_reading(targets: Sequence[Target]) -> Callable[[], None]:
    """What ends every wait for data from ``targets`` in this process, whoever waits: for a stop that is meant for all.

    Writing goes on, so that a goodbye can be said. Where the system does not list open files (elsewhere than on Linux)
    it does nothing, and a wait lasts until its timeout.
    """
    return partial(_cut, frozenset((target[0], target[1]) for _, target in targets))


def _cut(peers: frozenset[tuple[object, object]]) -> None:
    for wire in _sockets():
        with wire, suppress(OSError):
            if wire.type == socket.SOCK_STREAM and wire.getpeername()[:2] in peers:
                wire.shutdown(socket.SHUT_RD)


def _sockets() -> Iterator[socket.socket]:
    """Every open socket, under a number of its own: the first may be closed, and somebody else's, at any moment."""
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
