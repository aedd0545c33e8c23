"""The live pipeline on one page::

    camera ──frames──▶ ┌───────┐
    camera ──frames──▶ │ lobby │ ──batches──▶ model ──results──▶ outlets of each stream ──▶ sinks
    camera ──frames──▶ └───────┘              infer thread  deliver thread  bounded; a thread each
    a thread each      scheduler decides                           └──▶ preview, while somebody looks

Nothing waits for what comes after it: a camera not for the model, the model not for a sink.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from vidinfer.channel import Channel
from vidinfer.clock import Clock
from vidinfer.detections import Results
from vidinfer.errors import DeviceLost, ModelError
from vidinfer.live.lobby import Batch, Lobby
from vidinfer.live.readiness import Readiness
from vidinfer.live.tally import BatchTally, StreamTally
from vidinfer.record import Entry, LabelledBatch, Outcome
from vidinfer.stages import Model
from vidinfer.workers import Workers

__all__ = ["LivePipeline", "Outward", "Runs", "Stream"]

FAILED_BATCHES_IN_A_ROW = 3
"""A model that fails so many batches on end is broken: whoever started this should know, and start it anew."""


RESULTS = 2
"""Batches whose results wait to be handed out: while one is, the model has the next."""


class Runs(Protocol):
    """Reads one stream into the lobby until it is told to end."""

    def run(self) -> None:
        """On a thread of its own."""
        ...

    def interrupt(self) -> None:
        """End within two seconds. Idempotent; any thread."""
        ...


class Outward(Protocol):
    """Takes what leaves a stream, and never waits."""

    def put(self, batch: LabelledBatch) -> None:
        """Entries of one stream, in order, with the results they point into."""
        ...


@dataclass(frozen=True, slots=True)
class Stream:
    """What belongs to one stream, by its number."""

    camera: Runs
    outlets: Sequence[Outward]
    tally: StreamTally


@dataclass(frozen=True, slots=True)
class _Done:
    """Entries that leave, by stream, with their results, or why there are none."""

    entries: Mapping[int, list[Entry]]
    results: Results | str
    labelled: float | None = None
    """When."""


class LivePipeline:
    """Thread rule: ``run`` once, on the thread that owns it; ``stop`` and ``abort`` from any, idempotent."""

    def __init__(
        self,
        streams: Sequence[Stream],
        lobby: Lobby,
        model: Model,
        readiness: Readiness,
        clock: Clock,
        *,
        latency_slo: float | None = None,
        drained: Callable[[], None] | None = None,
    ) -> None:
        """``latency_slo``: seconds; ``drained()``: called on the deliver thread when nothing more will leave."""
        self._streams = streams
        self._lobby = lobby
        self._model = model
        self._readiness = readiness
        self._clock = clock
        self._slo = latency_slo
        self._drained = drained
        self._failed_in_a_row = 0
        self._done: Channel[_Done] = Channel(RESULTS)
        self._lock = threading.Lock()
        self._running = len(streams)
        self.batches = BatchTally()

    def run(self) -> None:
        """Until every stream has ended, or ``stop``.

        Raises:
            VidinferError: the failure of a thread, with a note naming it; of several, an ``ExceptionGroup``.
        """
        with Workers(on_failure=self.abort) as workers:
            for number, stream in enumerate(self._streams):
                workers.start(f"camera-{number}", lambda camera=stream.camera: self._watch(camera))  # type: ignore[misc]
            workers.start("infer", self._infer)
            workers.start("deliver", self._hand_out)

    def stop(self) -> None:
        """End soon: nothing more is read, what waits is labelled."""
        self._readiness.stop()
        self._lobby.close()
        for stream in self._streams:
            stream.camera.interrupt()

    def abort(self) -> None:
        """End now: what waits is given up."""
        self._readiness.stop()
        self._lobby.abort()
        for stream in self._streams:
            stream.camera.interrupt()

    def _watch(self, camera: Runs) -> None:
        """The last stream that ends closes the lobby; what is left is not worth a choice of backend."""
        camera.run()
        with self._lock:
            self._running -= 1
            last = self._running == 0
        if last:
            self._readiness.stop()
            self._lobby.close()

    def _infer(self) -> None:
        """Ends the hand-over whatever happens: what was labelled leaves."""
        try:
            while (batch := self._lobby.take()) is not None:
                self._label(batch)
        finally:
            self._done.close()

    def _label(self, batch: Batch) -> None:
        if batch.array is None or batch.shape is None:
            self._done.put(_Done(batch.entries, self._nothing()))
            return
        results = self._results(batch)
        now = self._clock.now()
        failed = isinstance(results, str)
        self._lobby.finished(0 if failed else batch.rows)
        self.batches.add(batch.rows, batch.closed_by)
        self._done.put(_Done(batch.entries, results, now))
        if not failed:
            self._readiness.after(batch)

    def _hand_out(self) -> None:
        """Beside the model: with many streams this takes a millisecond for each batch, in which it would stand idle."""
        try:
            for done in self._done:
                self._deliver(done)
        except BaseException:
            self._done.abort()
            raise
        if self._drained is not None:
            self._drained()

    def _results(self, batch: Batch) -> Results | str:
        """The model's, or why there are none."""
        assert batch.array is not None
        assert batch.shape is not None
        try:
            results = self._model.predict(batch.array, batch.shape.width, batch.shape.height)
            if results.frames != batch.rows:
                raise ModelError(
                    f"the model gave results of {results.frames} frames for a batch of {batch.rows}"
                )
        except DeviceLost:
            raise
        except Exception as error:
            self._failed_in_a_row += 1
            reason = f"{type(error).__name__}: {error}".splitlines()[0]
            if self._failed_in_a_row >= FAILED_BATCHES_IN_A_ROW:
                raise ModelError(
                    f"the model failed on {FAILED_BATCHES_IN_A_ROW} batches in a row: {reason}"
                ) from error
            return reason
        self._failed_in_a_row = 0
        return results

    def _deliver(self, done: _Done) -> None:
        now = self._clock.now()
        for number, entries in done.entries.items():
            stream = self._streams[number]
            mine = self._of_stream(entries, done.results, done.labelled)
            stream.tally.leave(mine.entries, now, self._slo)
            for outlet in stream.outlets:
                outlet.put(mine)

    def _of_stream(
        self, entries: list[Entry], results: Results | str, labelled: float | None
    ) -> LabelledBatch:
        """Its own rows only; they lie side by side."""
        rows = [entry.row for entry in entries if entry.row >= 0]
        if not rows:
            return LabelledBatch(entries, self._nothing())
        if isinstance(results, str):
            return LabelledBatch([_failed(entry, results) for entry in entries], self._nothing())
        first = rows[0]
        told = [_labelled(entry, first, labelled) if entry.row >= 0 else entry for entry in entries]
        return LabelledBatch(told, results.rows(first, rows[-1] + 1))

    def _nothing(self) -> Results:
        return Results(0, self._model.info.categories)


def _labelled(entry: Entry, first: int, at: float | None) -> Entry:
    assert entry.arrival is not None
    return replace(entry, row=entry.row - first, arrival=replace(entry.arrival, labelled=at))


def _failed(entry: Entry, reason: str) -> Entry:
    return replace(entry, outcome=Outcome.FAILED, row=-1, reason=reason) if entry.row >= 0 else entry
