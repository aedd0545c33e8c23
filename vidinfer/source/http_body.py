"""The body of an HTTP answer as a file for FFmpeg, whose reads can be interrupted and never take for ever.

FFmpeg could fetch it itself, but cannot be woken while it does; and here a refusal comes with its reason.
"""

from __future__ import annotations

import http.client
import io
import socket
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit

from vidinfer.errors import SourceError
from vidinfer.interrupt import Interrupt
from vidinfer.source.http_auth import authorization
from vidinfer.source.live_address import Kind, LiveAddress, parse_live
from vidinfer.source.refusal import refusal
from vidinfer.source.wire import connected

__all__ = ["HttpBody", "HttpFetcher"]

_REDIRECTS = 5
_MOST_TEXT = 1 << 22


@dataclass(slots=True)
class _Answer:
    response: http.client.HTTPResponse
    wire: socket.socket
    stack: ExitStack
    """Closes both."""


class HttpFetcher:
    """Gets bodies from one site and wherever it sends us; user and password go to the first host only.

    Thread rule: one thread at a time; the interrupt may come from any.
    """

    def __init__(self, home: LiveAddress, interrupt: Interrupt, timeout: float, *, verify: bool) -> None:
        """``timeout``: seconds for each answer to begin; ``verify``: certificates must be good."""
        self._home = home
        self._interrupt = interrupt
        self._timeout = timeout
        self._verify = verify
        self.silence: Callable[[], float] = lambda: timeout
        """Seconds that a body may pause."""

    def get(self, url: str, *, start: int = 0, end: int | None = None) -> HttpBody:
        """The body at ``url`` from byte ``start`` on, up to but not including ``end``; ``close`` it.

        Raises:
            SourceRefused: another user, password or path is wanted.
            SourceError: nobody there, no answer, or another one.
        """
        address = parse_live(url)
        if address.kind is not Kind.HTTP:
            raise SourceError(
                f"{self._home.shown}: sends us to {address.shown}; only http and https are followed"
            )
        answer: str | None = None
        for _ in range(_REDIRECTS + 1):
            opened = self._request(address, _range(start, end), answer)
            status = opened.response.status
            if status in (200, 206):
                return HttpBody(self, address.url, opened, start)
            with opened.stack:
                user, password = self._user_for(address)
                challenges = opened.response.headers.get_all("WWW-Authenticate", [])
                where = opened.response.headers.get("Location")
            if status == 401 and user and answer is None:
                answer = authorization(challenges, user, password, "GET", address.target)
                if answer is not None:
                    continue
            if status not in (301, 302, 303, 307, 308) or not where:
                raise refusal(address.shown, status, opened.response.reason)
            address, answer = parse_live(urljoin(address.bare, where)), None
        raise SourceError(f"{self._home.shown}: sends us round in circles; give the address it should end at")

    def text(self, url: str) -> tuple[str, str]:
        """A short text, and the address that it came from in the end."""
        body = self.get(url)
        try:
            parts = []
            while part := body.read(1 << 16):
                parts.append(part)
                if sum(map(len, parts)) > _MOST_TEXT:
                    raise SourceError(f"{self._home.shown}: a playlist of more than {_MOST_TEXT >> 20} MiB")
            return b"".join(parts).decode(errors="replace"), body.url
        finally:
            body.close()

    def _user_for(self, address: LiveAddress) -> tuple[str, str]:
        if address.user:
            return address.user, address.password
        same = (address.host, address.port) == (self._home.host, self._home.port)
        return (self._home.user, self._home.password) if same else ("", "")

    def _request(self, address: LiveAddress, span: str, answer: str | None) -> _Answer:
        stack = ExitStack()
        try:
            wire = stack.enter_context(
                connected(address, self._interrupt, self._timeout, verify=self._verify)
            )
            connection = http.client.HTTPConnection(address.host, address.port)
            connection.sock = wire
            headers = {"User-Agent": "vidinfer", "Accept": "*/*", "Connection": "close"}
            host = urlsplit(address.bare).netloc
            headers["Host"] = host
            if span:
                headers["Range"] = span
            if answer is not None:
                headers["Authorization"] = answer
            connection.request("GET", address.target, headers=headers)
            response = stack.enter_context(connection.getresponse())
        except (OSError, http.client.HTTPException) as error:
            stack.close()
            if isinstance(error, SourceError):
                raise
            raise SourceError(f"{address.shown}: {self._why(error)}") from None
        return _Answer(response, wire, stack)

    def _why(self, error: Exception) -> str:
        if self._interrupt.is_set:
            return "interrupted while connecting"
        if isinstance(error, TimeoutError):
            return f"connected, and no answer within {self._timeout:g} s; check the server, or start it anew"
        if isinstance(error, http.client.BadStatusLine) and not isinstance(error, ConnectionError):
            return "what answers there is no HTTP server; check the port"
        return "the other end hung up without an answer; it is tried again"

    @property
    def interrupted(self) -> bool:
        """Bodies are at their end."""
        return self._interrupt.is_set


class HttpBody:
    """Bytes as they come; can be searched where the other end serves ranges of a known whole.

    Thread rule: one thread at a time.
    """

    def __init__(self, fetcher: HttpFetcher, url: str, answer: _Answer, start: int) -> None:
        self._fetcher = fetcher
        self._answer: _Answer | None = answer
        self._at = start
        self.url = url
        """Where it came from in the end; may hold a password."""
        headers = answer.response.headers
        self.kind = headers.get_content_type()
        """Media type, in lower case."""
        left = answer.response.length
        self.size = None if left is None else start + left
        """Bytes of the whole, if it has an end."""
        self._ranges = headers.get("Accept-Ranges", "").strip().lower() == "bytes"

    def read(self, count: int) -> bytes:
        """Up to ``count`` bytes, at least one; none at the end and after an interrupt.

        Raises:
            TimeoutError: nothing came for longer than the fetcher's ``silence``.
            ConnectionError: the connection was cut.
        """
        if self._answer is None:
            self._answer = self._reopened()
        try:
            self._answer.wire.settimeout(self._fetcher.silence())
            data = b"" if self._fetcher.interrupted else self._answer.response.read1(count)
        except TimeoutError:
            raise
        except (OSError, http.client.HTTPException, ValueError):
            if self._fetcher.interrupted:
                return b""
            raise ConnectionResetError("cut off by the other end") from None
        self._at += len(data)
        return data

    def readable(self) -> bool:
        """Yes."""
        return True

    def seekable(self) -> bool:
        """Whether other places can be gone to."""
        return self._ranges and self.size is not None

    def tell(self) -> int:
        """Bytes from the beginning."""
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a place; asked for when next read from."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self.size or 0}[whence]
        if base + offset != self._at:
            self.close()
            self._at = base + offset
        return self._at

    def close(self) -> None:
        """Hang up. Idempotent."""
        if self._answer is not None:
            self._answer.stack.close()
        self._answer = None

    def _reopened(self) -> _Answer:
        if self.size is not None and self._at >= self.size:
            raise EOFError
        body = self._fetcher.get(self.url, start=self._at)
        answer, body._answer = body._answer, None
        if answer is None or (self._at and answer.response.status != 206):
            raise ConnectionResetError("the server does not serve the ranges that it promised")
        return answer


def _range(start: int, end: int | None) -> str:
    """The header that asks for it; ``""``: everything."""
    if not start and end is None:
        return ""
    return f"bytes={start}-{'' if end is None else end - 1}"
