"""Simulated cameras in front of the real parts: one run with one policy, and what it did."""

from __future__ import annotations

import gc
import json
import random
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.live_cameras import SimulatedCamera
from benchmarks.live_code import Reader
from benchmarks.live_figures import Log, Window, latency_figures
from benchmarks.live_model import Hitch, WatchedModel
from vidinfer.clock import MonotonicClock, unix_now
from vidinfer.live.camera import Camera, Wanted
from vidinfer.live.connection import Connection, HostGate
from vidinfer.live.lobby import Lobby
from vidinfer.live.outlet import Outlet
from vidinfer.live.pipeline import LivePipeline, Outward, Stream
from vidinfer.live.readiness import Readiness
from vidinfer.live.tally import StreamTally
from vidinfer.record import LabelledBatch, Outcome
from vidinfer.sampling import Sampler, Sampling
from vidinfer.scheduling import Eager, Policy, Rounds, Scheduler, ServiceTimes, Settings
from vidinfer.sink.jsonl import JsonLinesWriter
from vidinfer.sink.rotating import RotatingLabels
from vidinfer.stages import Model
from vidinfer.workers import Workers

__all__ = ["POLICIES", "Ran", "Rig", "scheduler_of"]

POLICIES = ("eager", "window 10 ms", "rounds", "ours")
MOST_READY = 60.0
"""Seconds until every camera has a label and the model has chosen how it runs."""
CALM = 1.0
"""Seconds from there to the first frame that counts."""


def scheduler_of(policy: str, settings: Settings) -> Scheduler:
    """Ours with all it knows; the others as their systems have them: no budget, frames of up to half a second."""
    if policy == "ours":
        return Scheduler(settings, ServiceTimes())
    plain = replace(settings, policy="fixed", max_queue_delay=0.010, latency_slo=None)
    rival: dict[str, Policy | None] = {"eager": Eager(), "rounds": Rounds(), "window 10 ms": None}
    return Scheduler(plain, ServiceTimes(), rival[policy])


@dataclass(slots=True)
class _Witness:
    """Writes down what leaves a stream. An ``Outward``."""

    number: int
    camera: SimulatedCamera
    model: WatchedModel
    log: Log
    left: Counter[str]
    codes: Counter[str]
    labelled: threading.Event = field(default_factory=threading.Event)

    def put(self, batch: LabelledBatch) -> None:
        rows = []
        for entry in batch.entries:
            self.left[entry.outcome.value] += 1
            tick = getattr(entry.at, "pts", None)
            if entry.outcome is Outcome.GAP or tick is None:
                continue
            why = "" if entry.outcome is Outcome.LABELLED else entry.reason or entry.outcome.value
            if not why:
                rows.append((self.number, tick))
            self.log.add(self.number, self.camera.scheduled(tick), entry.arrival, why[:40])
        if rows:
            self.labelled.set()
            self._compare(rows)

    def _compare(self, rows: list[tuple[int, int]]) -> None:
        """Were these pictures in one batch, side by side and in this order, if anybody looked?"""
        at = [self.model.rows.pop(one, None) for one in rows]
        if all(one is None for one in at):
            return
        right = at[0] is not None and at == list(range(at[0], at[0] + len(at)))
        self.codes["right" if right else "wrong"] += len(rows)


@dataclass(slots=True)
class Ran:
    """A run."""

    policy: str
    window: Window
    streams: int
    shed: int
    missed: int
    cores: float
    """Busy, of all."""
    ledger: dict[str, Any]
    codes: dict[str, int]
    line: tuple[float, float] | None
    closed_by: dict[str, int]
    recovered: list[dict[str, Any]]
    problems: list[str]
    memory: list[tuple[float, int]] = field(default_factory=list)

    def figures(self, budget: float) -> dict[str, Any]:
        """For a line of JSON; ``budget`` in milliseconds."""
        window = self.window
        stages = {
            name: latency_figures(1000 * values[window.has_label]) for name, values in window.stages.items()
        }
        return {
            "policy": self.policy,
            "cameras": self.streams,
            "frames": len(window.scheduled) + self.shed,
            "labelled": int(window.has_label.sum()),
            **latency_figures(window.milliseconds),
            "overtime": round(window.overtime(budget, self.shed), 4),
            "mean_batch": round(window.mean_batch(), 2),
            "dropped": dict(window.reasons),
            "shed": self.shed,
            "missed": self.missed,
            "cores": round(self.cores, 3),
            "stages": stages,
            "line_ms": None if self.line is None else [round(1000 * x, 2) for x in self.line],
            "closed_by": self.closed_by,
            "codes": self.codes,
            "ledger": self.ledger,
        }


class Rig:
    """One model, and as many runs with it as are wanted."""

    def __init__(self, model: Model, clock: MonotonicClock, reader: Reader | None) -> None:
        """``reader``: of codes in its places; ``None``: they are not checked."""
        self._clock, self._reader = clock, reader
        self.model = WatchedModel(model, clock)

    def run(
        self,
        policy: str,
        cameras: Sequence[SimulatedCamera],
        settings: Settings,
        *,
        seconds: float,
        hitches: Sequence[Hitch] = (),
        from_the_start: bool = False,
        each: Callable[[], None] | None = None,
    ) -> Ran:
        """Let the cameras run until the model is ready, and then for ``seconds`` that count.

        Args:
            from_the_start: everything counts from when the cameras begin.
            each: called every five seconds.
        """
        with tempfile.TemporaryDirectory(prefix="vidinfer-live-") as folder:
            ran = _Run(self, policy, list(cameras), settings, Path(folder), self._clock).run(
                seconds, hitches, from_the_start, each, self._reader
            )
        gc.collect()  # a run's parts point at each other, and hold hundreds of megabytes of places
        return ran


class _Run:
    def __init__(
        self,
        rig: Rig,
        policy: str,
        cameras: list[SimulatedCamera],
        settings: Settings,
        folder: Path,
        clock: MonotonicClock,
    ) -> None:
        self._policy, self._cameras, self._settings = policy, cameras, settings
        self._model, self._folder, self._clock = rig.model, folder, clock
        self._log, self._left, self._codes = Log(), Counter[str](), Counter[str]()
        self._ready = threading.Event()
        self._lobby = Lobby(
            scheduler_of(policy, settings),
            clock,
            rig.model.allocate,
            max_batch_size=settings.max_batch_size,
            max_queue_size=settings.queue_size,
        )
        self._made = [self._stream(camera) for camera in cameras]
        readiness = Readiness(rig.model, clock, settings.max_batch_size, self._learn)
        self._pipeline = LivePipeline(
            [one.stream for one in self._made],
            self._lobby,
            rig.model,
            readiness,
            clock,
            latency_slo=settings.latency_slo,
            drained=self._close_outlets,
        )

    def run(
        self,
        seconds: float,
        hitches: Sequence[Hitch],
        from_the_start: bool,
        each: Callable[[], None] | None,
        reader: Reader | None,
    ) -> Ran:
        self._begin, self._end, self._busy = 0.0, 0.0, 0.0
        for camera in self._cameras:
            camera.begin()
        self._model.begin(reader, hitches, self._cameras[0].began)
        over = threading.Event()

        def control() -> None:
            try:
                self._control(over, seconds, from_the_start, each)
            finally:
                self._pipeline.stop()

        with Workers(on_failure=self._pipeline.abort) as workers:
            workers.start("control", control)
            try:
                self._pipeline.run()
            finally:
                over.set()
        self._close_outlets()
        return self._ran()

    def _control(
        self, over: threading.Event, seconds: float, from_the_start: bool, each: Callable[[], None] | None
    ) -> None:
        if from_the_start:
            self._begin = self._cameras[0].began
        else:
            until = self._clock.now() + MOST_READY
            for event in (self._ready, *(one.witness.labelled for one in self._made)):
                while not event.wait(0.1):
                    if over.is_set() or self._clock.now() > until:
                        raise RuntimeError("not every camera got a label: there is nothing to measure")
            self._begin = self._clock.now() + CALM
        self._end = self._begin + seconds
        over.wait(max(0.0, self._begin - self._clock.now()))
        began, busy = self._clock.now(), time.process_time()
        while (left := self._end - self._clock.now()) > 0 and not over.wait(min(5.0, left)):
            if each is not None:
                each()
        self._busy = (time.process_time() - busy) / (self._clock.now() - began)
        over.wait(1.0)  # what was due at the end has its label, or never will

    def _learn(self, shape: Any, measured: list[tuple[int, float]]) -> None:
        self._lobby.learn(shape, measured)
        self._model.look()
        self._ready.set()

    def _stream(self, camera: SimulatedCamera) -> _Made:
        tally = StreamTally()
        writer = partial(JsonLinesWriter, clock=self._clock)
        sink = RotatingLabels(self._folder, camera.name, "jsonl", writer)
        outlet = Outlet(sink, f"{camera.name} labels", self._clock)
        witness = _Witness(camera.number, camera, self._model, self._log, self._left, self._codes)
        outlets: list[Outward] = [witness, outlet]
        wanted = Wanted(
            camera.name,
            camera.connect,
            camera.name,
            Sampler(Sampling()),
            answers=lambda _: camera.answers(),
        )
        runs = Camera(
            camera.number,
            wanted,
            self._model,
            self._lobby,
            tally,
            Connection(self._clock.now(), random.Random(f"retry {camera.number}").random),
            HostGate(),
            self._clock,
            unix_now,
            lambda info, epoch: outlet.open(info, self._model.info, epoch),
        )
        return _Made(Stream(runs, outlets, tally), runs, tally, outlet, witness)

    def _close_outlets(self) -> None:
        for one in self._made:
            one.outlet.close(10.0)

    def _ran(self) -> Ran:
        window = self._log.window(self._begin, self._end)
        shed = sum(self._due(c, c.shed_ticks) for c in self._cameras)
        missed = sum(self._due(c, c.missed) for c in self._cameras)
        ledger, problems = self._audit()
        return Ran(
            self._policy,
            window,
            len(self._cameras),
            shed,
            missed,
            self._busy,
            ledger,
            dict(self._codes),
            self._lobby.line(),
            dict(self._pipeline.batches.closed_by()),
            list(self._recoveries(window)),
            problems,
        )

    def _due(self, camera: SimulatedCamera, ticks: Sequence[int]) -> int:
        return sum(1 for tick in ticks if self._begin <= camera.scheduled(tick) < self._end)

    def _recoveries(self, window: Window) -> list[dict[str, Any]]:
        """How long after a camera came back there was a label of it."""
        found = []
        for camera in self._cameras:
            for outage in camera.outages:
                back = camera.began + outage.end
                if back < self._end:
                    first = window.first_label_after(camera.number, back)
                    took = None if first is None else round(first - back, 3)
                    kind = "silent" if outage.silent else "gone"
                    found.append(
                        {"camera": camera.number, "at": outage.at, kind: outage.seconds, "recovered": took}
                    )
        return found

    def _audit(self) -> tuple[dict[str, Any], list[str]]:
        """Every frame has one outcome, and one line in the records."""
        total: Counter[str] = Counter()
        problems = []
        for one in self._made:
            ledger, status = one.tally.ledger.snapshot(), one.outlet.status()
            name = one.witness.camera.name
            if not ledger.balanced:
                problems.append(f"{name}: {ledger.decoded} frames, {ledger.accounted} accounted for")
            left = ledger.accounted - sum(ledger.skipped.values()) + ledger.gaps
            lines = _lines(self._folder, name)
            if status.dropped or lines["all"] != left or lines["labelled"] != ledger.labelled:
                problems.append(f"{name}: {left} records, {dict(lines)} lines, {status}")
            total += Counter(decoded=ledger.decoded, labelled=ledger.labelled, failed=ledger.failed)
            total += Counter({f"dropped {why}": n for why, n in ledger.dropped.items()})
            total += Counter({f"skipped {why}": n for why, n in ledger.skipped.items()})
        wrong = self._codes["wrong"] + len(self._model.rows) + self._model.unreadable
        if wrong:
            problems.append(f"{wrong} pictures are not those that their records name")
        return {"balanced": not problems, **total}, problems


@dataclass(frozen=True, slots=True)
class _Made:
    stream: Stream
    camera: Camera
    tally: StreamTally
    outlet: Outlet
    witness: _Witness


def _lines(folder: Path, name: str) -> Mapping[str, int]:
    found: Counter[str] = Counter(all=0, labelled=0)
    for path in folder.glob(f"{name}.*.labels.jsonl"):
        for line in path.read_text().splitlines():
            record = json.loads(line)
            found["all"] += 1
            found["labelled"] += record["outcome"] == "labelled"
    return found
