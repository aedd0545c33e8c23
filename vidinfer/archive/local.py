"""Units labelled by processes of this machine, each with the model, cores of its own and an eye on it.

A process that crashes, hangs or takes too much memory is noticed, ended and, if anything is left to do, replaced; the
unit that it was at is told as lost, with the reason. So a file that crashes a decoder costs a process, not the night.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from pathlib import Path
from types import TracebackType
from typing import Any

from vidinfer.archive.engine import LOOK, Done, Event, Failed, Heard, Lost, go_on
from vidinfer.archive.unit import Unit
from vidinfer.archive.worker import work
from vidinfer.clock import Clock
from vidinfer.config import RunConfig
from vidinfer.errors import ModelUnavailable, UsageError, VidinferError
from vidinfer.memory import resident_bytes
from vidinfer.storage import Location

__all__ = ["Limits", "LocalEngine", "as_raised", "local_engine", "log_tail", "shares"]

LOG_TAIL = 8000
"""Bytes of what a lost process said that are kept."""
STARTS = 3
"""Processes in one place that may end before the model is loaded: what ends the third ends every one."""
JOIN = 5.0
"""Seconds that a process which was killed may take to be gone."""


@dataclass(frozen=True, slots=True)
class Limits:
    """When a process is ended."""

    stall: float = 120.0
    """Seconds without a further frame; loading the model has ``load``."""
    load: float = 900.0
    """Seconds until the model is there: weights may have to be fetched."""
    memory: int | None = None
    """Bytes of resident memory; ``None``: no limit."""


@dataclass(slots=True)
class _Worker:
    number: int
    process: SpawnProcess
    pipe: Connection
    log: Path
    heard: float
    """When it last got on."""
    ready: bool = False
    unit: Unit | None = None
    decoded: int = 0
    starts: int = 1
    """Processes in this place since one was ready."""

    @property
    def name(self) -> str:
        return f"worker-{self.number}"


class LocalEngine:
    """An :class:`~vidinfer.archive.engine.Engine`; its thread rule holds."""

    def __init__(
        self,
        config: RunConfig,
        fallback: RunConfig | None,
        shares: Sequence[Sequence[int]],
        logs: Path,
        clock: Clock,
        limits: Limits,
    ) -> None:
        """Nothing is started yet.

        Args:
            config: of every process.
            fallback: for pictures on which the backend of ``config`` is not exact; ``None``: they fail.
            shares: the cores of each process, one for each.
            logs: folder for what the processes say.
            clock: of the limits.
            limits: when a process is ended.
        """
        self._config = config
        self._fallback = fallback
        self._shares = shares
        self._logs = logs
        self._clock = clock
        self._limits = limits
        self._facts: dict[str, Any] | None = None
        self._workers: list[_Worker] = []
        self._vacant: dict[int, int] = {}
        """Numbers of processes that are gone, until somebody waits for one again (a run may end with them), and how
        many in a row ended there before they were ready."""

    def __enter__(self) -> LocalEngine:
        try:
            for number in range(len(self._shares)):
                self._workers.append(self._start(number))
        except BaseException:
            self._end_all()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end_all()

    @property
    def places(self) -> int:
        """Processes that are ready and have nothing to do."""
        return sum(worker.ready and worker.unit is None for worker in self._workers)

    def submit(self, unit: Unit, target: Path) -> None:
        """Give a unit to a process."""
        worker = next(worker for worker in self._workers if worker.ready and worker.unit is None)
        worker.unit, worker.decoded, worker.heard = unit, 0, self._clock.now()
        try:
            worker.pipe.send(("label", unit, target))
        except OSError:
            return  # it is gone, which `wait` finds out

    def model_facts(self, stopped: Callable[[], bool]) -> dict[str, Any]:
        """Waits for the first process to have loaded the model.

        Raises:
            Interrupted: ``stopped()`` became true.
            ModelUnavailable, UsageError: it cannot be loaded.
        """
        while self._facts is None:
            go_on(stopped)
            self.wait(LOOK)
        return self._facts

    def choose(self, paths: Iterable[Location], stopped: Callable[[], bool]) -> tuple[str, str] | None:
        """Backend and precision that are best for the first of these files that can be used; ``None``: for none.

        Raises:
            ModelUnavailable, UsageError: the model cannot be loaded, or not be run as asked for.
        """
        for path in paths:
            while not self.places:
                go_on(stopped)
                self.wait(LOOK)
            worker = next(worker for worker in self._workers if worker.ready)
            answer = self._asked(worker, ("choose", path), stopped)
            if answer is not None and answer[0] == "chosen":
                return answer[1], answer[2]
            if answer is not None and answer[1] in ("unavailable", "usage"):
                raise as_raised(answer[1], answer[2], answer[3])
        return None

    def _asked(
        self, worker: _Worker, question: tuple[Any, ...], stopped: Callable[[], bool]
    ) -> tuple[Any, ...] | None:
        """The answer; ``None``: the process is gone."""
        until = self._clock.now() + self._limits.load
        try:
            worker.pipe.send(question)
            while self._clock.now() < until:
                go_on(stopped)
                if worker.pipe.poll(LOOK):
                    return tuple(worker.pipe.recv())
        except (EOFError, OSError):
            self._replace(worker, None)
            return None
        self._replace(worker, f"no answer for {self._limits.load:g} s, so it was ended")
        return None

    def wait(self, seconds: float) -> list[Event]:
        """What happened; waits until something does, or ``seconds`` are over.

        Raises:
            ModelUnavailable, UsageError: the model cannot be loaded, or not be run as asked for.
        """
        for number, ended in list(self._vacant.items()):
            self._workers.append(self._start(number))
            self._workers[-1].starts += ended
            del self._vacant[number]
        by_object: dict[Any, _Worker] = {}
        for worker in self._workers:
            by_object[worker.pipe] = by_object[worker.process.sentinel] = worker
        ready = {id(by_object[one]): by_object[one] for one in wait(list(by_object), timeout=seconds)}
        events: list[Event] = []
        for worker in ready.values():
            events += self._hear(worker)
        for worker in list(self._workers):
            events += self._check(worker)
        return events

    def _hear(self, worker: _Worker) -> list[Event]:
        """All that it sent, and its end."""
        events: list[Event] = []
        try:
            while worker.pipe.poll():
                event = self._understood(worker, worker.pipe.recv())
                if event is not None:
                    events.append(event)
        except (EOFError, OSError):
            events += self._replace(worker, None)
        return events

    def _understood(self, worker: _Worker, said: tuple[Any, ...]) -> Event | None:
        now = self._clock.now()
        if said[0] == "beat":
            if worker.unit is None:
                return None
            if said[1] != worker.decoded:
                worker.decoded, worker.heard = said[1], now
            return Heard(worker.unit, worker.decoded, worker.name)
        worker.heard = now
        if said[0] == "ready":
            worker.ready = True
            self._facts = said[1]
            return None
        if said[0] == "failed" and not worker.ready:
            raise as_raised(said[1], said[2], said[3])
        unit, worker.unit = worker.unit, None
        assert unit is not None, f"an answer to nothing: {said[0]}"
        if said[0] == "done":
            return Done(unit, said[1], worker.name)
        return Failed(unit, said[1], said[2], worker.name)

    def _check(self, worker: _Worker) -> list[Event]:
        """Is it alive, does it get on, is it small enough?"""
        silent = self._clock.now() - worker.heard
        limit = self._limits.stall if worker.ready else self._limits.load
        if (worker.unit is not None or not worker.ready) and silent > limit:
            return self._replace(worker, f"no frame for {limit:g} s, so it was ended")
        most = self._limits.memory
        if most is not None and worker.unit is not None:
            used = resident_bytes(worker.process.pid or 0)
            if used > most:
                return self._replace(
                    worker,
                    f"took {used >> 20} MiB of memory, where {most >> 20} are allowed, so it was ended",
                )
        return []

    def _replace(self, worker: _Worker, reason: str | None) -> list[Event]:
        """End it if it has not ended, and leave its place to another."""
        # One that took too long would do so again.
        again = worker.ready or (reason is None and worker.starts < STARTS)
        if reason is not None:
            worker.process.kill()
        worker.process.join(JOIN)
        reason = reason or _end_of(worker.process.exitcode)
        log = log_tail(worker.log)
        unit = worker.unit
        self._close(worker)
        self._workers.remove(worker)
        if not again:
            raise ModelUnavailable(
                f"{worker.starts} worker processes in a row ended before the model was loaded: {reason}; see "
                f"{worker.log}"
            )
        self._vacant[worker.number] = 0 if worker.ready else worker.starts
        return [] if unit is None else [Lost(unit, reason, log, worker=worker.name)]

    def _start(self, number: int) -> _Worker:
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        log = self._logs / f"worker-{number}.log"
        log.unlink(missing_ok=True)
        process = context.Process(
            target=work,
            args=(theirs, self._config, self._fallback, tuple(self._shares[number]), log, os.getpid()),
            name=f"vidinfer-worker-{number}",
            daemon=True,
        )
        process.start()
        theirs.close()
        return _Worker(number, process, ours, log, self._clock.now())

    def _end_all(self) -> None:
        for worker in self._workers:
            worker.process.kill()
        for worker in self._workers:
            worker.process.join(JOIN)
            self._close(worker)
        self._workers.clear()

    def _close(self, worker: _Worker) -> None:
        worker.pipe.close()
        if worker.process.exitcode is not None:
            worker.process.close()


def local_engine(config: RunConfig, fallback: RunConfig | None, *, logs: Path, clock: Clock) -> LocalEngine:
    """As the options say: so many workers, each with its share of the cores."""
    cores = (
        sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else [*range(os.cpu_count() or 1)]
    )
    memory = None if config.worker_memory is None else int(config.worker_memory * 2**20)
    limits = Limits(stall=config.stall, memory=memory)
    return LocalEngine(config, fallback, shares(cores, config.workers or len(cores)), logs, clock, limits)


def shares(cores: Sequence[int], workers: int) -> list[tuple[int, ...]]:
    """Each worker's cores, as equal as can be; where there are fewer cores than workers, they share."""
    if workers > len(cores):
        return [(cores[i % len(cores)],) for i in range(workers)]
    base, more = divmod(len(cores), workers)
    sizes = [base + (i < more) for i in range(workers)]
    starts = [sum(sizes[:i]) for i in range(workers)]
    return [tuple(cores[start : start + size]) for start, size in zip(starts, sizes, strict=True)]


def as_raised(kind: str, text: str, status: int) -> VidinferError:
    """What a process told of its model, as the error that it was."""
    return UsageError(text) if kind == "usage" or status == UsageError.exit_status else ModelUnavailable(text)


def _end_of(code: int | None) -> str:
    if code is None:
        return "closed its pipe"
    if code < 0:
        return f"crashed: {_signal_name(-code)}"
    return f"ended with exit status {code}"


def _signal_name(number: int) -> str:
    names = {4: "SIGILL", 6: "SIGABRT", 7: "SIGBUS", 8: "SIGFPE", 9: "SIGKILL", 11: "SIGSEGV", 15: "SIGTERM"}
    return names.get(number, f"signal {number}")


def log_tail(log: Path) -> str:
    """The last that a process said; empty where nobody knows."""
    try:
        with log.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - LOG_TAIL))
            return file.read().decode(errors="replace").strip()
    except OSError:
        return ""
