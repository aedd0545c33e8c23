"""What Video4Linux is asked and answers, as bytes (linux/videodev2.h): numbers of requests, and what lies where."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple

__all__ = [
    "CAPTURE",
    "DEQUEUE",
    "ENUM_FORMAT",
    "GET_FORMAT",
    "GET_RATE",
    "QUERY",
    "QUERY_BUFFER",
    "QUEUE",
    "REQUEST_BUFFERS",
    "SET_FORMAT",
    "STREAM_OFF",
    "STREAM_ON",
    "Buffer",
    "Capability",
    "PixelFormat",
    "asked",
    "buffer_request",
    "listed",
    "read_rate",
]

CAPTURE = 1
"""``V4L2_BUF_TYPE_VIDEO_CAPTURE``."""
_MAPPED = 1
"""``V4L2_MEMORY_MMAP``."""
_ERROR = 0x40
_CAN_CAPTURE, _CAN_CAPTURE_PLANES, _CAN_STREAM, _HAS_OWN = 0x1, 0x1000, 0x4000000, 0x80000000

_CAPABILITY = struct.Struct("=16s32s32sIII12x")
_FORMAT = struct.Struct("@I0l12I152s")
"""The kernel aligns what follows the type as a pointer."""
_FORMAT_NAME = struct.Struct("=III32sI16x")
_RATE = struct.Struct("=IIIII184x")
_BUFFERS = struct.Struct("=III8x")
_BUFFER = struct.Struct("@5I2l16s2ILIIi0l")
_TYPE = struct.Struct("=i")


def _request(number: int, size: int, direction: int = 3) -> int:
    """As ``_IOWR`` has it; ``direction``: 1 to the kernel, 2 from it."""
    return direction << 30 | size << 16 | ord("V") << 8 | number


QUERY = _request(0, _CAPABILITY.size, 2)
ENUM_FORMAT = _request(2, _FORMAT_NAME.size)
GET_FORMAT = _request(4, _FORMAT.size)
SET_FORMAT = _request(5, _FORMAT.size)
REQUEST_BUFFERS = _request(8, _BUFFERS.size)
QUERY_BUFFER = _request(9, _BUFFER.size)
QUEUE = _request(15, _BUFFER.size)
DEQUEUE = _request(17, _BUFFER.size)
STREAM_ON = _request(18, _TYPE.size, 1)
STREAM_OFF = _request(19, _TYPE.size, 1)
GET_RATE = _request(21, _RATE.size)


def asked(request: int, index: int = 0) -> bytearray:
    """What a request is made with that tells nothing but the kind of device; ``index`` where formats are listed."""
    data = bytearray(request >> 16 & 0x3FFF)
    if request == ENUM_FORMAT:
        struct.pack_into("=II", data, 0, index, CAPTURE)
    elif request != QUERY:
        struct.pack_into("=I", data, 0, CAPTURE)
    return data


def buffer_request(count: int) -> bytearray:
    """Asks for ``count`` buffers that can be mapped; the answer begins with how many there are."""
    return bytearray(_BUFFERS.pack(count, CAPTURE, _MAPPED))


def _letters(number: int) -> str:
    return number.to_bytes(4, "little").decode("latin-1")


def read_rate(data: bytes) -> Fraction | None:
    """Pictures a second, where the driver knows."""
    _, _, _, numerator, denominator = _RATE.unpack(data)
    return Fraction(denominator, numerator) if numerator and denominator else None


class Capability(NamedTuple):
    """What a device is."""

    card: str
    capture: bool
    """Pictures come from it."""
    planes: bool
    """They come in several pieces of memory each, as from the cameras of many boards: not understood here."""
    stream: bool
    """Its memory can be mapped."""

    @classmethod
    def read(cls, data: bytes) -> Capability:
        """From the answer to ``QUERY``."""
        _, card, _, _, everything, own = _CAPABILITY.unpack(data)
        # ``everything`` is of all nodes of a camera together; only ``own`` tells this one from that for metadata.
        can = own if everything & _HAS_OWN else everything
        return cls(
            card.split(b"\0")[0].decode(errors="replace"),
            bool(can & _CAN_CAPTURE),
            bool(can & _CAN_CAPTURE_PLANES),
            bool(can & _CAN_STREAM),
        )


@dataclass(frozen=True, slots=True)
class PixelFormat:
    """What a camera is set to."""

    width: int
    height: int
    fourcc: str
    """Of its pixels, or its codec; four letters, as ``v4l2-ctl`` shows them."""
    field: int
    """How it is interlaced."""
    stride: int
    """Bytes from one row to the next, of the first plane; 0 where there are no rows."""

    @classmethod
    def read(cls, data: bytes) -> PixelFormat:
        """From the answer to ``GET_FORMAT`` or ``SET_FORMAT``."""
        _, width, height, letters, field, stride, *_ = _FORMAT.unpack(data)
        return cls(width, height, _letters(letters), field, stride)

    def other(self, letters: str) -> bytearray:
        """The same in another format, to be asked for."""
        number = int.from_bytes(letters.encode("latin-1"), "little")
        wanted = (self.width, self.height, number, self.field, *([0] * 8))
        return bytearray(_FORMAT.pack(CAPTURE, *wanted, b""))


def listed(data: bytes) -> str:
    """The format that an answer to ``ENUM_FORMAT`` names."""
    return _letters(_FORMAT_NAME.unpack(data)[4])


@dataclass(frozen=True, slots=True)
class Buffer:
    """A piece of memory that a picture is put into."""

    index: int
    bytes_used: int
    damaged: bool
    """The driver knows that not all of the picture came."""
    stamp: int
    """Microseconds on some clock."""
    sequence: int
    """Pictures before it since the camera was started, lost ones as well."""
    offset: int
    length: int

    @classmethod
    def read(cls, data: bytes) -> Buffer:
        """From the answer to ``QUERY_BUFFER`` or ``DEQUEUE``."""
        index, _, used, flags, _, seconds, micro, _, sequence, _, offset, length, _, _ = _BUFFER.unpack(data)
        return cls(index, used, bool(flags & _ERROR), seconds * 1_000_000 + micro, sequence, offset, length)

    @staticmethod
    def named(index: int = 0) -> bytearray:
        """Asks for one buffer, or for whichever is full."""
        return bytearray(_BUFFER.pack(index, CAPTURE, 0, 0, 0, 0, 0, b"", 0, _MAPPED, 0, 0, 0, 0))
