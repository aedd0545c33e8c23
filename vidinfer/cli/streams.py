"""Standard streams that are closed: by whoever started us, or at their other end."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TextIO

__all__ = ["is_missing", "open_missing_streams", "silence_closed_streams"]


def open_missing_streams() -> None:
    """Let what was closed when we were started (``>&-``) lead nowhere.

    Else its number would go to the next file that is opened, and what a library prints into that file.
    """
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
        continue
    os.close(descriptor)
    # The interpreter has None for them, though its types do not say so.
    sys.stdout = sys.stdout or _nowhere()
    sys.stderr = sys.stderr or _nowhere()


def is_missing(stream: object) -> bool:
    """It leads nowhere since ``open_missing_streams``; of a stream that was redirected there itself it says no."""
    return getattr(stream, "name", None) == os.devnull


def silence_closed_streams() -> None:
    """Keep the interpreter from complaining at exit, and changing the exit status, because nobody reads any more."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
        except (OSError, ValueError):
            continue  # closed by whoever started us: there is nothing to silence


def _nowhere() -> TextIO:
    return Path(os.devnull).open("w")
