"""Fetching a file over HTTP: complete and with the right hash, or not at all, and never hanging."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import os
import socket
import ssl
import tempfile
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any, BinaryIO

from tqdm import tqdm

from vidinfer.clock import Clock, MonotonicClock

__all__ = ["DownloadFailed", "download"]

CHUNK = 1 << 18
CONNECT_SECONDS = 6.0
"""Budget for all addresses of a host together; without it a silent network costs a timeout for each of them."""
READ_SECONDS = 10.0
"""Longest silence within an answer."""


class DownloadFailed(Exception):
    """Why a file could not be fetched, in a few words; nothing is left behind."""


class _Bar(tqdm):  # type: ignore[type-arg]
    """A progress bar without tqdm's monitor thread, which would outlive the download."""

    monitor_interval = 0


def download(
    url: str,
    path: Path,
    *,
    sha256_prefix: str | None,
    progress: bool = False,
    connect_seconds: float = CONNECT_SECONDS,
    read_seconds: float = READ_SECONDS,
) -> None:
    """Fetch ``url`` to ``path``, which appears only when complete and of the right hash.

    Args:
        sha256_prefix: hexadecimal digits that the SHA-256 must begin with.
        progress: show a bar on stderr.
        connect_seconds: longest wait for a connection.
        read_seconds: longest wait for the next bytes.

    Raises:
        DownloadFailed: no connection, an error answer, silence, a body cut short, a wrong hash, a full disk.
    """
    part = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        opener = _opener(connect_seconds)
        with opener.open(url, timeout=read_seconds) as answer:
            handle, part = tempfile.mkstemp(prefix=path.name, suffix=".part", dir=path.parent)
            with os.fdopen(handle, "w+b") as file:
                digest = _receive(answer, file, path.name, progress)
                _check(digest, sha256_prefix)
                file.flush()
                os.fsync(file.fileno())
        Path(part).chmod(0o644)  # mkstemp makes it private; the cache is shared between users
        Path(part).replace(path)
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise DownloadFailed(_reason(error)) from error
    finally:
        if part is not None:
            Path(part).unlink(missing_ok=True)


def _receive(answer: Any, file: BinaryIO, name: str, progress: bool) -> str:
    """Copy the body into ``file``; returns its SHA-256."""
    digest = hashlib.sha256()
    length = answer.headers.get("Content-Length")
    total = int(length) if length is not None and length.isdecimal() else None
    received = 0
    with _Bar(desc=name, total=total, unit="B", unit_scale=True, disable=not progress) as bar:
        while chunk := answer.read(CHUNK):
            file.write(chunk)
            digest.update(chunk)
            received += len(chunk)
            bar.update(len(chunk))
    if total is not None and received != total:
        raise DownloadFailed(f"the answer broke off after {received} of {total} bytes")
    return digest.hexdigest()


def _check(digest: str, prefix: str | None) -> None:
    if prefix is not None and not digest.startswith(prefix):
        raise DownloadFailed(
            f"what the server sent has the SHA-256 {digest[:16]}…, expected {prefix}…; a proxy may have answered"
        )


def _reason(error: Exception) -> str:
    if isinstance(error, urllib.error.HTTPError):
        return f"the server answered {error.code} {error.reason}"
    cause = error.reason if isinstance(error, urllib.error.URLError) else error
    if isinstance(cause, TimeoutError):
        return "no answer in time"
    if isinstance(cause, socket.gaierror):
        return "the host's name is not known here: no network?"
    text = cause.strerror if isinstance(cause, OSError) and cause.strerror else str(cause)
    return text or type(cause).__name__


def _opener(connect_seconds: float) -> urllib.request.OpenerDirector:
    """urllib's own opener (proxies, redirects), except that connecting has one budget for all addresses."""
    context = ssl.create_default_context()

    def plain(host: str, **options: Any) -> http.client.HTTPConnection:
        return _within(http.client.HTTPConnection(host, **options), connect_seconds)

    def secure(host: str, **options: Any) -> http.client.HTTPConnection:
        return _within(http.client.HTTPSConnection(host, context=context, **options), connect_seconds)

    class Plain(urllib.request.HTTPHandler):
        def http_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
            return self.do_open(plain, req)

    class Secure(urllib.request.HTTPSHandler):
        def https_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
            return self.do_open(secure, req)

    return urllib.request.build_opener(Plain, Secure)


def _within(connection: http.client.HTTPConnection, seconds: float) -> http.client.HTTPConnection:
    def connect(address: tuple[str, int], timeout: float, _source: Any = None) -> socket.socket:
        made = _connect(address, seconds, MonotonicClock())
        made.settimeout(timeout)
        return made

    connection._create_connection = connect  # type: ignore[attr-defined]
    return connection


def _connect(address: tuple[str, int], seconds: float, clock: Clock) -> socket.socket:
    """Try the host's addresses in turn until ``seconds`` are over."""
    deadline = clock.now() + seconds
    failure: OSError = TimeoutError("no answer in time")
    for family, kind, protocol, _, where in socket.getaddrinfo(*address, type=socket.SOCK_STREAM):
        left = deadline - clock.now()
        if left <= 0:
            break
        candidate = socket.socket(family, kind, protocol)
        candidate.settimeout(max(0.05, min(left, seconds / 2)))
        try:
            candidate.connect(where)
            return candidate
        except OSError as error:
            failure = error
            with contextlib.suppress(OSError):  # the socket is given up either way
                candidate.close()
    raise failure
