"""A recording played at its own pace: a camera that anybody has at hand."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from fractions import Fraction

import av
import av.error
from av.container import InputContainer
from av.packet import Packet
from av.video.stream import VideoStream

from vidinfer.clock import Clock
from vidinfer.interrupt import Interrupt
from vidinfer.source.live_read import Arrived

__all__ = ["PacedReader"]

_LONGEST = 10.0
"""Seconds to wait for one packet at most: what is farther away is a jump of the recording's clock."""


class PacedReader:
    """Gives each packet out when it is due by its own time.

    Packets that have no time at all follow at once. Played in a loop, times run on: the first packet of the next round
    comes as long after the last one as that came after the one before. A reader that is late does not slow the
    recording down: what was due meanwhile comes at once, as from a camera.

    Thread rule: iterate (once) on one thread.
    """

    def __init__(
        self,
        container: InputContainer,
        stream: VideoStream,
        clock: Clock,
        interrupt: Interrupt,
        *,
        loop: bool,
    ) -> None:
        self._container = container
        self._stream = stream
        self._clock = clock
        self._interrupt = interrupt
        self._loop = loop
        self._time_base = Fraction(stream.time_base or Fraction(1, av.time_base))
        self._shift = 0
        self._last: int | None = None
        self._step = 1
        self._due: tuple[float, int] | None = None
        """A moment, and the time that belongs to it."""
        self.ended = ""
        self.waiting: float | None = None
        """Not told: a recording is never slow."""

    def __iter__(self) -> Generator[Arrived]:
        """Packets, with ``pts`` and ``dts`` that go on from round to round."""
        while True:
            read = 0
            for packet in self._round():
                read += 1
                self._shifted(packet)
                self._wait(packet.pts if packet.dts is None else packet.dts)
                if self._interrupt.is_set:
                    self.ended = "interrupted"
                    return
                yield Arrived(packet, self._clock.now())
            yield Arrived(None, self._clock.now())
            if not self._loop or not read or not self._rewound():
                self.ended = self.ended or "played to its end"
                return

    def _round(self) -> Iterator[Packet[VideoStream]]:
        try:
            for packet in self._container.demux(self._stream):
                if packet.size:
                    yield packet
        except (av.FFmpegError, OSError, EOFError) as error:
            if self._interrupt.is_set:
                self.ended = "interrupted"
            elif not self._loop:
                words = getattr(error, "strerror", None) or type(error).__name__
                self.ended = f"cannot be read on ({words})"

    def _shifted(self, packet: Packet[VideoStream]) -> None:
        time = packet.pts if packet.dts is None else packet.dts
        if time is None:
            return
        if self._last is None and self._due is not None:  # the first of another round
            self._shift = self._due[1] + self._step - time
        elif self._last is not None and time > self._last:
            self._step = time - self._last
        self._last = time
        if packet.dts is not None:
            packet.dts += self._shift
        if packet.pts is not None:
            packet.pts += self._shift

    def _wait(self, time: int | None) -> None:
        """Until ``time``, in units of the time base and shifted, is due."""
        if time is None:
            return
        now = self._clock.now()
        if self._due is None:
            self._due = (now, time)
            return
        due = self._due[0] + float((time - self._due[1]) * self._time_base)
        if not -_LONGEST < due - now < _LONGEST:
            due = now  # the recording's clock jumped, or nobody read for long
        self._due = (due, time)
        if due > now:
            self._interrupt.wait(due - now)

    def _rewound(self) -> bool:
        try:
            self._container.seek(
                0 if self._stream.start_time is None else self._stream.start_time, stream=self._stream
            )
        except (av.FFmpegError, OSError):
            self.ended = "played to its end, and cannot be played again"
            return False
        self._last = None
        return True
