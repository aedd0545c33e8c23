"""What a live address says: which kind of source, at which host, for whom."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import SplitResult, unquote, urlsplit, urlunsplit

from vidinfer.address import CAMERA, shown
from vidinfer.errors import UsageError

__all__ = ["Kind", "LiveAddress", "parse_live"]

_NETWORK = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*://")


class Kind(StrEnum):
    """How a source is read."""

    RTSP = "rtsp"
    RTMP = "rtmp"
    HTTP = "http"
    UDP = "udp"
    CAMERA = "camera"
    FILE = "file"


_SCHEMES = {
    "rtsp": (Kind.RTSP, 554),
    "rtsps": (Kind.RTSP, 322),
    "rtmp": (Kind.RTMP, 1935),
    "rtmps": (Kind.RTMP, 443),
    "http": (Kind.HTTP, 80),
    "https": (Kind.HTTP, 443),
    "udp": (Kind.UDP, 0),
}
_TLS = frozenset({"rtsps", "rtmps", "https"})


@dataclass(frozen=True, slots=True)
class LiveAddress:
    """An address taken apart. ``url`` and ``password`` are never to be shown: use ``shown``."""

    kind: Kind
    url: str
    """As FFmpeg is to be given it; of a camera its device, of a file its path."""
    shown: str
    """Without what stands before the ``@``."""
    host: str = ""
    port: int = 0
    tls: bool = False
    user: str = ""
    password: str = ""
    target: str = ""
    """Path and query, for HTTP."""

    @property
    def bare(self) -> str:
        """``url`` without user and password, as servers are told it."""
        parts = urlsplit(self.url)
        return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2], fragment=""))


def parse_live(address: str) -> LiveAddress:
    """Take ``address`` apart: a network address, ``camera:N``, a device in ``/dev`` or else the path of a file.

    Raises:
        UsageError: no such kind of source, or no host or port where one is needed.
    """
    if CAMERA.match(address):
        word, number = address.partition(":")[::2]
        device = f"/dev/video{number or 0}" if word == "camera" else address
        return LiveAddress(Kind.CAMERA, device, address)
    if not _NETWORK.match(address):
        return LiveAddress(Kind.FILE, address, address)
    safe = shown(address)
    try:
        parts = urlsplit(address)
        port = parts.port
        host = parts.hostname or ""
    except ValueError:
        raise UsageError(
            f"{safe}: not an address; expected SCHEME://HOST:PORT/PATH, a port from 1 to 65535; in a user or password "
            "/ is written %2F, ? %3F, # %23"
        ) from None
    if parts.scheme not in _SCHEMES:
        raise UsageError(f"{safe}: {parts.scheme}:// is not known; give one of {', '.join(_SCHEMES)}")
    return _network(address, safe, parts, host, port)


def _network(address: str, safe: str, parts: SplitResult, host: str, port: int | None) -> LiveAddress:
    kind, usual = _SCHEMES[parts.scheme]
    if kind is Kind.UDP:
        if not port:
            raise UsageError(f"{safe}: a UDP stream needs a port; e.g. udp://@:5000 to listen on it")
    elif not host:
        raise UsageError(f"{safe}: no host; expected {parts.scheme}://HOST/PATH")
    return LiveAddress(
        kind=kind,
        url=address,
        shown=safe,
        host=host,
        port=port or usual,
        tls=parts.scheme in _TLS,
        user=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
        target=urlunsplit(("", "", parts.path or "/", parts.query, "")),
    )
