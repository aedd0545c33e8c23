"""Frames of H.264 that are missing: decoders invent them without a word, and what refers to them is made up too.

Each frame that others may refer to is numbered (``frame_num``, ITU-T H.264 7.4.3). RTP has numbers of its own, which
FFmpeg keeps to itself; these are in the stream, whatever it came through.
"""

from __future__ import annotations

from vidinfer.source.bits import Bits, units
from vidinfer.source.missing import Missing

__all__ = ["FrameNumbers"]

_HEAD = 4096
"""Bytes of a packet that are looked through for the head of its first slice."""
_SLICE_HEAD, _SPS_HEAD = 32, 512
"""Bytes of either, at most, that matter."""
_SLICE, _KEY_SLICE, _SPS = 1, 5, 7
_CHROMA_PROFILES = frozenset({44, 83, 86, 100, 110, 118, 122, 128, 134, 135, 138, 139, 244})


class FrameNumbers:
    """A :class:`~vidinfer.source.missing.Continuity`: tells where a reference frame is missing between two packets.

    Streams whose encoder may leave numbers out say so, and are never found to miss any; nor is anything that cannot be
    read. Lost frames that no other refers to are not noticed: they harm nobody.

    Thread rule: one thread at a time.
    """

    def __init__(self, extradata: bytes = b"") -> None:
        """``extradata``: of the codec; only start codes are understood, as RTSP and MPEG-TS have them."""
        self._bits = 0
        """Of a frame's number; 0: not known, or it may have holes."""
        self._planes = False
        self._reference: int | None = None
        self._look_for_sps(extradata)

    def next(self, packet: bytes, pts: int | None, *, key: bool) -> Missing:  # noqa: ARG002
        """What is missing for ``packet``; ``key``: it can be decoded without those before."""
        if key:
            self.key(packet)
        elif self.missing_before(packet):
            return Missing.REFERENCE
        return Missing.NOTHING

    def forget(self) -> None:
        """Packets were left out: counting begins with the next keyframe."""
        self._reference = None

    def key(self, packet: bytes) -> None:
        """A packet that can be decoded without those before: counting begins with it."""
        self._reference = None
        self._look_for_sps(packet)
        found = self._number(packet)
        if found is not None:
            self._reference = found[0]

    def missing_before(self, packet: bytes) -> bool:
        """Whether a frame is missing that this packet, the next one, may refer to."""
        found = self._number(packet)
        if found is None:
            return False
        number, is_reference = found
        before, self._reference = self._reference, number if is_reference else self._reference
        return before is not None and (number - before) % (1 << self._bits) > 1

    def _number(self, packet: bytes) -> tuple[int, bool] | None:
        if not self._bits:
            return None
        for unit in units(packet[:_HEAD]):
            if unit[0] & 31 in (_SLICE, _KEY_SLICE):
                bits = Bits(unit[1:_SLICE_HEAD])
                try:
                    for _ in range(3):  # its first block, its type, its parameters
                        bits.golomb()
                    if self._planes:
                        bits.take(2)
                    return bits.take(self._bits), bool(unit[0] & 0x60)
                except ValueError:
                    return None
        return None

    def _look_for_sps(self, data: bytes) -> None:
        for unit in units(data[:_HEAD]):
            if unit[0] & 31 == _SPS:
                try:
                    self._bits, self._planes = _read_sps(Bits(unit[1:_SPS_HEAD]))
                except ValueError:
                    self._bits = 0


def _read_sps(bits: Bits) -> tuple[int, bool]:
    """Bits of a frame's number (0 where it may have holes), and whether colour planes are coded apart (7.3.2.1.1)."""
    profile = bits.take(8)
    bits.take(16)
    bits.golomb()
    planes = profile in _CHROMA_PROFILES and _skip_chroma(bits)
    count = bits.golomb() + 4
    order = bits.golomb()
    if order == 0:
        bits.golomb()
    elif order == 1:
        bits.take(1)
        for _ in range(2):
            bits.golomb()
        for _ in range(bits.golomb()):
            bits.golomb()
    bits.golomb()
    return (0 if bits.take(1) or count > 16 else count), planes


def _skip_chroma(bits: Bits) -> bool:
    chroma = bits.golomb()
    planes = chroma == 3 and bool(bits.take(1))
    bits.golomb()
    bits.golomb()
    bits.take(1)
    if bits.take(1):
        for i in range(12 if chroma == 3 else 8):
            if bits.take(1):
                _skip_scaling(bits, 16 if i < 6 else 64)
    return planes


def _skip_scaling(bits: Bits, size: int) -> None:
    last = following = 8
    for _ in range(size):
        if following:
            code = bits.golomb()
            following = (last + (code + 1 >> 1) * (1 if code & 1 else -1)) % 256
        last = following or last
