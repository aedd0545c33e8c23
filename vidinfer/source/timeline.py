"""Timestamps for containers that store none: AVI."""

from __future__ import annotations

from collections import deque
from fractions import Fraction

from av.packet import Packet
from av.video.stream import VideoStream

from vidinfer.frame import Gap

__all__ = ["ChunkTimes"]


class ChunkTimes:
    """The n-th frame shown has the time of the n-th chunk.

    AVI numbers its chunks in decoding order and knows no presentation time. With B-frames FFmpeg guesses one ``pts``
    per packet, which then runs backwards from frame to frame. Handing the chunks' own times out in presentation
    order gives what the maker of the file meant, without any rate: ticks of dropped (empty) chunks stay empty.

    Thread rule: one thread at a time.
    """

    def __init__(self) -> None:
        self._times: deque[int] = deque()

    def sent(self, packet: Packet[VideoStream]) -> None:
        """Note a packet before it is decoded."""
        if packet.size and packet.dts is not None:
            self._times.append(packet.dts)

    def failed(self, packet: Packet[VideoStream]) -> None:
        """Take back the time of a packet that gave no frame."""
        if packet.dts is not None and packet.dts in self._times:
            self._times.remove(packet.dts)

    def next(self) -> int | None:
        """The time of the frame that has just come out."""
        return self._times.popleft() if self._times else None

    def rest(self, time_base: Fraction) -> Gap | None:
        """The packets that no frame came out of, once the decoder was emptied."""
        if not self._times:
            return None
        lost = len(self._times)
        return Gap(self._times[0], self._times[-1], time_base, lost, f"{lost} packets gave no frame")
