"""What of a file changes when somebody writes to it, also where its size and its date are put back afterwards."""

from __future__ import annotations

import os
from collections.abc import Sequence

__all__ = ["same_stamp", "stamp_of"]


def stamp_of(statuses: Sequence[os.stat_result]) -> str:
    """Of a file, or of several together: date, inode, time of change, and who may do what under how many names."""
    latest = max((status.st_mtime_ns for status in statuses), default=0)
    changed = max((status.st_ctime_ns for status in statuses), default=0)
    inodes = sum(status.st_ino for status in statuses)
    held = [
        sum(of) for of in zip(*((s.st_mode, s.st_uid, s.st_gid, s.st_nlink) for s in statuses), strict=True)
    ]
    return f"{latest} {len(statuses)}-{inodes} {changed} {'-'.join(map(str, held))}"


def same_stamp(one: str, other: str) -> bool:
    """Nobody wrote to it in between.

    Writing sets the time of change, which no program can put back; so do ``chmod``, ``chown`` and ``ln``, which leave
    the content alone and are known by what they change: an archive that is backed up with links while it is labelled
    is still the same.
    """
    if one == other:
        return True
    a, b = one.split(" "), other.split(" ")
    return len(a) == len(b) == 4 and a[:2] == b[:2] and a[3] != b[3]
