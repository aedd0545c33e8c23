"""Cameras of this machine: opened as they are set, and read until they are silent, gone or no longer wanted."""

from __future__ import annotations

import errno
import socket
from collections.abc import Generator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from typing import cast

from av.packet import Packet
from av.video.codeccontext import VideoCodecContext
from av.video.stream import VideoStream

from vidinfer.clock import Clock, unix_now
from vidinfer.errors import SourceError
from vidinfer.interrupt import Interrupt
from vidinfer.source.camera_formats import Rows, decodable, decoder_for, rows_of
from vidinfer.source.capture import DeviceTimes
from vidinfer.source.live_address import LiveAddress
from vidinfer.source.live_network import Wishes
from vidinfer.source.live_read import Arrived
from vidinfer.source.live_stream import Opened
from vidinfer.source.patience import Patience
from vidinfer.source.v4l2 import Captured, Device
from vidinfer.source.waits import Waits

__all__ = ["CameraReader", "open_camera"]

_TIME_BASE = Fraction(1, 1_000_000)
_MOST_MISSING = 1 << 16
"""Pictures: a counter that jumps by more was set anew."""
_PAUSE = 0.005
"""Seconds before a driver is asked again that says to have a picture and has none."""


def open_camera(where: LiveAddress, wishes: Wishes) -> Opened:
    """A camera of this machine, in the format, size and rate that it is set to."""
    ahead = unix_now() - wishes.clock.now()
    with ExitStack() as failed:
        device = Device(where, decodable)
        failed.callback(device.close)
        device.start()
        reader = CameraReader(
            device, rows_of(device.format), wishes.clock, wishes.interrupt, wishes.new_patience()
        )
        packaging = _Kernel(device)
        video = _CameraVideo(decoder_for(device.format), device.rate)
        details: dict[str, object] = {"camera": device.card, "pixel_format": device.format.fourcc}
        if wishes.interrupt.is_set:
            raise SourceError(f"{where.shown}: interrupted while connecting")
        failed.pop_all()
    return Opened(
        where.shown,
        packaging,
        video,
        reader,
        DeviceTimes(ahead),
        wishes.interrupt,
        ExitStack(),
        details=details,
    )


class CameraReader:
    """A :class:`~vidinfer.source.live_read.Reader`: what comes from a camera, each picture a keyframe by itself.

    Thread rule: iterate (once) on one thread.
    """

    def __init__(
        self, device: Device, rows: Rows | None, clock: Clock, interrupt: Interrupt, patience: Patience
    ) -> None:
        """Over a camera that was started; ``rows`` of raw pictures."""
        self._device = device
        self._rows = rows
        self._clock = clock
        self._interrupt = interrupt
        self._patience = patience
        self._waits = Waits()
        self._shown = 0.0
        """When the last whole picture came."""
        self._next_sequence: int | None = None
        self.ended = ""

    @property
    def waiting(self) -> float | None:
        """See :class:`~vidinfer.source.waits.Waits`."""
        return self._waits.share

    def __iter__(self) -> Generator[Arrived]:
        """Packets; ``ended`` says why there are no more."""
        ours, theirs = socket.socketpair()
        with ours, theirs, self._interrupt.ended_by(partial(_wake, theirs)):
            self._shown = begun = self._clock.now()
            while not self.ended:
                captured = self._captured(ours.fileno())
                if captured is None:
                    continue
                now = self._clock.now()
                self._waits.add(now, now - begun)
                yield self._arrived(captured, now)
                begun = self._clock.now()

    def _captured(self, wake: int) -> Captured | None:
        """The next picture; ``None``: look at ``ended``, and ask again."""
        if self._interrupt.is_set:
            self.ended = "interrupted"
        elif self._device.ready(max(0.0, self._patience.limit - self._quiet), wake):
            try:
                captured = self._device.take()
            except OSError as error:
                gone = error.errno in (errno.ENODEV, errno.ENXIO)
                self.ended = "unplugged" if gone else f"cut off ({error.strerror})"
                return None
            if captured is None:
                self._interrupt.wait(_PAUSE)
            return captured
        elif self._quiet >= self._patience.limit:
            self._stalled()
        return None

    def _arrived(self, captured: Captured, now: float) -> Arrived:
        data = captured.data if self._rows is None else self._rows.tidy(captured.data)
        whole = bool(data) and not captured.damaged
        if whole:
            self._patience.arrived(now)
            self._shown = now
        elif self._quiet >= self._patience.limit:
            self._stalled()
        packet = cast("Packet[VideoStream]", Packet(data or b"\0"))
        packet.pts = packet.dts = captured.stamp or None
        packet.time_base = _TIME_BASE
        packet.is_keyframe = True
        return Arrived(packet, now, whole, self._missing(captured.sequence))

    @property
    def _quiet(self) -> float:
        """Seconds since the last whole picture."""
        return self._clock.now() - self._shown

    def _stalled(self) -> None:
        self.ended = f"stalled: nothing came for {self._quiet:.1f} s"

    def _missing(self, sequence: int) -> int:
        """How many were lost before it, where the driver counts."""
        expected, self._next_sequence = self._next_sequence, (sequence + 1) % (1 << 32)
        missing = 0 if expected is None else (sequence - expected) % (1 << 32)
        return missing if missing < _MOST_MISSING else 0


@dataclass(frozen=True, slots=True)
class _CameraVideo:
    """A :class:`~vidinfer.source.coded_video.CodedVideo`."""

    codec_context: VideoCodecContext
    average_rate: Fraction | None
    time_base: Fraction = _TIME_BASE
    profile: str | None = None
    sample_aspect_ratio: Fraction | None = None


@dataclass(frozen=True, slots=True)
class _Kernel:
    """A :class:`~vidinfer.source.coded_video.Packaging`: there is none."""

    device: Device
    name: str = "v4l2"

    @property
    def format(self) -> _Kernel:
        """Its name is as FFmpeg calls such devices."""
        return self

    def close(self) -> None:
        """Give the camera back."""
        self.device.close()


def _wake(end: socket.socket) -> None:
    """Quick, and harmless when the reader is done: a socket that was closed knows it, its number may be another's."""
    with suppress(OSError):
        end.send(b"\0")
