"""An output of a live stream, in a thread of its own: whatever it does, labelling goes on."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Mapping
from contextlib import ExitStack

from vidinfer.clock import Clock
from vidinfer.errors import VidinferError
from vidinfer.frame import SourceInfo
from vidinfer.live.waiting import PICTURES, RECORDS, Beginning, LeftOut, Limits, Waiting, without_pictures
from vidinfer.record import LabelledBatch
from vidinfer.stages import InterruptibleSink, ModelInfo, Sink
from vidinfer.status import OutletStatus
from vidinfer.workers import Workers

__all__ = ["Outlet"]

FIRST_PAUSE, LONGEST_PAUSE = 0.5, 30.0
"""Seconds from a failure to the next attempt; doubled each time."""
STUCK = 5.0
"""Seconds in one call of the sink after which ``status`` says so."""


class Outlet:
    """A bounded queue in front of one sink. Made, it runs; it ends with ``close``.

    - ``put`` never waits. What does not fit is left out and counted, see :data:`~vidinfer.live.waiting.RECORDS` and
      :data:`~vidinfer.live.waiting.PICTURES`. No record is made up for it: a reader sees that ``frame`` has holes.
    - Where the sink raises, the batch that it was given is counted as dropped (a part of it may be written), and the
      next one is tried after a pause that doubles from 0.5 s to 30 s. A failed ``open`` loses nothing.
    - The sink's ``open`` is called again where a stream comes back with other facts, its ``write`` again after a
      failure: sinks of live streams take both, unlike others.
    - Records put = written + dropped + waiting, at every moment. Of pictures, those are counted that the sink was
      never given (``pictures_dropped`` in ``facts``); what became of the others is the sink's to tell.

    A sink that is stuck in a call to the system which nothing can end (a network file system that is gone) makes
    ``close`` wait for that system; one that waits for a reader can be interrupted.

    Thread rule: share freely; ``close`` on one thread, once nobody calls ``put`` any more. The sink is called on the
    outlet's thread alone, ``interrupt`` aside.
    """

    def __init__(self, sink: Sink, name: str, clock: Clock, *, limits: Limits | None = None) -> None:
        """``name`` is for people; ``limits`` are those of the kind of sink unless given."""
        self._sink, self._name, self._clock = sink, name, clock
        self._waiting = Waiting(limits or (PICTURES if sink.needs_pictures else RECORDS))
        self._changed = threading.Condition()
        self._beginning: Beginning | None = None
        """Of what is put now."""
        self._coming: deque[tuple[int, Beginning]] = deque()
        """Of epochs of which nothing was put yet."""
        self._opened: Beginning | None = None
        self._written = self._dropped = self._lost = self._pictures_dropped = self._in_hand = 0
        self._error = ""
        self._pause = FIRST_PAUSE
        self._retry_at: float | None = None
        self._busy_since: float | None = None
        self._closing = self._giving_up = self._ended = False
        self._block = ExitStack()
        workers = self._block.enter_context(Workers(on_failure=lambda: None))
        workers.start(f"write-{name}", self._run)

    def open(self, source: SourceInfo, model: ModelInfo, epoch: int | None = None) -> None:
        """What is put from ``epoch`` on is of this, or from now on; never waits.

        A stream comes back before the last frame of the connection before has left the model.
        """
        with self._changed:
            last = self._coming[-1][1] if self._coming else self._beginning
            if last is None or not _alike(last, source, model):
                self._coming.append((epoch or 0, Beginning(source, model)))
                if epoch is None or self._beginning is None:
                    self._begin(epoch or 0)
                self._changed.notify_all()

    def put(self, batch: LabelledBatch) -> None:
        """Hand ``batch`` over, or count it as dropped; never waits.

        Raises:
            ValueError: ``open`` was never called.
        """
        if not self._sink.needs_pictures:
            batch = without_pictures(batch)
        with self._changed:
            self._begin(_epoch_of(batch))
            if self._beginning is None:
                raise ValueError(f"outlet {self._name}: put before open")
            if self._closing:
                self._leave_out(LeftOut.of([batch]))
            else:
                self._leave_out(self._waiting.add(self._beginning, batch))
                self._changed.notify_all()

    def status(self) -> OutletStatus:
        """The counts at one moment, in records."""
        with self._changed:
            return OutletStatus(
                self._name,
                self._written,
                self._dropped,
                self._waiting.records + self._in_hand,
                self._error or self._stuck(),
                self._lost,
            )

    @property
    def nbytes(self) -> int:
        """Bytes that wait, about: columns and pictures."""
        with self._changed:
            return self._waiting.nbytes

    def facts(self) -> Mapping[str, object]:
        """What the sink tells, and what the outlet left out; after ``close``."""
        status = self.status()
        told = {"written": status.written, "dropped": status.dropped}
        if self._sink.needs_pictures:
            told["pictures_dropped"] = self._pictures_dropped
        return dict(self._sink.facts()) | told | ({"error": status.error} if status.error else {})

    def close(self, timeout: float) -> None:
        """Write what waits within ``timeout`` seconds, leave out the rest, close the sink (or abort it). Idempotent."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
            if not self._changed.wait_for(lambda: self._ended, timeout):
                self._giving_up = True
                self._changed.notify_all()
        if self._giving_up and isinstance(self._sink, InterruptibleSink):
            self._sink.interrupt()
        self._block.close()

    def _leave_out(self, left_out: LeftOut) -> None:
        self._dropped += left_out.records
        self._pictures_dropped += left_out.pictures

    def _begin(self, epoch: int) -> None:
        while self._coming and self._coming[0][0] <= epoch:
            _, self._beginning = self._coming.popleft()

    def _run(self) -> None:
        while (job := self._next()) is not None:
            self._do(*job)
            del job  # or its pictures would live on while the next ones are awaited
        with self._changed:
            left_out = self._waiting.clear()
            self._leave_out(left_out)
            self._lost += left_out.records if self._error else 0
            done = not self._giving_up
        self._end(done=done)

    def _next(self) -> tuple[Beginning, LabelledBatch | None] | None:
        """What to do: open the sink, or write a batch; ``None``: end. Waits for either, and until a pause is over."""
        with self._changed:
            while not self._giving_up:
                left = self._pause_left()
                if left <= 0 and (job := self._job()) is not None:
                    self._busy_since = self._clock.now()
                    return job
                if self._closing:
                    return None
                self._changed.wait(left if left > 0 else None)
        return None

    def _job(self) -> tuple[Beginning, LabelledBatch | None] | None:
        wanted = self._waiting.first() if self._waiting else self._beginning
        if wanted is not None and wanted is not self._opened:
            return wanted, None
        if not self._waiting:
            return None
        job = self._waiting.take()
        self._in_hand = len(job[1].entries)
        return job

    def _pause_left(self) -> float:
        """Seconds; at the end nobody waits."""
        if self._retry_at is None or self._closing:
            return 0.0
        return self._retry_at - self._clock.now()

    def _do(self, beginning: Beginning, batch: LabelledBatch | None) -> None:
        try:
            if batch is None:
                self._sink.open(beginning.source, beginning.model)
            else:
                self._sink.write(batch)
        except Exception as error:
            with self._changed:
                self._failed(error)
        else:
            with self._changed:
                if batch is None:
                    self._opened = beginning
                self._written += self._in_hand
                self._settle("", FIRST_PAUSE, None)

    def _failed(self, error: Exception) -> None:
        self._dropped += self._in_hand
        self._lost += self._in_hand
        self._settle(_one_line(error), min(2 * self._pause, LONGEST_PAUSE), self._clock.now() + self._pause)
        self._giving_up |= self._closing  # a second attempt at the end would fail as well, or take its time

    def _settle(self, error: str, pause: float, retry_at: float | None) -> None:
        self._in_hand = 0
        self._busy_since = None
        self._error, self._pause, self._retry_at = error, pause, retry_at
        self._changed.notify_all()

    def _end(self, *, done: bool) -> None:
        """Close the sink, or abort it where something was given up."""
        try:
            if done:
                self._sink.close()
            else:
                self._sink.abort()
        except Exception as error:
            with self._changed:
                self._error = _one_line(error)
            self._sink.abort()
        finally:
            with self._changed:
                self._ended = True
                self._changed.notify_all()

    def _stuck(self) -> str:
        if self._busy_since is None:
            return ""
        seconds = self._clock.now() - self._busy_since
        return f"no progress for {seconds:.0f} s" if seconds > STUCK else ""


def _epoch_of(batch: LabelledBatch) -> int:
    """The newest; the frames of a batch that have results are of one shape, and what was dropped before is older."""
    return max((entry.arrival.epoch for entry in batch.entries if entry.arrival is not None), default=0)


def _alike(now: Beginning, source: SourceInfo, model: ModelInfo) -> bool:
    """Whether a sink can go on as it is."""
    before = now.source
    return now.model is model and (before.name, before.width, before.height, before.time_base) == (
        source.name,
        source.width,
        source.height,
        source.time_base,
    )


def _one_line(error: Exception) -> str:
    text = " ".join(str(error).split())
    return text if isinstance(error, VidinferError) else f"{type(error).__name__}: {text}"
