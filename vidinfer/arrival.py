"""When a live frame came, and what happened to it when: the times that its latency is made of."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, StrEnum

from vidinfer.frame import Frame

__all__ = ["Arrival", "Received", "Shed", "TimeSource"]


class TimeSource(StrEnum):
    """Where the time of capture of a frame comes from."""

    RTCP = "rtcp"
    """The camera's wall clock, from sender reports that were checked."""
    DEVICE = "device"
    """The kernel's stamp, of a camera on this machine, that was checked."""
    RECEIVED = "received"
    """Nobody says: there is only the time of arrival."""


class Shed(IntEnum):
    """What a decoder leaves out to keep up; more with each level."""

    NOTHING = 0
    NON_REFERENCE = 1
    """Frames that no other frame needs."""
    NON_KEY = 2
    """All but keyframes."""


@dataclass(frozen=True, slots=True)
class Received:
    """A frame of a live source."""

    frame: Frame
    received: float
    """Seconds on the monotonic clock, taken right after its packet was read."""
    captured: float | None = None
    """Unix seconds on the camera's clock."""
    time_source: TimeSource = TimeSource.RECEIVED


@dataclass(frozen=True, slots=True)
class Arrival:
    """The times of a frame: monotonic seconds but for ``wall`` and ``captured``."""

    epoch: int
    """Connections of the stream, counted from 1: what comes before and after a reconnect has no common time line."""
    received: float
    """Right after its packet was read."""
    wall: float
    """``received`` in Unix seconds, by the host's clock when the epoch began: within one it never goes back."""
    captured: float | None
    """Unix seconds on the camera's clock."""
    time_source: TimeSource
    queued: float | None = None
    """Decoded, prepared, and waiting for the model."""
    free: float | None = None
    """The model had nothing else to do from then on; not before ``queued``."""
    dispatched: float | None = None
    """Its batch was closed."""
    labelled: float | None = None
    """The results of its batch were there."""
    batch_size: int = 0
    """Frames in its batch."""
    closed_by: str = ""
    """Why its batch was closed."""

    def seconds(self) -> dict[str, float]:
        """By stage, as far as it came: ``decode``, ``queue``, ``batch_wait``, ``inference``."""
        times = (self.received, self.queued, self.free, self.dispatched, self.labelled)
        stages = zip(("decode", "queue", "batch_wait", "inference"), times, times[1:], strict=False)
        return {stage: end - begin for stage, begin, end in stages if begin is not None and end is not None}
