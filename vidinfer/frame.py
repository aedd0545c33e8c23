"""Words for frames: exact time, what a source says of itself, what a decoder yields."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "CLOCK_RESET",
    "ColourTags",
    "DevicePicture",
    "DevicePlanes",
    "Frame",
    "FrameStamp",
    "Gap",
    "LumaPicture",
    "Passed",
    "Picture",
    "PlanarPicture",
    "Planes",
    "RowPicture",
    "ScalablePicture",
    "SourceInfo",
]

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
        base = self.time_base
        return None if self.pts is None else self.pts * base.numerator / base.denominator  # rounded once


class Picture(Protocol):
    """The pixels of one frame as the decoder holds them (planes, reference-counted).

    Thread rule: share freely to be read; several outputs may look at one picture at a time.
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
class ColourTags:
    """What a stream says of its colours: numbers of ISO/IEC 23091-2 (H.273), 2 being "unspecified"."""

    matrix: int = 2
    primaries: int = 2
    transfer: int = 2
    range: int = 0
    """0: unspecified, 1: limited, 2: full."""


@dataclass(frozen=True, slots=True)
class Planes:
    """The samples of an 8-bit 4:2:0 picture, displayed (rotation applied). Views: not to be written to."""

    y: NDArray[np.uint8]
    """``(height, width)``."""
    u: NDArray[np.uint8]
    """``(height, width) / 2``, rounded up."""
    v: NDArray[np.uint8]
    """As ``u``."""
    tags: ColourTags
    plain: bool = True
    """Each chroma sample counts for the four pixels that it covers; not so where fields are interlaced."""


@dataclass(frozen=True, slots=True)
class DevicePlanes:
    """The samples of a picture in the memory of a device, 8-bit 4:2:0 with chroma in pairs (NV12), as stored."""

    y: Any
    """A DLPack capsule: ``(height, width)`` uint8."""
    uv: Any
    """A DLPack capsule: ``(height / 2, width / 2, 2)`` uint8."""
    tags: ColourTags
    transpose: bool = False
    """To display it, swap the axes first."""
    mirror_x: bool = False
    """Then swap left and right."""
    mirror_y: bool = False
    """Then swap top and bottom."""


@runtime_checkable
class DevicePicture(Picture, Protocol):
    """A picture that was decoded on a device; optional, for whoever can use it there."""

    def device_planes(self) -> DevicePlanes | None:
        """The planes where they are; ``None`` where ``rgb`` is the only way. Good while the capsules are."""
        ...


@runtime_checkable
class PlanarPicture(Picture, Protocol):
    """A picture that can also show its planes as they are; optional, for whoever need not convert them."""

    def planes(self) -> Planes | None:
        """The planes; ``None`` where the picture is not stored as 8-bit 4:2:0 in the size that it is displayed in."""
        ...


@runtime_checkable
class RowPicture(Picture, Protocol):
    """A picture of which some rows can be had for less than all of them; optional."""

    def rgba_rows(self, rows: NDArray[np.int64]) -> NDArray[np.uint32] | None:
        """Rows ``rows`` of ``rgb``, to the bit: ``(len(rows), width)`` words of four bytes in memory, red first, the
        last without meaning. Good until the next call on this thread; ``None`` where it cannot be done.
        """
        ...


@runtime_checkable
class LumaPicture(Picture, Protocol):
    """A picture whose brightness can be had small for little; optional."""

    def small_luma(self, side: int) -> NDArray[np.uint8] | None:
        """Means over squares of 4, 8, 16, … pixels, ``(h, w)`` with neither above ``side``, as stored; the same squares
        for each picture of one size. ``None`` where that is not cheap.
        """
        ...


@runtime_checkable
class ScalablePicture(Picture, Protocol):
    """A picture that can be had small for less than it costs whole; optional, for whoever gave up exactness."""

    def rgb_scaled(self, width: int, height: int, *, smooth: bool) -> NDArray[np.uint8]:
        """About ``rgb`` scaled to ``(height, width, 3)``; which pixels count is up to the picture.

        Args:
            smooth: all that lie under the new one should (antialiasing), else only the nearest.
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
class Passed:
    """A displayed frame that the sampling leaves out, and that was not decoded."""

    stamp: FrameStamp


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
