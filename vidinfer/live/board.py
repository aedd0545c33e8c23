"""Everything that a live run knows of itself, put together when somebody asks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from vidinfer.arrival import Shed
from vidinfer.clock import Clock, unix_now
from vidinfer.latency import Latencies
from vidinfer.live.tally import BatchTally, StreamTally, percentiles_of
from vidinfer.live.warned import Warnings, found_in
from vidinfer.stages import ModelInfo
from vidinfer.status import LiveStatus, OutletStatus, StreamState, StreamStatus

__all__ = ["Board", "CameraView", "Shown"]


@dataclass(frozen=True, slots=True)
class CameraView:
    """What a camera says of itself."""

    state: StreamState
    since: float
    """On the monotonic clock."""
    epoch: int = 0
    size: tuple[int, int] | None = None
    codec: str = ""
    shed: Shed = Shed.NOTHING
    reconnects: int = 0
    retry_at: float | None = None
    flags: tuple[str, ...] = ()
    error: str = ""


class Viewed(Protocol):
    """A camera."""

    def view(self) -> CameraView:
        """From any thread."""
        ...


class Told(Protocol):
    """An outlet."""

    def status(self) -> OutletStatus:
        """From any thread."""
        ...


@dataclass(frozen=True, slots=True)
class Shown:
    """A stream, to the board."""

    name: str
    address: str
    """As it may be shown."""
    camera: Viewed
    tally: StreamTally
    outlets: Sequence[Told] = ()


@dataclass(slots=True)
class Board:
    """Thread rule: share freely."""

    streams: Sequence[Shown]
    model: Callable[[], ModelInfo | None]
    batches: BatchTally
    clock: Clock
    latency_slo: float | None = None
    """Seconds."""
    line: Callable[[], tuple[float, float] | None] = lambda: None
    """a and b of l(n) = a·n + b, in seconds."""
    memory: Callable[[], int] = lambda: 0
    """Bytes of this process."""
    warnings: Callable[[], tuple[str, ...]] = lambda: ()
    """Of the whole run."""
    warned: Warnings = field(default_factory=lambda: Warnings(unix_now))
    began: float = field(init=False)

    def __post_init__(self) -> None:
        self.began = self.clock.now()

    def status(self) -> LiveStatus:
        """At this moment."""
        now = self.clock.now()
        late = [stream.tally.late(now) for stream in self.streams]
        line, warnings = self.line(), self.warnings()
        streams = tuple(self._stream(*one, now) for one in zip(self.streams, late, strict=True))
        warned, warned_total = self.warned.look((*warnings, *found_in(streams)))
        return LiveStatus(
            uptime=now - self.began,
            model=self.model(),
            streams=streams,
            latency=percentiles_of(late),
            latency_slo=self.latency_slo,
            over_slo=sum(stream.tally.over_slo for stream in self.streams),
            batch_sizes=self.batches.sizes(),
            closed_by=self.batches.closed_by(),
            service=None if line is None else (1000 * line[0], 1000 * line[1]),
            memory_bytes=self.memory(),
            warnings=warnings,
            warned=warned,
            warned_total=warned_total,
        )

    @staticmethod
    def _stream(stream: Shown, late: dict[str, Latencies], now: float) -> StreamStatus:
        view, tally = stream.camera.view(), stream.tally
        return StreamStatus(
            name=stream.name,
            address=stream.address,
            state=view.state,
            seconds_in_state=now - view.since,
            epoch=view.epoch,
            ledger=tally.ledger.snapshot(),
            latency=percentiles_of([late]),
            size=view.size,
            codec=view.codec,
            frames_per_second=tally.arrivals.value(now),
            labels_per_second=tally.labels.value(now),
            shed=view.shed,
            reconnects=view.reconnects,
            retry_in=None if view.retry_at is None else max(0.0, view.retry_at - now),
            flags=view.flags,
            error=view.error,
            outlets=tuple(outlet.status() for outlet in stream.outlets),
        )
