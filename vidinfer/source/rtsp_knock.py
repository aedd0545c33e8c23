"""Asking an RTSP server for a stream's description, before FFmpeg does.

FFmpeg cannot be interrupted while it waits for an answer, so it is only sent where somebody answers promptly. Here
the wait can be long, for a server that starts its camera when it is asked, and the refusals come with their reasons.
"""

from __future__ import annotations

import socket
from collections.abc import Sequence
from contextlib import suppress

from vidinfer.errors import SourceError
from vidinfer.interrupt import Interrupt
from vidinfer.source.http_auth import authorization
from vidinfer.source.live_address import LiveAddress
from vidinfer.source.refusal import refusal
from vidinfer.source.wire import connected

__all__ = ["knock"]

_MOST = 1 << 16
"""Bytes of an answer's head."""


def knock(address: LiveAddress, interrupt: Interrupt, timeout: float, *, verify: bool) -> None:
    """Return once the server has described the stream; ``timeout`` in seconds for each of its answers.

    Raises:
        SourceRefused: it wants another user, password or path.
        SourceError: nobody there, no answer, or another one.
    """
    with connected(address, interrupt, timeout, verify=verify) as wire:
        try:
            status, reason, challenges = _describe(wire, address, 1, None)
            if status == 401 and address.user and challenges:
                answer = authorization(challenges, address.user, address.password, "DESCRIBE", address.bare)
                status, reason, _ = _describe(wire, address, 2, answer)
        except OSError as error:
            raise SourceError(f"{address.shown}: {_why(error, timeout, interrupt)}") from None
    if status in (301, 302, 303, 305, 307, 308) or 200 <= status < 300:
        return  # FFmpeg follows where it is sent
    raise refusal(address.shown, status, reason)


def _describe(
    wire: socket.socket, address: LiveAddress, number: int, answer: str | None
) -> tuple[int, str, Sequence[str]]:
    lines = [
        f"DESCRIBE {address.bare} RTSP/1.0",
        f"CSeq: {number}",
        "Accept: application/sdp",
        "User-Agent: vidinfer",
    ]
    if answer is not None:
        lines.append(f"Authorization: {answer}")
    wire.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
    head = _head(wire)
    first, *rest = head.decode("latin-1").split("\r\n")
    version, _, status = first.partition(" ")
    code, _, reason = status.partition(" ")
    if not version.startswith("RTSP/") or not code.isdigit():
        raise ConnectionError("not RTSP")
    fields = [
        (name.strip().lower(), value.strip()) for name, _, value in (line.partition(":") for line in rest)
    ]
    _skip_body(wire, fields)
    return int(code), reason, [value for name, value in fields if name == "www-authenticate"]


def _head(wire: socket.socket) -> bytes:
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        byte = wire.recv(1)
        if not byte:
            raise ConnectionResetError("hung up")
        head += byte
        if len(head) > _MOST:
            raise ConnectionError("not RTSP")
    return head


def _skip_body(wire: socket.socket, fields: Sequence[tuple[str, str]]) -> None:
    length = next((value for name, value in fields if name == "content-length"), "0")
    left = min(int(length), _MOST) if length.isdigit() else 0
    with suppress(OSError):
        while left > 0 and (part := wire.recv(left)):
            left -= len(part)


def _why(error: OSError, timeout: float, interrupt: Interrupt) -> str:
    if interrupt.is_set:
        return "interrupted while connecting"
    if isinstance(error, TimeoutError):
        return f"connected, and no answer within {timeout:g} s; check that it is an RTSP server, or start it anew"
    if str(error) == "not RTSP":
        return "what answers there is no RTSP server; check the port"
    return "the other end hung up without an answer; it is tried again"
