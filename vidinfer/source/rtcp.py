"""A camera's wall clock from its RTCP sender reports, once they were found to make sense.

A report says: at this wall-clock time (NTP) my media clock stood there (RTP). FFmpeg tells what the first one makes the
wall clock at ``pts`` 0, and hands on the others. Cameras set their clocks, run them at another pace, or pair the two
carelessly; a time of capture is only told while the reports agree with each other and with our own clock.

FFmpeg also writes a time on each packet (``prft``). It is not used: where FFmpeg puts packets together itself (H.264,
HEVC), some carry their own and some that of the next.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from fractions import Fraction

__all__ = ["Report", "SenderClock", "read_report"]

_NTP_TO_UNIX = 2_208_988_800
_EARLIEST, _LATEST = 946_684_800.0, 4_102_444_800.0
"""The years 2000 to 2100: a camera without a battery begins in 1970, or in 1900."""
_DRIFT = 500e-6
_CARELESS = 0.02
"""Seconds by which the two halves of a report may be apart at any drift."""
_MEASURABLE = 10.0
"""Seconds over which a drift can be told from carelessness."""
_LATE = 0.5
"""Seconds that a report may take longer than another one to get here."""


@dataclass(frozen=True, slots=True)
class Report:
    """A sender report."""

    ssrc: int
    wall: float
    """Unix seconds on the sender's clock."""
    rtp: int
    """The media clock at that moment, modulo 2**32."""


def read_report(data: bytes) -> Report:
    """From FFmpeg's side data ``rtcp_sr``, which is in the byte order of this machine."""
    ssrc, ntp, rtp = struct.unpack_from("=I4xQI", data)
    return Report(ssrc, (ntp >> 32) - _NTP_TO_UNIX + (ntp & 0xFFFFFFFF) / 2**32, rtp)


class SenderClock:
    """Whether a sender's reports can be believed: two in a row that agree, from then on as long as they do.

    Agree: wall clock and media clock went on by the same time, to 500 ppm (and 20 ms, for carelessness), and by about
    as much as our own clock did. After a disagreement it takes two again.

    Thread rule: one thread at a time.
    """

    def __init__(self, rate: Fraction) -> None:
        """``rate``: units of the media clock in a second."""
        self._rate = float(rate)
        self._last: tuple[Report, float] | None = None
        self._first: tuple[Report, float] | None = None
        self._media = 0.0
        self._changed = False
        self.trusted = False
        """The sender's time can be believed now."""
        self.reports = 0
        self.jumps = 0
        """Reports that did not fit the one before."""
        self.why = "no sender report has come"
        """Why it is not trusted; ``""``: it is."""
        self.correction = 0.0
        """Seconds by which the wall clock has outrun the media clock since the first report."""

    def report(self, report: Report, received: float) -> None:
        """A report that came at ``received``, monotonic seconds."""
        before, first = self._last, self._first
        if before is not None and report == before[0]:
            return  # FFmpeg may hand one on twice
        self.reports += 1
        self._last = (report, received)
        if before is None or first is None:
            self._distrust("one sender report is not enough")
            return
        if report.ssrc != before[0].ssrc:
            self._changed = True
        media = _signed(report.rtp - before[0].rtp) / self._rate
        wall, ours = report.wall - before[0].wall, received - before[1]
        self.correction += wall - media
        if self._changed:
            self._distrust("the sender changed; its media clock is another one now")
        elif not _EARLIEST < report.wall < _LATEST:
            self._distrust("the sender's clock is not set")
        elif abs(wall - media) > _CARELESS + _DRIFT * abs(media) or abs(wall - ours) > _LATE + _DRIFT * ours:
            self.jumps += 1
            self._distrust("the sender's clock jumped, or runs at another pace than its media clock")
        else:
            self._media += media
            self.trusted, self.why = True, ""

    @property
    def drift_ppm(self) -> float | None:
        """By how much the sender's wall clock outruns its media clock, since they were last trusted."""
        if not self.trusted or self._first is None or self._last is None or self._media < _MEASURABLE:
            return None
        return ((self._last[0].wall - self._first[0].wall) / self._media - 1) * 1e6

    def _distrust(self, why: str) -> None:
        self.trusted, self.why = False, why
        self._first, self._media = self._last, 0.0


def _signed(difference: int) -> int:
    """Of two numbers modulo 2**32."""
    return (difference + 2**31) % 2**32 - 2**31
