"""How much memory a process has."""

from __future__ import annotations

import os
import resource
import sys
from contextlib import suppress
from pathlib import Path

__all__ = ["resident_bytes"]


def resident_bytes(process: int | None = None) -> int:
    """Resident now where the system tells (Linux); elsewhere the most there ever was.

    Args:
        process: another one's number; 0 where the system does not tell, or it is gone.
    """
    with suppress(OSError, ValueError, IndexError):
        where = "self" if process is None else str(process)
        return int(Path(f"/proc/{where}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    if process is not None:
        return 0
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else 1024 * most
