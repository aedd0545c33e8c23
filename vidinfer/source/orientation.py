"""How a stored picture is turned to be displayed: quarter turns and mirrors from the container's display matrix."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import cast

import numpy as np
from av.buffer import Buffer
from av.sidedata.sidedata import Type as SideDataType
from av.video.frame import VideoFrame
from numpy.typing import NDArray

__all__ = ["UPRIGHT", "Orientation", "orientation_of"]


@dataclass(frozen=True, slots=True)
class Orientation:
    """Swap the axes, then mirror; every quarter turn with or without mirroring is one of the eight combinations."""

    transpose: bool = False
    mirror_x: bool = False
    """Left and right swapped, after the transposition."""
    mirror_y: bool = False
    """Top and bottom swapped, after the transposition."""

    @property
    def rotation(self) -> int:
        """Clockwise degrees, 0, 90, 180 or 270, applied before :attr:`mirrored`."""
        if self.transpose:
            return 270 if self.mirror_y else 90
        return 180 if self.mirror_y else 0

    @property
    def mirrored(self) -> bool:
        """Left and right are swapped after the rotation."""
        return self.transpose ^ self.mirror_x ^ self.mirror_y

    def size(self, width: int, height: int) -> tuple[int, int]:
        """Displayed ``(width, height)`` of a stored picture, and the other way round."""
        return (height, width) if self.transpose else (width, height)

    def apply(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Turn ``(h, w, 3)`` pixels; a contiguous copy, or ``pixels`` itself where there is nothing to do."""
        if self == UPRIGHT:
            return pixels
        turned = pixels.transpose(1, 0, 2) if self.transpose else pixels
        turned = turned[:: -1 if self.mirror_y else 1, :: -1 if self.mirror_x else 1]
        out = np.empty(turned.shape, np.uint8)
        for channel in range(3):  # half the time of one strided copy of all three
            out[:, :, channel] = turned[:, :, channel]
        return out


UPRIGHT = Orientation()


def orientation_of(frame: VideoFrame) -> Orientation:
    """Read the display matrix that travels with ``frame``; an odd angle counts as the nearest quarter turn."""
    try:
        matrix = frame.side_data.get("DISPLAYMATRIX")
    except ValueError:  # there is some of a kind that PyAV has no name for, such as EXIF
        SideDataType._missing_ = classmethod(_nameless)  # type: ignore[assignment]
        matrix = frame.side_data.get("DISPLAYMATRIX")
    if matrix is None:
        return UPRIGHT
    a, b, _, c, d, *_ = struct.unpack("=9i", bytes(cast(Buffer, matrix)))
    # A stored pixel (x, y) is shown at (a x + c y, b x + d y), y pointing down.
    if abs(b) > abs(a):
        return Orientation(transpose=True, mirror_x=c < 0, mirror_y=b < 0)
    return Orientation(mirror_x=a < 0, mirror_y=d < 0)


def _nameless(cls: type[SideDataType], number: int) -> SideDataType:
    """A kind of side data that FFmpeg has and PyAV does not know, which else lets nobody see the known ones."""
    kind = object.__new__(cls)
    kind._name_, kind._value_ = f"KIND_{number}", number  # type: ignore[assignment]
    return kind
