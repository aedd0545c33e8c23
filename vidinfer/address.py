"""Source addresses: as they may be shown, without the password, and as FFmpeg must be told them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

__all__ = ["LOCAL_ONLY", "file_url", "shown"]

LOCAL_ONLY: Mapping[str, str] = {"protocol_whitelist": "file,crypto,data"}
"""Options for opening a file: a playlist or an MP4 with outside references must not reach for the network."""

_CREDENTIALS = re.compile(r"(?<=://)[^/?#]*@")


def shown(address: str) -> str:
    """``address`` with what stands before the ``@`` of a network address left out."""
    return _CREDENTIALS.sub("…@", address)


def file_url(path: str | Path) -> str:
    """``path`` for FFmpeg, which would take what stands before a colon in a file's name for a protocol."""
    return f"file:{path}"
