"""Source addresses: as they may be shown, without the password, and as FFmpeg must be told them."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

__all__ = [
    "CAMERA",
    "LOCAL_ONLY",
    "NamedAddress",
    "at_home",
    "file_url",
    "host_of",
    "is_live",
    "is_many",
    "named",
    "shown",
    "stream_names",
]

LOCAL_ONLY: Mapping[str, str] = {"protocol_whitelist": "file,crypto,data"}
"""Options for opening a file: a playlist or an MP4 with outside references must not reach for the network."""

CAMERA = re.compile(r"camera:\d*$|/dev/video\d+$|/dev/v4l/by-(?:id|path)/[^/]+$")
"""A camera of this machine, by its number or its device; by-id and by-path stay the same wherever it is plugged in."""
_LIVE = re.compile(rf"(?i:rtsps?|rtmps?|https?|udp|rtp|srt)://|{CAMERA.pattern}")
_NAMED = re.compile(r"([\w][\w .-]{0,63})=(.+)", re.DOTALL)
_CREDENTIALS = re.compile(r"(?<=://)(?:[^/?#]+@|[^/?#:@\s\[]+:(?!\d{0,5}(?:[/?#\s]|$))\S*@)")
"""What stands before the ``@`` that ends it; also where a password holds a bare ``/``, ``?`` or ``#``, which it must
not: nobody's mistake is a reason to show it. After a host there would be a port.
"""
_STREAM = re.compile(r"(?:rtsps?|rtmps?|https?|udp|rtp|srt)://[^\s'\"<>]+", re.IGNORECASE)
_PARAMETER = re.compile(
    r"((?:[?&;/]|(?<=[^\W_])_)(?:[\w.-]*?"
    r"(?:pass|pwd|psw|secret|token|key|auth|sig|cred|user|usr|login|account|session|ticket|jwt)[a-z.-]*|u|p|pw|un)=)"
    r"(?:(?!_\w+=)[^&;/?#])+(?<![:,.])",
    re.IGNORECASE,
)
"""Where many cameras take their password: ``?user=a&pwd=b``, ``/user=a_password=b_channel=1``."""


def shown(address: str) -> str:
    """``address``, or a text with addresses in it, without credentials: what stands before the ``@`` of a network
    address, and of a stream's the values of parameters that are called like a user, a password, a key or a token.
    """
    return _STREAM.sub(lambda found: _PARAMETER.sub(r"\1…", found[0]), _CREDENTIALS.sub("…@", address))


def file_url(path: str | Path) -> str:
    """``path`` for FFmpeg, which would take what stands before a colon in a file's name for a protocol."""
    return f"file:{path}"


def at_home(path: str) -> Path:
    """With the home folder for ``~`` and ``~user``, as shells do it: ``./~`` and an unknown user are names of files."""
    return Path(os.path.expanduser(path))  # noqa: PTH111 - Path forgets that there was a "./", and fails without a user


def is_live(address: str) -> bool:
    """A stream or a camera, and no file; also with a name in front."""
    return _LIVE.match(named(address).address) is not None


def is_many(source: str) -> bool:
    """It stands for any number of files: a list, a folder, a pattern, a prefix in a store."""
    if source.startswith("@") or "://" in source:
        return source.startswith("@") or source.endswith("/") or "*" in source
    path = at_home(source)
    return path.is_dir() or (not path.exists() and any(letter in source for letter in "*?["))


class NamedAddress(NamedTuple):
    """``NAME=ADDRESS`` taken apart; ``name`` is ``None`` where there is none."""

    name: str | None
    address: str


def named(given: str) -> NamedAddress:
    """What a user gave as a source: a name may stand before an address that is no file."""
    match = _NAMED.fullmatch(given)
    if match is not None and _LIVE.match(match[2]):
        return NamedAddress(match[1], match[2])
    return NamedAddress(None, given)


def stream_names(sources: Sequence[str]) -> list[str]:
    """A name for each, fit for a file: as given, or made of the address without its credentials; all different."""
    names = [found.name or _plain(found.address) for found in map(named, sources)]
    counts, seen, told = Counter(names), Counter[str](), []
    for name in names:
        seen[name] += 1
        told.append(f"{name}-{seen[name]}" if counts[name] > 1 else name)
    return told


def host_of(address: str) -> str:
    """Host and port of a network address, in small letters; the address itself where it has none."""
    parts = urlsplit(address)
    try:
        port = parts.port
    except ValueError:  # no number
        port = None
    return f"{parts.hostname}:{port}" if parts.hostname else address


def _plain(address: str) -> str:
    """``rtsp://u:p@10.0.0.5:554/cam/1`` -> ``10.0.0.5-554-cam-1``; ``clips/a.mp4`` -> ``a``."""
    if _LIVE.match(address) is None:
        return Path(address).stem
    bare = re.sub(r"^\w+://|[?#].*$", "", shown(address)).removeprefix("…@")
    return re.sub(r"[^\w.]+", "-", bare).strip("-.") or "stream"
