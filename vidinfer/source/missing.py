"""What a packet refers to and is not there, told before it is decoded."""

from __future__ import annotations

from enum import Enum
from typing import Protocol

__all__ = ["Continuity", "Missing"]


class Missing(Enum):
    """Of what a packet may refer to."""

    NOTHING = "nothing"
    """As far as can be told."""
    REFERENCE = "reference"
    """A frame was lost; nobody knows what else before the next keyframe refers to it."""
    BEFORE_KEYFRAME = "before keyframe"
    """It is shown before its keyframe and refers to frames from before; what comes later does not refer to it."""


class Continuity(Protocol):
    """Reads packets in the order of decoding. Thread rule: one thread at a time."""

    def next(self, packet: bytes, pts: int | None, *, key: bool) -> Missing:
        """What is missing for ``packet``; ``key``: it can be decoded without those before."""
        ...

    def forget(self) -> None:
        """Packets were left out: the next one is a keyframe, and nothing before it counts."""
        ...
