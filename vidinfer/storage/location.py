"""A file wherever it lies: a path of this machine, or an object in a store."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

from vidinfer.address import LOCAL_ONLY, file_url
from vidinfer.storage.remote import RemoteFile

__all__ = ["NOTHING_ELSE", "Location", "is_remote", "locate", "media_input"]

Location: TypeAlias = Path | RemoteFile

_STORE = re.compile(r"(?:s3a?|gs|gcs|az|abfss?|adl|oci|hdfs|sftp|memory)://", re.IGNORECASE)
# What a playlist in a store refers to must be neither read from this machine nor fetched from elsewhere.
NOTHING_ELSE = {"protocol_whitelist": "crypto,data"}


def is_remote(text: str) -> bool:
    """``text`` is the address of an object, a prefix or a pattern in object storage."""
    return _STORE.match(text) is not None


def locate(text: str) -> Location:
    """The file that ``str`` of a location, or a user, names."""
    return RemoteFile(text) if is_remote(text) else Path(text)


def media_input(location: Location, stopped: Callable[[], bool] | None = None) -> tuple[Any, dict[str, str]]:
    """What FFmpeg is to open, and the options that keep it from opening anything else.

    Raises:
        SourceError: an object that is not there, may not be read, or whose store does not answer.
    """
    if isinstance(location, RemoteFile):
        return location.open(stopped=stopped), dict(NOTHING_ELSE)
    return file_url(location), dict(LOCAL_ONLY)
