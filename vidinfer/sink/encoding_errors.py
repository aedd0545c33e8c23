"""What goes wrong while a video is encoded and written, told to the user in one line."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import av

from vidinfer.errors import SinkError
from vidinfer.sink.atomic import output_error

__all__ = ["encoding_errors_told"]


@contextmanager
def encoding_errors_told(path: Path, doing: str) -> Iterator[None]:
    """Turn what FFmpeg and the system raise in the block into one line.

    Args:
        path: as the user knows the output.
        doing: a verb that goes with "cannot … PATH".

    Raises:
        SinkError: instead of ``av.FFmpegError``, ``OSError`` and ``ValueError``; one that was raised goes on as it is.
    """
    try:
        yield
    except SinkError:
        raise
    except (av.FFmpegError, OSError, ValueError) as error:
        raise output_error(path, error, doing) from error
