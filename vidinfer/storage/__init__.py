"""Where files lie: on this machine, or in object storage and read by ranges. Knows nothing of video."""

from vidinfer.storage.failures import storage_failure
from vidinfer.storage.location import NOTHING_ELSE, Location, is_remote, locate, media_input
from vidinfer.storage.outline import OutlineReader
from vidinfer.storage.reader import RangeReader
from vidinfer.storage.remote import RemoteFile, list_remote

__all__ = [
    "NOTHING_ELSE",
    "Location",
    "OutlineReader",
    "RangeReader",
    "RemoteFile",
    "is_remote",
    "list_remote",
    "locate",
    "media_input",
    "storage_failure",
]
