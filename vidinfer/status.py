"""What a run is doing at one moment: for the terminal, the preview page, the metrics and ``vidinfer status``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from vidinfer.arrival import Shed
from vidinfer.latency import Percentiles
from vidinfer.stages import ModelInfo
from vidinfer.stats import LedgerSnapshot

__all__ = ["ArchiveStatus", "LiveStatus", "OutletStatus", "StreamState", "StreamStatus", "WorkerStatus"]


class StreamState(StrEnum):
    """Where the connection to a stream stands."""

    CONNECTING = "connecting"
    LIVE = "live"
    STALLED = "stalled"
    """Connected, and no frame for longer than the stream's own pace allows."""
    WAITING = "waiting"
    """Lost or refused; another attempt at a stated time."""
    ENDED = "ended"
    """A file that was played to its end, or a stop that was asked for."""


@dataclass(frozen=True, slots=True)
class OutletStatus:
    """One output of a stream and what became of what it was given."""

    name: str
    written: int
    dropped: int
    """Left out because it could not keep up or failed."""
    waiting: int
    error: str = ""
    failed: int = 0
    """Of those dropped, what a failure took."""


@dataclass(frozen=True, slots=True)
class StreamStatus:
    """One stream."""

    name: str
    address: str
    """Without what stands before its ``@``."""
    state: StreamState
    seconds_in_state: float
    epoch: int
    ledger: LedgerSnapshot
    latency: Mapping[str, Percentiles]
    """``total`` from arrival to label, and each stage; of the last minute or so."""
    size: tuple[int, int] | None = None
    """Pixels of the displayed picture, width and height; ``None`` before the first connection."""
    codec: str = ""
    frames_per_second: float | None = None
    """As they arrive, over the last 64."""
    labels_per_second: float | None = None
    shed: Shed = Shed.NOTHING
    reconnects: int = 0
    retry_in: float | None = None
    """Seconds; while waiting."""
    flags: tuple[str, ...] = ()
    """What a person should look at: ``frozen``, ``black``, ``slow clock``, …"""
    error: str = ""
    """The last one, in one line."""
    outlets: tuple[OutletStatus, ...] = ()


@dataclass(frozen=True, slots=True)
class Warned:
    """What a person should know, from when on."""

    at: float
    """Unix seconds."""
    text: str
    """One line."""


@dataclass(frozen=True, slots=True)
class LiveStatus:
    """The whole run."""

    uptime: float
    """Seconds."""
    model: ModelInfo | None
    """``None`` while it is being loaded."""
    streams: tuple[StreamStatus, ...]
    latency: Mapping[str, Percentiles]
    """Of all streams together."""
    latency_slo: float | None
    """Seconds."""
    over_slo: int = 0
    """Labels that came later than that, ever."""
    batch_sizes: Mapping[int, int] = field(default_factory=dict)
    """How many batches of each size, ever."""
    closed_by: Mapping[str, int] = field(default_factory=dict)
    """How many batches were closed for each reason, ever."""
    service: tuple[float, float] | None = None
    """Milliseconds: a and b of l(n) = a·n + b as measured now."""
    memory_bytes: int = 0
    """Resident, of this process."""
    warnings: tuple[str, ...] = ()
    """What a person should know of the whole run, a line each; they stay."""
    warned: tuple[Warned, ...] = ()
    """These and what is wrong with outputs and the model, newest first; the oldest are forgotten."""
    warned_total: int = 0
    """How many of them, ever."""

    def warned_since(self, known: int) -> tuple[str, ...]:
        """What began after the first ``known`` of them, oldest first, as far as it is kept."""
        return tuple(one.text for one in reversed(self.warned[: max(0, self.warned_total - known)]))


@dataclass(frozen=True, slots=True, order=True)
class WorkerStatus:
    """What one worker is at."""

    name: str
    source: str
    decoded: int
    frames: int = 0
    """As claimed; 0: unknown."""
    frames_per_second: float = 0.0
    """In this unit."""


@dataclass(frozen=True, slots=True)
class ArchiveStatus:
    """One moment of a run. Seconds are of wall time."""

    sources: int
    sources_done: int
    units: int
    units_done: int
    """Settled: committed, kept from before, failed or given up."""
    frames: int
    """Decoded in this run."""
    seconds: float
    """Since the run began to label."""
    frames_per_second: float
    """Of late."""
    share_done: float
    """0 to 1, of the work."""
    seconds_left: float | None
    """``None``: nobody knows yet."""
    share_of_bound: float | None = None
    """0 to 1: what units reached of what their slowest stage could do; ``None``: none ended yet."""
    quarantined: int = 0
    failed: int = 0
    workers: tuple[WorkerStatus, ...] = ()

    def as_dict(self) -> dict[str, object]:
        """Ready for JSON."""
        return {
            "sources": {"total": self.sources, "done": self.sources_done, "failed": self.failed},
            "units": {"total": self.units, "done": self.units_done, "quarantined": self.quarantined},
            "frames": self.frames,
            "seconds": round(self.seconds, 1),
            "frames_per_second": round(self.frames_per_second, 2),
            "share_done": round(self.share_done, 4),
            "seconds_left": None if self.seconds_left is None else round(self.seconds_left),
            "share_of_bound": None if self.share_of_bound is None else round(self.share_of_bound, 3),
            "workers": [
                {
                    "name": one.name,
                    "source": one.source,
                    "decoded": one.decoded,
                    "frames": one.frames or None,
                    "frames_per_second": round(one.frames_per_second, 2),
                }
                for one in self.workers
            ],
        }
