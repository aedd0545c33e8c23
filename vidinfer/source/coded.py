"""What a coded picture says of itself before it is decoded: whether decoding can begin with it, whether others need it.

Read from the first bytes of each packet, not from the container's flags, which are the muxer's opinion: H.264 (ITU-T
H.264 7.3), HEVC (H.265 7.3), VP8 (RFC 6386 9.1), VP9 (its bitstream specification, 7.2 and annex B), AV1 (5.9), and
codecs in which each picture stands alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from vidinfer.source.bits import Bits, units

__all__ = ["ALONE", "Coded", "CodedReader", "reader_for"]

_HEAD = 8192
"""Bytes of a packet that are looked through for its first slice, before all are; x264 writes its settings first."""


class Coded(NamedTuple):
    """Of one packet."""

    start: bool = False
    """Decoding can begin here: what follows in both orders needs nothing from before."""
    key: bool | None = False
    """The decoder will call it a keyframe; ``None``: who knows."""
    disposable: bool = False
    """No other picture needs it."""
    shown: bool = True
    """It is displayed; else others need it only."""
    leading: bool = False
    """Shown before the start that it follows, and needs what came before that (RASL)."""
    odd: str = ""
    """Why nothing should be planned on it."""


CodedReader = Callable[[memoryview], Coded]

ALONE = frozenset({"mjpeg", "png", "prores", "dnxhd"})
"""Codecs in which each picture stands alone."""


def reader_for(codec: str, extradata: bytes | None) -> CodedReader | None:
    """The reader for packets of ``codec`` (FFmpeg's name) with such ``extradata``; ``None``: there is none."""
    if codec in ALONE:
        return lambda _: Coded(start=True, key=True, disposable=True)
    if codec == "h264":
        return _H264(extradata or b"")
    if codec == "hevc":
        return _Hevc(extradata or b"")
    return {"vp8": _vp8, "vp9": _vp9, "av1": _av1}.get(codec)


class _Nals:
    """Units of a packet: behind their lengths, or between start codes."""

    def __init__(self, length: int) -> None:
        """``length``: bytes of a length; 0: start codes."""
        self._length = length

    def of(self, data: memoryview) -> Iterator[bytes]:
        """Each unit from its head on, of the first ones all that matters."""
        if not self._length:
            yield from units(bytes(data[:_HEAD]))
            if len(data) > _HEAD:  # only who found no slice comes here
                yield from units(bytes(data))
            return
        at = 0
        while at + self._length < len(data):
            size = int.from_bytes(data[at : at + self._length], "big")
            at += self._length
            if not 0 < size <= len(data) - at:
                raise ValueError("a unit that is longer than its packet")
            yield bytes(data[at : at + min(size, _HEAD)])
            at += size


class _H264:
    """Progressive H.264; a packet of fields may hold half a picture."""

    def __init__(self, extradata: bytes) -> None:
        self._odd = ""
        packed = extradata[:1] == b"\1" and len(extradata) > 6
        self._nals = _Nals((extradata[4] & 3) + 1 if packed else 0)
        for unit in _h264_parameters(extradata) if packed else units(extradata):
            self._parameters(unit)

    def __call__(self, data: memoryview) -> Coded:
        recovery: bool | None = None
        try:
            for unit in self._nals.of(data):
                kind = unit[0] & 31
                if kind == 6 and recovery is None:
                    recovery = _recovers(unit[1:])
                elif kind == 7:
                    self._parameters(unit)
                elif 2 <= kind <= 4:
                    return Coded(odd="H.264 in partitions")
                elif kind in (1, 5):
                    return self._picture(idr=kind == 5, needed=bool(unit[0] & 96), recovery=recovery)
        except (ValueError, IndexError):
            pass
        return Coded(odd="an H.264 packet that cannot be read")

    def _picture(self, *, idr: bool, needed: bool, recovery: bool | None) -> Coded:
        if self._odd:
            return Coded(odd=self._odd)
        start = idr or recovery is True
        # Gradual refresh begins with whatever picture; whether FFmpeg calls that one a keyframe depends on its slices.
        return Coded(start, None if recovery is False and not idr else start, not needed)

    def _parameters(self, unit: bytes) -> None:
        if unit and unit[0] & 31 == 7:
            try:
                progressive = _progressive(Bits(unit[1:256]))
            except ValueError:
                progressive = False
            self._odd = "" if progressive else "H.264 that may be interlaced"


def _h264_parameters(extradata: bytes) -> Iterator[bytes]:
    """Sequence parameter sets of an ``avcC`` box (ISO/IEC 14496-15 5.3)."""
    at = 6
    for _ in range(extradata[5] & 31):
        size = int.from_bytes(extradata[at : at + 2], "big")
        yield extradata[at + 2 : at + 2 + size]
        at += 2 + size


_HIGH = frozenset({100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135})


def _progressive(bits: Bits) -> bool:
    """``frame_mbs_only_flag`` of a sequence parameter set."""
    profile = bits.take(8)
    bits.take(16)
    bits.golomb()
    if profile in _HIGH:
        chroma = bits.golomb()
        if chroma == 3:
            bits.take(1)
        bits.golomb()
        bits.golomb()
        bits.take(1)
        if bits.flag():
            for i in range(12 if chroma == 3 else 8):
                if bits.flag():
                    _skip_scaling(bits, 16 if i < 6 else 64)
    bits.golomb()
    order = bits.golomb()
    if order == 0:
        bits.golomb()
    elif order == 1:
        bits.take(1)
        bits.golomb()
        bits.golomb()
        for _ in range(min(255, bits.golomb())):
            bits.golomb()
    bits.golomb()
    bits.take(1)
    bits.golomb()
    bits.golomb()
    return bits.flag()


def _skip_scaling(bits: Bits, size: int) -> None:
    last = following = 8
    for _ in range(size):
        if following:
            value = bits.golomb()
            following = (last + ((value + 1) // 2 if value % 2 else -(value // 2))) % 256
        last = following or last


def _recovers(sei: bytes) -> bool | None:
    """Whether all is exact from this picture on; ``False``: some time later, or nearly; ``None``: not said."""
    at = 0
    while at + 2 < len(sei):
        kind = size = 0
        while sei[at] == 255:
            kind, at = kind + 255, at + 1
        kind, at = kind + sei[at], at + 1
        while sei[at] == 255:
            size, at = size + 255, at + 1
        size, at = size + sei[at], at + 1
        if kind == 6:
            return sei[at] & 0xE0 == 0xC0  # no frames to wait for, exact, no broken link
        at += size
    return None


class _Hevc:
    """HEVC."""

    def __init__(self, extradata: bytes) -> None:
        self._odd = ""
        self._layers = 0
        packed = extradata[:1] == b"\1" and len(extradata) > 22
        self._nals = _Nals((extradata[21] & 3) + 1 if packed else 0)
        for unit in _hevc_parameters(extradata) if packed else units(extradata):
            self._parameters(unit)

    def __call__(self, data: memoryview) -> Coded:
        if bytes(data[-2:]) in (b"\x48\1", b"\x4a\1"):
            return Coded(odd="an HEVC sequence that ends within the file")
        try:
            for unit in self._nals.of(data):
                if unit[0] & 1 or unit[1] >> 3:  # of another layer than the base
                    continue
                kind = unit[0] >> 1
                if kind < 32:
                    return Coded(odd=self._odd) if self._odd else self._picture(kind, unit)
                self._parameters(unit)
        except (ValueError, IndexError):
            pass
        return Coded(odd="an HEVC packet that cannot be read")

    def _picture(self, kind: int, unit: bytes) -> Coded:
        if kind in (16, 17, 18, 22, 23):
            return Coded(odd="HEVC with broken links")
        if kind >= 19 and unit[2] & 0x40:  # no_output_of_prior_pics_flag
            return Coded(odd="HEVC that takes pictures back")
        start = kind in (19, 20, 21)
        disposable = kind <= 14 and kind % 2 == 0 and (unit[1] & 7) - 1 == self._layers
        return Coded(start, start, disposable, leading=kind in (8, 9))

    def _parameters(self, unit: bytes) -> None:
        kind = unit[0] >> 1
        if kind == 33:
            self._layers = unit[2] >> 1 & 7
        elif kind == 34:
            bits = Bits(unit[2:64])
            bits.golomb()
            bits.golomb()
            bits.take(1)
            if bits.flag():
                self._odd = "HEVC with pictures that are not shown"


def _hevc_parameters(extradata: bytes) -> Iterator[bytes]:
    """Parameter sets of an ``hvcC`` box (ISO/IEC 14496-15 8.3)."""
    at = 23
    for _ in range(extradata[22]):
        count, at = int.from_bytes(extradata[at + 1 : at + 3], "big"), at + 3
        for _ in range(count):
            size = int.from_bytes(extradata[at : at + 2], "big")
            if size > 2:
                yield extradata[at + 2 : at + 2 + size]
            at += 2 + size


def _vp8(data: memoryview) -> Coded:
    if not data:
        return Coded(odd="an empty packet")
    key, shown = not data[0] & 1, bool(data[0] & 16)
    return _shown_once("VP8", [(key, shown)])


def _vp9(data: memoryview) -> Coded:
    try:
        return _shown_once("VP9", [_vp9_frame(data[at]) for at in _vp9_frames(data)])
    except (ValueError, IndexError):
        return Coded(odd="a VP9 packet that cannot be read")


def _vp9_frames(data: memoryview) -> list[int]:
    """Where the frames of a packet begin; its last byte tells of a table."""
    marker = data[-1]
    if marker & 0xE0 != 0xC0:
        return [0]
    count, width = (marker & 7) + 1, (marker >> 3 & 3) + 1
    table = len(data) - 2 - count * width
    if table < 0 or data[table] != marker:
        return [0]
    at, starts = 0, []
    for i in range(count):
        size = int.from_bytes(data[table + 1 + i * width : table + 1 + (i + 1) * width], "little")
        if size:
            starts.append(at)
        at += size
    if at > table:
        raise ValueError("frames that are longer than their packet")
    return starts


def _vp9_frame(first: int) -> tuple[bool, bool]:
    """Whether it is a keyframe, and whether it is shown."""
    if first >> 6 != 2:
        raise ValueError("no frame")
    bits = first & 15
    if first & 0x30 == 0x30:  # profile 3: a bit more, so that one is missing here
        raise ValueError("profile 3")
    existing, other, shown = bits >> 3, bits >> 2 & 1, bits >> 1 & 1
    return (False, True) if existing else (not other, bool(shown))


def _av1(data: memoryview) -> Coded:
    frames: list[tuple[bool, bool]] = []
    try:
        for kind, layer, body in _obus(data):
            if layer:
                return Coded(odd="AV1 in layers")
            if kind == 1 and data[body] & 8:
                return Coded(odd="an AV1 still picture")
            if kind in (3, 6):
                first = data[body]
                key, shown = not first & 0x60, bool(first & 0x10)
                frames.append((False, True) if first & 0x80 else (key, shown))
    except (ValueError, IndexError):
        return Coded(odd="an AV1 packet that cannot be read")
    return _shown_once("AV1", frames)


def _obus(data: memoryview) -> Iterator[tuple[int, int, int]]:
    """Type, spatial layer, and where the body begins (AV1 5.3)."""
    at = 0
    while at < len(data):
        head, at = data[at], at + 1
        layer = 0
        if head & 4:
            layer, at = data[at] >> 3 & 3, at + 1
        size, shift = 0, 0
        if not head & 2:
            size = len(data) - at
        else:
            while True:
                byte, at = data[at], at + 1
                size |= (byte & 127) << shift
                shift += 7
                if byte < 128:
                    break
                if shift > 56:
                    raise ValueError("no size")
        yield head >> 3 & 15, layer, at
        at += size
    if at != len(data):
        raise ValueError("longer than its packet")


def _shown_once(codec: str, frames: list[tuple[bool, bool]]) -> Coded:
    """A packet of frames, each a keyframe or not, shown or not."""
    shown = sum(one for _, one in frames)
    if shown > 1 or not frames:
        return Coded(odd=f"{codec} packets of {shown} pictures")
    if any(key and not one for key, one in frames):
        return Coded(odd=f"{codec} keyframes that are not shown")
    key = any(key for key, _ in frames)
    return Coded(start=key, key=key, shown=bool(shown))
