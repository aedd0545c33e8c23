"""Packets as they arrive, and the end of them, whatever the other end does."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import nullcontext
from typing import NamedTuple, Protocol

import av
import av.error
from av.container import InputContainer
from av.packet import Packet
from av.video.stream import VideoStream

from vidinfer.clock import Clock
from vidinfer.errors import SourceError
from vidinfer.interrupt import Interrupt
from vidinfer.source.patience import Patience
from vidinfer.source.rtp_losses import RtpLosses
from vidinfer.source.waits import Waits

__all__ = ["SLICE", "Arrived", "LiveReader", "Reader"]

SLICE = 1.8
"""Seconds after which FFmpeg gives up waiting for a socket: a second is asked for in tenths, and it takes one more."""
_OVER = 0.2
"""A wait of ``SLICE`` may end so much later, and a stall be noticed so much sooner."""


class Arrived(NamedTuple):
    """A packet, and when it was read."""

    packet: Packet[VideoStream] | None
    """``None``: nothing that comes later continues what came so far."""
    received: float
    """Monotonic seconds."""
    whole: bool = True
    """``False``: a part of it may have been lost on the way."""
    missing: int = 0
    """Packets that were lost right before it, where those are counted."""


class Reader(Protocol):
    """Where packets come from. Iterate once."""

    ended: str
    """Why there are no more; ``""`` while there may be."""

    @property
    def waiting(self) -> float | None:
        """Share of the time that went into waiting for packets lately."""
        ...

    def __iter__(self) -> Iterator[Arrived]:
        """Packets in the order of decoding."""
        ...


class LiveReader:
    """Reads an open container until it ends, stalls, fails or is interrupted.

    FFmpeg waits for a socket ``SLICE`` seconds at most and then says so; it can be asked again where it keeps no state
    of the failure (``resumable``: RTSP), so that cameras slower than that can be read and an interrupt is noticed. What
    it cannot do is be woken.

    Thread rule: iterate (once) on one thread.
    """

    def __init__(
        self,
        container: InputContainer,
        stream: VideoStream,
        clock: Clock,
        interrupt: Interrupt,
        patience: Patience,
        *,
        wait: float | None = None,
        resumable: bool = False,
        losses: RtpLosses | None = None,
    ) -> None:
        """Over an open container.

        Args:
            wait: seconds after which FFmpeg gives up a read; ``None``: what it reads from keeps the time itself.
            resumable: FFmpeg can be asked again after that.
            losses: of the connection; what was lost while opening included. ``None``: nobody knows.
        """
        self._container = container
        self._stream = stream
        self._clock = clock
        self._interrupt = interrupt
        self._patience = patience
        self._wait = wait
        self._resumable = resumable
        self._losses = losses
        self._torn = False
        """The next packet had begun when something was lost."""
        self.ended = ""
        self._waits = Waits()

    @property
    def waiting(self) -> float | None:
        """See :class:`~vidinfer.source.waits.Waits`."""
        return self._waits.share

    def __iter__(self) -> Generator[Arrived]:
        """Packets with something in them; ``ended`` says why there are no more."""
        packets = self._container.demux(self._stream)
        quiet = 0.0
        if self._interrupt.is_set:
            self.ended = "interrupted"
        while not self.ended:
            begun = self._clock.now()
            packet, failure = self._next(packets)
            now = self._clock.now()
            waited = now - begun
            if self._interrupt.is_set:
                self.ended = "interrupted"
            elif packet is None:
                packets, quiet = self._after(failure, packets, quiet + waited)
            else:
                # At the end of a wait FFmpeg gives out what lay there, not knowing whether it was complete.
                quiet = self._wait if self._wait is not None and waited >= self._wait else 0.0
                self._patience.arrived(now - quiet)
                self._waits.add(now, waited)
                yield Arrived(packet, now - quiet, self._whole())
                if self._interrupt.is_set:
                    self.ended = "interrupted"
                elif quiet and quiet + _OVER >= self._patience.limit:
                    self._stalled(quiet)

    def _whole(self) -> bool:
        """Of the packet just read. It was given out at the beginning of the next one: either may have the hole."""
        if self._losses is None:
            return True
        whole = not (self._losses.lost or self._torn)
        self._torn, self._losses.lost = self._losses.lost, False
        return whole

    def _next(
        self, packets: Iterator[Packet[VideoStream]]
    ) -> tuple[Packet[VideoStream] | None, Exception | None]:
        try:
            with self._losses.heard() if self._losses is not None else nullcontext():
                for packet in packets:
                    if packet.size:
                        return packet, None
        except (av.FFmpegError, OSError, EOFError) as error:
            return None, error
        return None, None

    def _after(
        self, failure: Exception | None, packets: Iterator[Packet[VideoStream]], quiet: float
    ) -> tuple[Iterator[Packet[VideoStream]], float]:
        """What to go on reading, after a read that gave nothing, and for how long nothing has come."""
        if isinstance(failure, TimeoutError):
            if self._resumable and quiet + _OVER < self._patience.limit:
                return self._container.demux(self._stream), quiet
            self._stalled(quiet)
        elif failure is None:
            self.ended = "closed by the other end"
        elif (
            self._wait is not None and quiet >= self._wait
        ):  # UDP has no other word for it than an input error
            self._stalled(quiet)
        else:
            self.ended = f"cut off ({_words(failure)})"
        return packets, quiet

    def _stalled(self, quiet: float) -> None:
        self.ended = f"stalled: nothing came for {quiet:.1f} s"


def _words(failure: Exception) -> str:
    """Without the address, which FFmpeg's errors hold as it was given."""
    if isinstance(failure, SourceError):
        return str(failure)
    return getattr(failure, "strerror", None) or type(failure).__name__
