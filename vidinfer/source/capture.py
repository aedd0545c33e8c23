"""When frames were captured, for those sources that say so."""

from __future__ import annotations

from fractions import Fraction
from typing import Protocol

import av
from av.container import InputContainer
from av.video.stream import VideoStream

from vidinfer.arrival import TimeSource
from vidinfer.source.live_read import Arrived
from vidinfer.source.rtcp import SenderClock, read_report

__all__ = ["CaptureTimes", "DeviceTimes", "SenderTimes", "Unknown"]

_PLAUSIBLE = 946_684_800.0
"""Unix seconds of the year 2000."""


class CaptureTimes(Protocol):
    """Thread rule: one thread at a time."""

    source: TimeSource
    """Of what ``captured`` says."""

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
    """Of a V4L2 camera: its ``pts`` are the kernel's stamps, in Unix time where FFmpeg could convert them."""

    source = TimeSource.DEVICE

    def __init__(self, stream: VideoStream) -> None:
        self._time_base = Fraction(stream.time_base or Fraction(1, av.time_base))

    def packet(self, arrived: Arrived) -> None:
        """Nothing to look at."""

    def captured(self, pts: int | None) -> float | None:
        """The stamp, unless it counts from some other moment."""
        seconds = None if pts is None else float(pts * self._time_base)
        return seconds if seconds is not None and seconds > _PLAUSIBLE else None

    def facts(self) -> dict[str, object]:
        """Where the time comes from."""
        return {"source": self.source.value}


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
