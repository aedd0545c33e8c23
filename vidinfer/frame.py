"""Words for frames: exact time, what a source says of itself, what a decoder yields."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

__all__ = ["CLOCK_RESET", "Frame", "FrameStamp", "Gap", "Picture", "SourceInfo"]

CLOCK_RESET = Fraction(1)
"""Seconds; a larger step back in time is no disorder among neighbours but a clock that started anew, as where
recordings were joined."""


@dataclass(frozen=True, slots=True)
class FrameStamp:
    """Which frame, and when: the container's own integers, never computed from a rate."""

    index: int
    """Displayed frames, counted from 0 in presentation order."""
    pts: int | None
    """Presentation timestamp in units of ``time_base``; ``None`` where the container has none."""
    time_base: Fraction
    """Seconds per unit of ``pts``."""
    duration: int | None = None
    """Display time in units of ``time_base``, where the container states one."""
    keyframe: bool = False

    @property
    def time(self) -> float | None:
        """``pts`` in seconds: derived, for reading only."""
        return None if self.pts is None else float(self.pts * self.time_base)


class Picture(Protocol):
    """The pixels of one frame as the decoder holds them (planes, reference-counted).

    Thread rule: one thread at a time; handing it from thread to thread is fine.
    """

    @property
    def nbytes(self) -> int:
        """Bytes kept alive by this picture."""
        ...

    def rgb(self) -> NDArray[np.uint8]:
        """Convert to ``(height, width, 3)`` uint8 RGB, displayed (rotation applied).

        A fresh array (its rows may be padded), free to be drawn on; nothing is cached.
        """
        ...


@dataclass(frozen=True, slots=True)
class Frame:
    """One decoded frame."""

    stamp: FrameStamp
    picture: Picture
    corrupt: bool = False
    """The decoder says that these pixels are damaged or guessed."""


@dataclass(frozen=True, slots=True)
class Gap:
    """A stretch that could not be decoded; no frame came out of it."""

    first_pts: int | None
    """Timestamp of the first lost packet, in units of ``time_base``, if it had one."""
    last_pts: int | None
    """Timestamp of the last lost packet."""
    time_base: Fraction
    packets: int
    """Compressed packets lost; 0 where something is lost but nobody can say how much."""
    reason: str


@dataclass(frozen=True, slots=True)
class SourceInfo:
    """What is known of a source before its first frame is used."""

    name: str
    """As shown in the records: the path below the folder that was asked for, or the file's name."""
    width: int
    """Pixels of the displayed picture (rotation applied)."""
    height: int
    """Pixels of the displayed picture (rotation applied)."""
    time_base: Fraction
    """Seconds per unit of the frames' ``pts``."""
    rate: Fraction | None = None
    """Frames per second that the container claims: a hint for progress and encoders, never for time."""
    frames_claimed: int | None = None
    """Frames the container claims to hold, if it says."""
    duration: float | None = None
    """Seconds, as claimed."""
    path: str | None = None
    """Where the file is, for sinks that copy its audio; ``None`` for sources that are no file."""
    details: Mapping[str, object] = field(default_factory=dict)
    """More facts for ``run.json``, ready for JSON: codec, pixel format, colour, rotation, …"""
