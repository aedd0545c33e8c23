"""The pipeline on one page::

    source ──frames──▶ [ring of batch slots] ──batches──▶ model ──results──▶ [channel] ──▶ sinks
    decode thread        blocks when full      infer thread                  bounded       write thread
                                                                                           (annotator inside
                                                                                            the video sink)

The pipeline sees protocols only. One pipeline serves one source.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial

from vidinfer.channel import Channel
from vidinfer.clock import Clock
from vidinfer.detections import Results
from vidinfer.errors import DeviceLost, ModelError, SourceError
from vidinfer.feeder import Feeder, fill_for, make_feeder
from vidinfer.frame import Frame, Gap, Passed
from vidinfer.propagation import Propagation
from vidinfer.record import Entry, LabelledBatch, Outcome
from vidinfer.ring import Batcher, BatchRing, RingStatistics, Slot
from vidinfer.sampling import Sampler
from vidinfer.stages import AsyncModel, Model, PendingResults, Sink, Source
from vidinfer.stats import Ledger, StageTimes
from vidinfer.still import StillDetector, StillSettings
from vidinfer.still_feeder import StillFeeder
from vidinfer.workers import Workers

__all__ = ["Pipeline"]

FAILED_BATCHES_IN_A_ROW = 3
"""A model that fails so many batches on end is broken, and decoding on would only waste the night."""


class Pipeline:
    """Runs one source through a model.

    Thread rule: ``run`` or ``batches`` once, on the thread that owns the pipeline; ``stop`` and ``abort`` from any.
    """

    def __init__(
        self,
        source: Source,
        model: Model,
        *,
        batcher: Batcher,
        sampler: Sampler,
        clock: Clock,
        batch_size: int,
        batch_entries: int | None = None,
        slots: int = 3,
        keep_pictures: bool = False,
        fast: bool = False,
        still: StillSettings | None = None,
    ) -> None:
        """Allocates the ring: ``slots`` batches of ``batch_size`` places; nothing grows after this.

        A model that takes several batches at once needs a slot for each, and two more to be filled meanwhile.

        ``fast``: pictures may be scaled before they are converted, which is not exact.
        ``still``: a frame that looks like one before gets its results; not with windows of frames.
        ``batch_entries``: most records in a batch, where many frames share a place; ``None``: one a place.
        """
        self._source = source
        self._model = model
        self._sampler = sampler
        self._clock = clock
        self._size = (source.info.width, source.info.height)
        self._in_flight = model.in_flight if isinstance(model, AsyncModel) else 1
        self._failed_in_a_row = 0
        self._workers: Workers | None = None
        spec = model.input_for(*self._size)
        arrays = [model.allocate(batch_size, spec) for _ in range(slots)]
        self._ring: BatchRing[Entry] = BatchRing(arrays, batcher, clock, entries=batch_entries)
        self._channel: Channel[LabelledBatch] = Channel(1)
        self.ledger = Ledger()
        self.times = StageTimes(clock)
        self._feeder: Feeder
        self.propagation: Propagation | None = None
        """Of still frames, where that was asked for."""
        if still is None or spec.window is not None:
            self._feeder = make_feeder(self._ring, spec, self.times, keep_pictures=keep_pictures, fast=fast)
        else:
            self.propagation = Propagation(still)
            fill, detector = fill_for(spec, fast=fast), StillDetector(still)
            self._feeder = StillFeeder(self._ring, fill, detector, self.times, keep_pictures=keep_pictures)
        self.passed = 0
        """Frames that the source did not decode, as the sampling leaves them out; so far."""
        self.first_label_at: float | None = None
        """When the first results came out of the model, on the clock."""

    def run(self, sinks: Sequence[Sink], advanced: Callable[[int], None]) -> None:
        """Decode, infer and write in three threads until the source ends or ``stop`` is called.

        The sinks are open already; closing or aborting them is the caller's. ``advanced(n)`` is called on the
        writing thread after each batch of ``n`` frames.

        Raises:
            VidinferError: the failure of a stage, with a note naming it; of several, an ``ExceptionGroup``.
        """
        with Workers(on_failure=self.abort) as workers:
            workers.start("decode", self._decode)
            workers.start("infer", self._infer)
            workers.start("write", lambda: self._write(sinks, advanced))

    @contextmanager
    def batches(self) -> Iterator[Iterator[LabelledBatch]]:
        """Decode and infer in two threads; the block reads the batches. Leaving it early stops both."""
        with Workers(on_failure=self.abort) as workers:
            workers.start("decode", self._decode)
            workers.start("infer", self._infer)
            self._workers = workers
            try:
                yield self._counted(self._channel)
            finally:
                self.abort()  # after a complete read this changes nothing

    def join(self) -> None:
        """Wait for the threads of ``batches``, whose block was left on one of them; ``abort`` makes them end."""
        if self._workers is not None:
            self._workers.join()

    def stop(self) -> None:
        """End soon: nothing more is decoded, what is decoded is finished."""
        self._source.interrupt()

    def abort(self) -> None:
        """End now: every wait inside the pipeline ends, what is in flight is given up."""
        self._source.interrupt()
        self._ring.abort()
        self._channel.abort()

    def statistics(self) -> RingStatistics:
        """How full the ring was: which side waited for which."""
        return self._ring.statistics()

    def _decode(self) -> None:
        frames = iter(self._source)
        while True:
            with self.times.busy("decode"):
                item = next(frames, None)
            if item is None or not self._accept(item):
                break
        self._source.interrupt()
        self._feeder.end()
        self._ring.close()

    def _accept(self, item: Frame | Gap | Passed) -> bool:
        """Put one item into the ring; ``False``: it is past the end of what was asked for."""
        if isinstance(item, Gap):
            self.ledger.add("gaps")
            self.ledger.add("packets_lost", item.packets)
            self._feeder.gap(item)
            return True
        if self._sampler.finished(item.stamp):
            return False
        self.ledger.add("decoded")
        reason = self._sampler.skip_reason(item.stamp)
        if reason is not None:
            self.ledger.skip(reason)
            self.passed += isinstance(item, Passed)
            return True
        if isinstance(item, Passed):
            raise SourceError(f"frame {item.stamp.index} is wanted, but the source did not decode it")
        self._feeder.frame(item)
        return True

    def _infer(self) -> None:
        """As many batches with the model as keep it busy; results leave in the order of the frames."""
        waiting: deque[_Submitted] = deque()
        try:
            while (slot := self._ring.take()) is not None:
                with self.times.busy("infer"):
                    waiting.append(_Submitted(slot, self._submit(slot)))
                if len(waiting) >= self._in_flight:
                    self._deliver(waiting.popleft())
            while waiting:
                self._deliver(waiting.popleft())
        finally:  # given up: the model must still be done with the slots, and free for the next source
            for left in waiting:
                with suppress(Exception):
                    left.results()
        self._channel.close()

    def _deliver(self, submitted: _Submitted) -> None:
        slot = submitted.slot
        try:
            with self.times.busy("infer"):
                batch = self._labelled(slot, submitted.pending)
            if slot.rows:  # one without has not asked the model
                self._failed_in_a_row = 0
        except Exception as error:
            self._failed_in_a_row += 1
            if isinstance(error, DeviceLost):
                raise
            if self._failed_in_a_row >= FAILED_BATCHES_IN_A_ROW:
                raise ModelError(_cause(error, slot.entries)) from error
            batch = self._failed(slot.entries, error)
        self._ring.release(slot)
        if self.propagation is not None:
            batch = self.propagation.complete(batch)
        if self.first_label_at is None and batch.results.frames:
            self.first_label_at = self._clock.now()
        self._channel.put(batch)

    def _submit(self, slot: Slot[Entry]) -> PendingResults | None:
        """Begin; a model that fails at once tells when its turn comes."""
        if slot.rows == 0:
            return None
        batch = slot.array[: slot.rows]
        if not isinstance(self._model, AsyncModel):
            return _Later(partial(self._model.predict, batch, *self._size))
        try:
            return self._model.submit(batch, *self._size)
        except Exception as error:
            return _Failed(error)

    def _labelled(self, slot: Slot[Entry], pending: PendingResults | None) -> LabelledBatch:
        if pending is None:
            return LabelledBatch(slot.entries, Results(0, self._model.info.categories))
        results = pending.results()
        if results.frames != slot.rows:
            raise ModelError(f"the model gave results of {results.frames} frames for a batch of {slot.rows}")
        return LabelledBatch(slot.entries, results)

    def _failed(self, entries: Sequence[Entry], error: Exception) -> LabelledBatch:
        """The model failed on this batch: its frames say so, the run goes on."""
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
        marked = [
            replace(e, outcome=Outcome.FAILED, row=-1, reason=reason)
            if e.outcome is Outcome.LABELLED and e.by != "propagated"
            else e
            for e in entries
        ]
        return LabelledBatch(marked, Results(0, self._model.info.categories))

    def _write(self, sinks: Sequence[Sink], advanced: Callable[[int], None]) -> None:
        for batch in self._channel:
            with self.times.busy("write"):
                for sink in sinks:
                    sink.write(batch)
            advanced(self._count(batch))

    def _counted(self, batches: Channel[LabelledBatch]) -> Iterator[LabelledBatch]:
        for batch in batches:
            self._count(batch)
            yield batch

    def _count(self, batch: LabelledBatch) -> int:
        """Enter the outcomes into the ledger once they have left the pipeline. Returns the frames."""
        frames = 0
        for entry in batch.entries:
            if entry.outcome is not Outcome.GAP:
                self.ledger.add(entry.outcome.value)
                if entry.by == "propagated" and entry.outcome is Outcome.LABELLED:
                    self.ledger.add("propagated")
                frames += 1
        return frames


@dataclass(frozen=True, slots=True)
class _Submitted:
    slot: Slot[Entry]
    pending: PendingResults | None
    """``None``: no frame of it has a place."""

    def results(self) -> Results | None:
        return None if self.pending is None else self.pending.results()


@dataclass(frozen=True, slots=True)
class _Later:
    """What a model that knows one batch at a time will give."""

    results: Callable[[], Results]


@dataclass(frozen=True, slots=True)
class _Failed:
    error: Exception

    def results(self) -> Results:
        raise self.error


def _cause(error: Exception, entries: Sequence[Entry]) -> str:
    first = entries[0].at
    where = f"frame {first.index}" if not isinstance(first, Gap) else "a gap"
    return (
        f"the model failed on {FAILED_BATCHES_IN_A_ROW} batches in a row, last at {where}: "
        f"{type(error).__name__}: {error}"
    )
