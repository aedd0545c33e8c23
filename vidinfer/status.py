"""What a live run is doing at one moment: for the terminal, the preview page and the metrics."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from vidinfer.arrival import Shed
from vidinfer.latency import Percentiles
from vidinfer.stages import ModelInfo
from vidinfer.stats import LedgerSnapshot

__all__ = ["LiveStatus", "OutletStatus", "StreamState", "StreamStatus"]


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
