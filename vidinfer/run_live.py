"""A live run: every stream from its address to its outputs, one model for all, until it is told to end."""

from __future__ import annotations

import random
import threading
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from typing import Literal, cast

from vidinfer.address import host_of, is_live, named, shown, stream_names
from vidinfer.annotate import DrawingAnnotator
from vidinfer.build import check_outputs, open_model, sampling_of
from vidinfer.clock import Clock, MonotonicClock, unix_now, utc_now
from vidinfer.config import RunConfig
from vidinfer.describe import describe_model, versions
from vidinfer.errors import UsageError
from vidinfer.frame import SourceInfo
from vidinfer.interrupt import Interrupt
from vidinfer.live.board import Board, Shown
from vidinfer.live.budget import Budget
from vidinfer.live.build import FileOutputs
from vidinfer.live.camera import Camera, Wanted
from vidinfer.live.connection import Connection, HostGate
from vidinfer.live.lobby import Lobby, Shape
from vidinfer.live.outputs import Output, Outputs
from vidinfer.live.pipeline import LivePipeline, Outward, Stream
from vidinfer.live.readiness import Readiness
from vidinfer.live.sources import check_sources
from vidinfer.live.tally import BatchTally, StreamTally, percentiles_of
from vidinfer.memory import resident_bytes
from vidinfer.outputs import check_writable
from vidinfer.plan import ThreadPlan, thread_plan
from vidinfer.preview import PictureFeed, Preview, is_loopback, new_token
from vidinfer.progress import LiveObserver, StopSignal
from vidinfer.record import LABELS_FORMAT, LabelledBatch
from vidinfer.report import RunReport, SourceReport, Status
from vidinfer.sampling import Sampler
from vidinfer.scheduling import Scheduler, ServiceTimes, Settings
from vidinfer.source import answers, open_live, parse_live
from vidinfer.stages import LiveSource, Model
from vidinfer.workers import Workers

__all__ = ["LiveRun", "open_live_model", "run_live"]

BATCH_SIZE = 8
"""Most frames in a batch, where nobody says; and no more than two of each stream."""
CLOSING = 1.0
"""Seconds that the outlets have to write what is left."""
ANSWERING = 1.0
"""Seconds to wait for somebody to take a connection, where nobody did before."""
LOOKING = 0.5
"""Seconds from one status to the next."""


def run_live(
    config: RunConfig, *, observer: LiveObserver, stop: StopSignal, command: Sequence[str] = ()
) -> RunReport:
    """Label the streams of the configuration until they end or ``stop``.

    A stream that cannot be reached is tried again and again, and harms no other.

    Raises:
        UsageError: options that make no sense, an address that is none.
        SourceError: a file that is not there.
        ModelUnavailable: no model, or no weights.
        SinkError: the output folder cannot be written.
        ModelError: the model failed for good.
    """
    config.require_live()
    check_sources(config.sources)
    if config.label_files or config.video:
        check_writable(config.out)
    plan, clock = thread_plan(), MonotonicClock()
    model = open_live_model(config, plan, progress=True)
    try:
        outputs = FileOutputs(config, plan, clock, stop.request)
        return LiveRun(config, model, plan, clock, outputs, observer, stop, tuple(command)).run()
    finally:
        model.close()


def open_live_model(config: RunConfig, plan: ThreadPlan, *, progress: bool = False) -> Model:
    """Load the model that the configuration names, if it can label streams.

    Raises:
        UsageError: it cannot, or options that it does not have.
        ModelUnavailable: no model, or no weights.
    """
    model = open_model(config, plan, progress=progress)
    try:
        check_outputs(config, model.info)
        _check_alone(model)
    except BaseException:
        model.close()
        raise
    return model


def _check_alone(model: Model) -> None:
    """Refuse models that look at several frames together: frames are dropped, and batches mix streams.

    Raises:
        UsageError: it is one.
    """
    if model.input_for(640, 480).window is not None:
        raise UsageError(
            f"{model.info.name} looks at several frames at once, which live streams do not offer; "
            "take a model that labels single frames, or label a recording"
        )


@dataclass(slots=True)
class _Made:
    """A stream and all that belongs to it."""

    name: str
    address: str
    tally: StreamTally
    camera: Camera
    outlets: list[Output]


@dataclass(slots=True)
class LiveRun:
    """All streams together, for one ``run``. Thread rule: ``run`` on one thread; the model is closed by its owner."""

    config: RunConfig
    model: Model
    plan: ThreadPlan
    clock: Clock
    outputs: Outputs
    observer: LiveObserver
    stop: StopSignal
    command: tuple[str, ...] = ()
    streams: list[_Made] = field(default_factory=list)
    board: Board | None = None
    """What it knows of itself, once it has begun."""
    budget: Budget = field(init=False)
    began: float = 0.0
    started: str = ""

    def __post_init__(self) -> None:
        slo = self.config.latency_slo
        self.budget = Budget(None if slo is None else slo / 1000)

    def run(self) -> RunReport:
        """Until every stream has ended, or a stop.

        Raises:
            UsageError: an address that is none, a port that is taken.
            SinkError: outputs that cannot be made.
            ModelError: the model failed for good.
        """
        try:
            return self._label()
        finally:
            self._close_outlets()  # they run from when they are made, whatever fails after that

    def _label(self) -> RunReport:
        self.began, self.started = self.clock.now(), utc_now()
        names = stream_names(self.config.sources)
        settings = self._settings(len(names))
        scheduler = Scheduler(settings, ServiceTimes())
        lobby = Lobby(
            scheduler,
            self.clock,
            self.model.allocate,
            max_batch_size=settings.max_batch_size,
            max_queue_size=settings.queue_size,
        )
        feed = None
        if self.config.preview is not None:
            feed = PictureFeed(len(names), DrawingAnnotator, self.clock)
        self._make_streams(names, lobby, feed)

        def learnt(shape: Shape, took: list[tuple[int, float]]) -> None:
            lobby.learn(shape, took)
            for one in self.streams:
                one.tally.preparing.restart()  # until now the model was being made ready beside it
            self.budget.measured(took, self.model.info.device)

        readiness = Readiness(self.model, self.clock, settings.max_batch_size, learnt)
        pipeline = LivePipeline(
            [
                Stream(one.camera, _outward(i, one.outlets, feed), one.tally)
                for i, one in enumerate(self.streams)
            ],
            lobby,
            self.model,
            readiness,
            self.clock,
            latency_slo=settings.latency_slo,
            drained=self._close_outlets,
        )
        self.board = Board(
            [Shown(one.name, shown(one.address), one.camera, one.tally, one.outlets) for one in self.streams],
            lambda: self.model.info,
            pipeline.batches,
            self.clock,
            settings.latency_slo,
            lobby.line,
            resident_bytes,
            self._warnings,
        )
        self._run(pipeline, self.board, feed)
        return self._report(pipeline.batches)

    def _run(self, pipeline: LivePipeline, board: Board, feed: PictureFeed | None) -> None:
        over = threading.Event()

        def watch() -> None:
            while not over.wait(LOOKING):
                self.observer.status(board.status())

        with ExitStack() as block:
            block.callback(self._close_outlets)  # before the preview goes
            url = None if feed is None else block.enter_context(self._preview(board, feed)).url
            self.observer.live_started([one.name for one in self.streams], url)
            workers = block.enter_context(Workers(on_failure=pipeline.abort))
            block.callback(over.set)
            workers.start("status", watch)
            with self.stop.watched(pipeline.stop, pipeline.abort):
                pipeline.run()

    def _preview(self, board: Board, feed: PictureFeed) -> Preview:
        assert self.config.preview is not None
        host, port = self.config.preview
        token = self.config.preview_token or (None if is_loopback(host) else new_token())
        return Preview(board.status, feed, host=host, port=port, token=token)

    def _settings(self, streams: int) -> Settings:
        config = self.config
        delay = config.max_queue_delay
        if delay is None:
            delay = 0.0 if streams == 1 else 10.0
        size = config.max_batch_size or min(BATCH_SIZE, 2 * streams)
        slo = None if config.latency_slo is None else config.latency_slo / 1000
        return Settings(config.policy, size, delay / 1000, slo)

    def _make_streams(self, names: Sequence[str], lobby: Lobby, feed: PictureFeed | None) -> None:
        gate = HostGate()
        until = None if self.config.duration is None else self.began + float(self.config.duration)
        for number, (given, name) in enumerate(zip(self.config.sources, names, strict=True)):
            address, tally = named(given).address, StreamTally()
            outlets: list[Output] = []
            wanted = Wanted(
                address,
                partial(self._connect, address, name),
                host_of(address),
                Sampler(sampling_of(self.config, live=True)),
                until,
                once=not is_live(address) and not self.config.loop,
                keep_pictures=self.outputs.needs_pictures or feed is not None,
                answers=partial(answers, parse_live(address), timeout=ANSWERING),
            )
            camera = Camera(
                number,
                wanted,
                self.model,
                lobby,
                tally,
                Connection(self.clock.now(), random.random),
                gate,
                self.clock,
                unix_now,
                partial(self._connected, number, outlets, feed),
            )
            outlets += self.outputs.of_stream(number, name)
            self.streams.append(_Made(name, address, tally, camera, outlets))

    def _connect(self, address: str, name: str, interrupt: Interrupt, first_index: int) -> LiveSource:
        return open_live(
            address,
            name=name,
            clock=self.clock,
            interrupt=interrupt,
            first_index=first_index,
            transport=cast(Literal["tcp", "udp"], self.config.transport),
            loop=self.config.loop,
        )

    def _connected(
        self, number: int, outlets: Sequence[Output], feed: PictureFeed | None, info: SourceInfo, epoch: int
    ) -> None:
        for outlet in outlets:
            outlet.open(info, self.model.info, epoch)
        if feed is not None:
            feed.connected(number, info, self.model.info)

    def _warnings(self) -> tuple[str, ...]:
        """Of the run so far."""
        for one in self.streams:
            if (seconds := one.tally.preparing.value()) is not None:
                self.budget.prepared(one.name, seconds)
        return self.budget.warnings

    def _close_outlets(self) -> None:
        """All at once in the same time, which is why the later ones are given what the first ones left."""
        until = self.clock.now() + CLOSING
        for stream in self.streams:
            for outlet in stream.outlets:
                outlet.close(max(0.0, until - self.clock.now()))

    def _report(self, batches: BatchTally) -> RunReport:
        seconds = self.clock.now() - self.began
        self._warnings()  # for a run that was over before anybody looked
        together = percentiles_of([one.tally.ever() for one in self.streams])
        common: dict[str, object] = {
            "mode": "live",
            "started": self.started,
            "command": _without_secrets(self.command),
            "versions": versions(),
            "labels_format": LABELS_FORMAT,
            "model": describe_model(self.model.info),
            "latency_ms_of_all_streams": {stage: p.as_dict() for stage, p in together.items()},
            "latency_slo_ms": self.config.latency_slo,
            "batches": {"sizes": batches.sizes(), "closed_by": batches.closed_by()},
            "threads": {"cores": self.plan.cores, "model": self.plan.model},
        }
        reports = tuple(self._stream_report(one, common, seconds) for one in self.streams)
        for report in reports:
            self.observer.source_finished(report)
        return RunReport(reports, seconds)

    def _stream_report(self, one: _Made, common: dict[str, object], seconds: float) -> SourceReport:
        one.tally.ledger.settle("interrupted" if self.stop.requested else "given_up")
        ledger, view = one.tally.ledger.snapshot(), one.camera.view()
        status: Status = "complete"
        error = None
        if self.stop.requested:
            status = "interrupted"
        elif view.epoch == 0:
            status, error = "failed", view.error or "never connected"
        elif ledger.corrupt or ledger.failed or ledger.gaps or any(map(_is_incomplete, one.outlets)):
            status = "damaged"
        latency = {stage: p.as_dict() for stage, p in percentiles_of([one.tally.ever()]).items()}
        details = {
            **common,
            "source": {"name": one.name, "address": shown(one.address), **one.camera.facts()},
            "timings": {"seconds": round(seconds, 3)},
            "latency_ms": latency,
            "over_slo": one.tally.over_slo,
            "sinks": [{"name": outlet.status().name, **outlet.facts()} for outlet in one.outlets],
        }
        warnings = (*self.budget.warnings_of(one.name), *_losses(one))
        report = SourceReport(one.name, status, error, ledger, seconds, warnings=warnings, details=details)
        return self.outputs.report(report)


def _is_incomplete(outlet: Output) -> bool:
    """It failed; what it left out by rule is no fault."""
    status = outlet.status()
    return bool(status.failed or status.error)


def _losses(one: _Made) -> tuple[str, ...]:
    found = [outlet.status() for outlet in one.outlets]
    return tuple(
        f"{status.name}: {status.dropped} records left out{f' ({status.error})' if status.error else ''}"
        for status in found
        if status.dropped or status.error
    )


def _without_secrets(command: Sequence[str]) -> list[str]:
    words = [shown(word) for word in command]
    for i, word in enumerate(words):
        if word.startswith("--preview-token="):
            words[i] = "--preview-token=…"
        elif i and words[i - 1] == "--preview-token":
            words[i] = "…"
    return words


@dataclass(frozen=True, slots=True)
class _Shows:
    """The preview as something that takes what leaves a stream: the newest picture of each batch."""

    number: int
    feed: PictureFeed

    def put(self, batch: LabelledBatch) -> None:
        for entry in reversed(batch.entries):
            if entry.picture is not None:
                self.feed.show(self.number, entry.picture, entry, batch.results)
                return


def _outward(number: int, outlets: Sequence[Output], feed: PictureFeed | None) -> list[Outward]:
    return [*outlets, *([] if feed is None else [_Shows(number, feed)])]
