"""Looking up the name of a host, in a way that can be ended.

The C library's resolver cannot: with a name server that does not answer it takes half a minute. So it is asked in a
process of its own, which can be killed.
"""

from __future__ import annotations

import math
import shutil
import socket
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import TypeAlias

from vidinfer.errors import SourceUnreachable
from vidinfer.interrupt import Interrupt
from vidinfer.source.live_address import LiveAddress

__all__ = ["Target", "look_up"]

Target: TypeAlias = tuple[int, tuple[object, ...]]
"""Family and address of a socket."""

_LONGEST = 5.0
"""Seconds that a name server is given."""
_SCRIPT = "import socket, sys\nfor one in socket.getaddrinfo(sys.argv[1], None): print(one[4][0])"


def look_up(address: LiveAddress, interrupt: Interrupt, timeout: float = math.inf) -> list[Target]:
    """Where a stream connection to ``address`` may go, the best first; nothing is kept for the next time.

    Numbers and ``localhost`` ask nobody and cost nothing; a name costs a process of some milliseconds.

    Args:
        address: of which the host is looked up.
        interrupt: ends it at once.
        timeout: seconds, five at most.

    Raises:
        SourceUnreachable: there is no such name, or nobody says within the time.
    """
    with suppress(OSError, UnicodeError):
        flags = 0 if address.host == "localhost" else socket.AI_NUMERICHOST
        return _targets(address.host, address.port, flags)
    seconds = min(timeout, _LONGEST)
    try:
        lines = _asked(address.host.encode("idna").decode(), interrupt, seconds)
    except subprocess.TimeoutExpired:
        raise SourceUnreachable(
            f"{address.shown}: the name {address.host} could not be looked up within {seconds:g} s: "
            "check the address and the name server"
        ) from None
    except (OSError, UnicodeError):
        lines = []
    if interrupt.is_set:
        raise SourceUnreachable(f"{address.shown}: interrupted while connecting")
    targets: dict[Target, None] = {}
    for line in lines:
        with suppress(OSError, UnicodeError):
            number = line.partition(" ")[0]
            targets |= dict.fromkeys(_targets(number, address.port, socket.AI_NUMERICHOST) if number else ())
    if not targets:
        raise SourceUnreachable(f"{address.shown}: no such host; check the name and the network")
    return list(targets)


def _targets(host: str, port: int, flags: int) -> list[Target]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=flags)
    return [(family, target) for family, _, _, _, target in found]


def _asked(host: str, interrupt: Interrupt, seconds: float) -> list[str]:
    """Lines that begin with an address.

    Raises:
        TimeoutExpired: there was no answer in time.
        OSError: no process could be started.
    """
    with subprocess.Popen(
        _command(host), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as child:
        try:
            with interrupt.ended_by(child.kill):
                out, _ = child.communicate(timeout=seconds)
        finally:
            child.kill()
    return out.splitlines()


def _command(host: str) -> Sequence[str]:
    """What tells the addresses of ``host``; ``getent`` starts ten times as fast as Python, and only glibc has it."""
    getent = shutil.which("getent") if sys.platform == "linux" else None
    if getent is not None:
        return (getent, "ahosts", "--", host)
    return (sys.executable, "-I", "-S", "-c", _SCRIPT, host)
