"""How much memory this process has."""

from __future__ import annotations

import os
import resource
import sys
from contextlib import suppress
from pathlib import Path

__all__ = ["resident_bytes"]


def resident_bytes() -> int:
    """Resident now where the system tells (Linux); elsewhere the most there ever was."""
    with suppress(OSError, ValueError, IndexError):
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else 1024 * most
