"""When frames were captured, for those sources that say so."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Protocol

import av
from av.container import InputContainer
from av.video.stream import VideoStream

from vidinfer.arrival import TimeSource
from vidinfer.clock import unix_now
from vidinfer.source.live_read import Arrived
from vidinfer.source.rtcp import SenderClock, read_report

__all__ = ["CaptureTimes", "DeviceTimes", "SenderTimes", "Unknown"]

_EARLY, _OLD = 0.005, 2.0
"""Seconds: how far before its arrival a picture of a camera of this machine can have been taken; some drivers reckon
times from the camera's clock, and are a little off."""


class CaptureTimes(Protocol):
    """Thread rule: one thread at a time."""

    @property
    def source(self) -> TimeSource:
        """Of what ``captured`` says."""
        ...

    def packet(self, arrived: Arrived) -> None:
        """Look at a packet, in the order of reading."""
        ...

    def captured(self, pts: int | None) -> float | None:
        """Unix seconds on the clock of the camera; ``None``: not known, or not to be believed."""
        ...

    def facts(self) -> dict[str, object]:
        """Ready for JSON."""
        ...


class Unknown:
    """Of sources that tell no time."""

    source = TimeSource.RECEIVED

    def packet(self, arrived: Arrived) -> None:
        """Nothing to look at."""

    def captured(self, pts: int | None) -> float | None:  # noqa: ARG002
        """Never known."""
        return None

    def facts(self) -> dict[str, object]:
        """Where the time comes from."""
        return {"source": self.source.value}


class DeviceTimes:
    """Of a camera of this machine: the kernel's stamps, of which drivers do not reliably say by which clock.

    A stamp is believed where it lies shortly before its picture came, by the monotonic clock or by the wall clock. The
    first one decides between the two, and no stamp may be older than the one before.

    Stamps of the monotonic clock are put on the wall clock once for the connection, as times of arrival are.
    """

    def __init__(self, ahead: float, wall: Callable[[], float] = unix_now) -> None:
        """``ahead``: seconds by which the wall clock was ahead of the monotonic one; ``wall()``: Unix seconds now."""
        self._ahead = ahead
        self._wall = wall
        self._clock: str | None = None
        self._last = 0
        self._trusted = False
        self._refused = 0
        self._why = "no picture has come"

    @property
    def source(self) -> TimeSource:
        """The device, once it was believed."""
        return TimeSource.RECEIVED if self._clock is None else TimeSource.DEVICE

    def packet(self, arrived: Arrived) -> None:
        """Check the stamp of a picture."""
        pts = None if arrived.packet is None else arrived.packet.pts
        self._why = self._doubt(pts, arrived.received)
        self._trusted = not self._why
        self._refused += not self._trusted
        self._last = self._last if pts is None else pts

    def captured(self, pts: int | None) -> float | None:
        """The stamp of the picture just looked at, in Unix seconds."""
        if pts is None or self._clock is None or not self._trusted:
            return None
        return pts / 1e6 + (self._ahead if self._clock == "monotonic" else 0.0)

    def facts(self) -> dict[str, object]:
        """Whether stamps are believed, and by which clock they are."""
        return {
            "source": self.source.value,
            "stamps": self._clock,
            "stamps_refused": self._refused,
            "why_not": self._why,
        }

    def _doubt(self, pts: int | None, received: float) -> str:
        """Why not to believe it; ``""``: it is believed."""
        if pts is None:
            return "the driver gives no times"
        if pts <= self._last:
            return "the driver's times do not go forward"
        # The wall clock is set and slewed meanwhile, and stamps by it with it: they are held against what it shows now.
        ages = {"monotonic": received - pts / 1e6, "unix": self._wall() - pts / 1e6}
        if self._clock is None:
            self._clock = next((name for name, age in ages.items() if -_EARLY <= age <= _OLD), None)
        if self._clock is None:
            return "the driver's times are by no clock of this machine"
        age = ages[self._clock]
        return "" if -_EARLY <= age <= _OLD else f"a picture was {age:.1f} s old by the driver's time"


class SenderTimes:
    """Of an RTSP stream: from its sender reports."""

    source = TimeSource.RTCP

    def __init__(self, container: InputContainer, stream: VideoStream) -> None:
        self._container = container
        self._time_base = Fraction(stream.time_base or Fraction(1, av.time_base))
        self._clock = SenderClock(1 / self._time_base)
        self._start: float | None = None

    def packet(self, arrived: Arrived) -> None:
        """Note the report that came with a packet."""
        packet = arrived.packet
        if packet is not None and packet.has_sidedata("rtcp_sr"):
            self._clock.report(read_report(bytes(packet.get_sidedata("rtcp_sr"))), arrived.received)
            start = self._container.start_time_realtime
            self._start = None if start is None else start / 1e6

    def captured(self, pts: int | None) -> float | None:
        """By the last report, while the reports agree."""
        if pts is None or self._start is None or not self._clock.trusted:
            return None
        return self._start + self._clock.correction + float(pts * self._time_base)

    def facts(self) -> dict[str, object]:
        """Whether the reports are believed, and how the sender's clock behaves."""
        clock = self._clock
        source = self.source if clock.trusted and self._start is not None else TimeSource.RECEIVED
        drift = clock.drift_ppm
        return {
            "source": source.value,
            "reports": clock.reports,
            "jumps": clock.jumps,
            "drift_ppm": None if drift is None else round(drift, 1),
            "why_not": clock.why,
        }
