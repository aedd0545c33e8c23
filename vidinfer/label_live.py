"""Streams labelled for a caller who reads the frames himself: a live run on a thread of its own."""

from __future__ import annotations

import threading
from collections.abc import Generator, Sequence
from contextlib import ExitStack

from vidinfer.clock import Clock, MonotonicClock
from vidinfer.config import RunConfig
from vidinfer.errors import SourceError
from vidinfer.labelled import LabelledFrame, labelled_frame
from vidinfer.live.handover import HandOver
from vidinfer.live.sources import check_sources
from vidinfer.plan import ThreadPlan, thread_plan
from vidinfer.progress import SilentObserver, StopSignal
from vidinfer.report import RunReport
from vidinfer.run_live import LiveRun, open_live_model
from vidinfer.stages import Model
from vidinfer.stats import LedgerSnapshot, together
from vidinfer.status import LiveStatus
from vidinfer.workers import Workers, on_a_worker

__all__ = ["LiveLabelling", "open_live_labelling"]


def open_live_labelling(config: RunConfig) -> LiveLabelling:
    """Check the addresses and load the model; nothing is connected yet.

    Raises:
        UsageError: options that make no sense, an address that is none, a model that cannot label streams.
        SourceError: a file that is not there.
        ModelUnavailable: no model, or no weights.
    """
    config.require_live()
    check_sources(config.sources)
    plan = thread_plan()
    return LiveLabelling(config, open_live_model(config, plan), plan, MonotonicClock())


class LiveLabelling:
    """Begins with the first frame that is asked for, and ends when nobody reads any more.

    Thread rule: ``frames`` once and ``close`` on one thread; the rest on any.
    """

    info = None
    """There are several sources, and what they are may change: see ``status``."""

    def __init__(self, config: RunConfig, model: Model, plan: ThreadPlan, clock: Clock) -> None:
        """The model is closed with it."""
        self._model, self._clock = model, clock
        self._stop, self._handover, self._page = StopSignal(), HandOver(), _Page()
        self._run = LiveRun(config, model, plan, clock, self._handover, self._page, self._stop)
        self._begun = False

    def frames(self) -> Generator[LabelledFrame, None, None]:
        """Every frame of every stream, gaps left out, until the run ends by itself or by ``stop``.

        Raises:
            UsageError: the page's port is taken.
            ModelError: the model failed for good.
            SourceError: not one of the sources was ever there.
        """
        with ExitStack() as block:
            self._begun = True
            block.enter_context(Workers(self._give_up)).start("live", self._label)
            reader = threading.get_ident()
            try:
                while (one := self._handover.take()) is not None:
                    frame = labelled_frame(one.batch, one.entry, one.stream, self._clock.now())
                    del one  # or its picture would live on while the next one is awaited
                    yield frame
                    del frame
                    reader = threading.get_ident()
            except GeneratorExit:
                if on_a_worker(reader):
                    self._give_up()  # the run's own thread waits for the others, and frees the model
                    block.pop_all()
                raise

    @property
    def ledger(self) -> LedgerSnapshot:
        """What became of the frames of all streams so far."""
        return together(one.tally.ledger.snapshot() for one in tuple(self._run.streams))

    @property
    def left_out(self) -> int:
        """Frames that the reader was too slow for."""
        return self._handover.left_out

    @property
    def preview(self) -> str | None:
        """Address of the page, while it is served."""
        return self._page.url

    def status(self) -> LiveStatus | None:
        """How it stands; ``None`` before it has begun."""
        board = self._run.board
        return None if board is None else board.status()

    def stop(self) -> None:
        """End soon: what was read is labelled and may be taken."""
        self._stop.request()

    def close(self) -> None:
        """Free the model, where ``frames`` never began. Idempotent."""
        if not self._begun:
            self._model.close()

    def _give_up(self) -> None:
        self._handover.abort()
        self._stop.abort()

    def _label(self) -> None:
        """The thread of the run; it owns everything else that the run has made, and the model."""
        try:
            report = self._run.run()
        finally:
            self._handover.close()
            self._model.close()
        if all(one.status == "failed" for one in report.sources):
            raise SourceError(_failures(report))


def _failures(report: RunReport) -> str:
    return "; ".join(f"{one.source}: {one.error}" for one in report.sources)


class _Page(SilentObserver):
    """Keeps the address of the page."""

    url: str | None = None

    def live_started(self, streams: Sequence[str], url: str | None) -> None:  # noqa: ARG002
        """It is served from now on."""
        self.url = url
