"""Units labelled by actors of a Ray cluster, one for each worker.

An actor decodes, infers and commits inside its own process and returns the receipt. Ray restarts and repeats nothing
(``max_restarts=0``, ``max_task_retries=0``): an actor that is gone is replaced here, and what that means for its unit
is decided by the journal of the run.
"""

from __future__ import annotations

import re
import secrets
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Any

from vidinfer.archive.engine import LOOK, Done, Event, Failed, Heard, Lost, go_on
from vidinfer.archive.local import Limits, as_raised, log_tail
from vidinfer.archive.ray_actor import Briefing, UnitActor, versions
from vidinfer.archive.ray_share import Share
from vidinfer.archive.unit import Unit
from vidinfer.clock import Clock
from vidinfer.config import RunConfig
from vidinfer.errors import ModelUnavailable, UsageError
from vidinfer.sink.atomic import output_error
from vidinfer.storage import Location

__all__ = ["RayEngine"]

INPUTS = 100
"""Sources that a node is asked about."""
GONE = 3
"""Times that a machine may go away with a unit before the unit is the suspect."""
STARTS = 3
"""Processes in one place that may end before the model is loaded."""
_TRACES = re.compile(r"\*\*\* (SIG[A-Z]+) received|Fatal Python error: (.+)")
"""Of Ray, and of Python's faulthandler."""


@dataclass(slots=True, eq=False)
class _Worker:
    number: int
    actor: Any
    log: Path
    heard: float
    """When it last got on."""
    job: Any
    """What it was asked for and has not answered; ``None``: nothing."""
    host: str = ""
    """Empty until it has a place in the cluster."""
    beat: Any = None
    ready: bool = False
    unit: Unit | None = None
    decoded: int = 0
    starts: int = 1
    """Processes in this place since one was ready."""

    @property
    def name(self) -> str:
        return f"{self.host or 'nowhere'}/worker-{self.number}"


class RayEngine:
    """An :class:`~vidinfer.archive.engine.Engine`; its thread rule holds."""

    def __init__(
        self,
        ray: Any,
        config: RunConfig,
        fallback: RunConfig | None,
        share: Share,
        logs: Path,
        clock: Clock,
        limits: Limits,
        cores: Sequence[Sequence[int]] = (),
    ) -> None:
        """Nothing is started yet.

        Args:
            ray: the module, connected.
            config: of every actor.
            fallback: for pictures on which the backend of ``config`` is not exact; ``None``: they fail.
            share: how many actors, and what each gets.
            logs: folder for what the actors say; every node must see it.
            clock: of the limits.
            limits: when an actor is ended.
            cores: of each actor, where they are all on this machine and it is theirs alone.
        """
        self._cores = cores
        self._ray = ray
        self._share = share
        self._logs = logs.absolute()
        self._clock = clock
        self._limits = limits
        self._facts: dict[str, Any] | None = None
        self._workers: list[_Worker] = []
        self._gone: Counter[str] = Counter()
        """Machines that went away, by the unit that they were at."""
        self._last_sign = self._listened = clock.now()
        given = islice((Path(source) for source in config.sources), INPUTS)
        inputs = tuple(path for path in given if path.exists())
        self._briefing = Briefing(
            config, fallback, share.cpus, Path.cwd(), inputs, self._logs, self._logs, secrets.token_hex(8)
        )
        ray.method(concurrency_group="watch")(UnitActor.beat)  # its own thread in the actor
        self._actors = ray.remote(
            num_cpus=share.cpus,
            num_gpus=share.gpus,
            max_restarts=0,
            max_task_retries=0,
            concurrency_groups={"watch": 1},
        )(UnitActor)

    def __enter__(self) -> RayEngine:
        probe = self._logs / "probe"
        try:
            probe.write_text(self._briefing.token)
        except OSError as error:
            raise output_error(probe, error) from error
        self._last_sign = self._listened = self._clock.now()
        for number in range(self._share.workers):
            self._workers.append(self._start(number))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for worker in self._workers:
            self._kill(worker)
        self._workers.clear()
        (self._logs / "probe").unlink(missing_ok=True)

    @property
    def places(self) -> int:
        """Actors that are ready and have nothing to do."""
        return sum(map(_is_free, self._workers))

    def submit(self, unit: Unit, target: Path) -> None:
        """Give a unit to an actor."""
        worker = next(filter(_is_free, self._workers))
        worker.unit, worker.decoded, worker.heard = unit, 0, self._clock.now()
        worker.job = worker.actor.label.remote(unit, target)

    def model_facts(self, stopped: Callable[[], bool]) -> dict[str, Any]:
        """Waits for the first actor to have loaded the model.

        Raises:
            Interrupted: ``stopped()`` became true.
            ModelUnavailable: it cannot be loaded, or nobody in the cluster has room for an actor.
            UsageError: an option that the model does not have, or a node that cannot take part.
        """
        while self._facts is None:
            go_on(stopped)
            self.wait(LOOK)
        return self._facts

    def choose(self, paths: Iterable[Location], stopped: Callable[[], bool]) -> tuple[str, str] | None:
        """Backend and precision that are best for the first of these files that can be used; ``None``: for none.

        Raises:
            ModelUnavailable, UsageError: as ``model_facts``.
        """
        for path in paths:
            while not self.places:
                go_on(stopped)
                self.wait(LOOK)
            worker = next(filter(_is_free, self._workers))
            answer = self._asked(worker, worker.actor.choose.remote(path), stopped)
            if answer is not None and answer[0] == "chosen":
                return answer[1], answer[2]
            if answer is not None and answer[1] in ("unavailable", "usage"):
                raise as_raised(answer[1], answer[2], answer[3])
        return None

    def _asked(self, worker: _Worker, job: Any, stopped: Callable[[], bool]) -> tuple[Any, ...] | None:
        """The answer; ``None``: the actor is gone, and another has its place."""
        until = self._clock.now() + self._limits.load
        done: list[Any] = []
        while not done and self._clock.now() < until:
            go_on(stopped)
            done, _ = self._ray.wait([job], timeout=LOOK)
        if not done:
            self._replace(worker, f"no answer for {self._limits.load:g} s, so it was ended")
            return None
        try:
            return tuple(self._ray.get(job))
        except self._ray.exceptions.RayError as error:
            self._broke(worker, error)
            return None

    def wait(self, seconds: float) -> list[Event]:
        """What happened; waits until something does, or ``seconds`` are over.

        Raises:
            ModelUnavailable, UsageError: as ``model_facts``.
        """
        self._forgive_absence()
        jobs = {worker.job: worker for worker in self._workers if worker.job is not None}
        beats = {worker.beat: worker for worker in self._workers if worker.beat is not None}
        asked = {**jobs, **beats}  # answers before beats
        done, _ = self._ray.wait(list(asked), num_returns=1, timeout=seconds)
        done, _ = self._ray.wait(list(asked), num_returns=len(asked), timeout=0) if done else ([], [])
        there = set(done)
        events: list[Event] = []
        for ref, worker in asked.items():
            if ref in there and worker in self._workers:  # it may have been replaced a moment ago
                events += self._hear(worker, ref)
        for worker in list(self._workers):
            events += self._check(worker)
        self._listened = self._clock.now()
        return events

    def _forgive_absence(self) -> None:
        """While nobody listened (outputs were made, say), nobody asked how the actors get on."""
        absent = self._clock.now() - self._listened
        self._last_sign += absent
        for worker in self._workers:
            worker.heard += absent

    def _hear(self, worker: _Worker, ref: Any) -> list[Event]:
        """One answer, or the end of the actor."""
        try:
            said = self._ray.get(ref)
        except self._ray.exceptions.RayError as error:
            return self._broke(worker, error)
        self._last_sign = self._clock.now()
        if ref == worker.beat:
            return self._beat(worker, *said)
        worker.job, worker.heard = None, self._last_sign
        return self._understood(worker, said)

    def _beat(self, worker: _Worker, decoded: int, memory: int) -> list[Event]:
        worker.beat = worker.actor.beat.remote()
        if worker.unit is None:
            return []
        if decoded != worker.decoded:
            worker.decoded, worker.heard = decoded, self._clock.now()
        most = self._limits.memory
        if most is not None and memory > most:
            allowed = f"where {most >> 20} are allowed, so it was ended"
            return self._replace(worker, f"took {memory >> 20} MiB of memory, {allowed}")
        return [Heard(worker.unit, decoded, worker.name)]

    def _understood(self, worker: _Worker, said: tuple[Any, ...]) -> list[Event]:
        if said[0] == "refused":
            raise UsageError(
                f"engine ray: {said[1]}; all nodes must see the sources, the folder of the outputs and the folder "
                f"in which the run is started under the same paths, as on a network file system"
            )
        if said[0] == "here":
            worker.host = said[1]
            self._check_in(worker, said[2])
            worker.job = worker.actor.load.remote()
            return []
        if said[0] == "ready":
            worker.ready, worker.starts = True, 0
            worker.beat = worker.actor.beat.remote()
            self._facts = said[1]
            return []
        if said[0] == "failed" and not worker.ready:
            raise as_raised(said[1], f"{said[2]} (on node {worker.host})", said[3])
        unit, worker.unit = worker.unit, None
        assert unit is not None, f"an answer to nothing: {said[0]}"
        if said[0] == "done":
            return [Done(unit, said[1], worker.name)]
        return [Failed(unit, said[1], said[2], worker.name)]

    def _check_in(self, worker: _Worker, theirs: dict[str, str]) -> None:
        """The node is one whose labels are ours, and what it writes is seen here."""
        ours = versions()
        other = [name for name in ours if ours[name] != theirs.get(name)]
        if other:
            name = other[0]
            raise UsageError(
                f"engine ray: node {worker.host} has {name} {theirs.get(name)}, this machine {ours[name]}: labels "
                f"might differ; install the same versions everywhere"
            )
        answer = self._logs / f"probe-{self._briefing.token}-{worker.log.stem}"
        try:
            answer.unlink()
        except FileNotFoundError:
            raise UsageError(
                f"engine ray: what node {worker.host} writes into {self._logs} does not arrive here; give an --out "
                f"that all nodes share, as on a network file system"
            ) from None

    def _check(self, worker: _Worker) -> list[Event]:
        """Does it get on?"""
        silent = self._clock.now() - worker.heard
        if worker.host and worker.job is not None:
            limit = self._limits.stall if worker.ready else self._limits.load
            if silent > limit:
                return self._replace(worker, f"no frame for {limit:g} s, so it was ended")
        elif self._clock.now() - self._last_sign > self._limits.load:
            share = self._share
            gpus = f" and {share.gpus:g} GPUs" if share.gpus else ""
            raise ModelUnavailable(
                f"engine ray: for {self._limits.load:g} s no node of the cluster had {share.cpus} CPUs{gpus} free; "
                f"see `ray status`, or give --workers for smaller or larger shares"
            )
        return []

    def _broke(self, worker: _Worker, error: Exception) -> list[Event]:
        """Ray cannot reach it any more, and says why."""
        errors, text = self._ray.exceptions, str(error)
        if isinstance(error, errors.OutOfMemoryError):
            return self._replace(worker, "its machine ran out of memory, so Ray ended it")
        away = isinstance(error, errors.ActorUnavailableError) or "node has died" in text
        if away or getattr(error, "preempted", False):
            return self._replace(worker, f"its machine went away ({worker.host or 'unknown'})", gone=True)
        if isinstance(error, errors.RayTaskError) or "creation task" in text:
            reason = (text.strip().splitlines() or [type(error).__name__])[-1]
            if worker.host:
                return self._replace(worker, reason)
            raise UsageError(
                f"engine ray: a node cannot start vidinfer: {reason}; install the same version of it, and what your "
                f"--model needs, on every node"
            )
        return self._replace(worker, None)

    def _replace(self, worker: _Worker, reason: str | None, *, gone: bool = False) -> list[Event]:
        """End it if it has not ended, and start another in its place."""
        self._kill(worker)
        log = log_tail(worker.log)
        reason = reason or _end_told_by(log)
        if not worker.ready and not gone and worker.starts >= STARTS:
            raise ModelUnavailable(
                f"{STARTS} workers in a row ended before the model was loaded: {reason} (on node {worker.host}); see "
                f"{worker.log}"
            )
        another = self._start(worker.number)
        another.starts = worker.starts + (not gone)
        self._workers[self._workers.index(worker)] = another
        if worker.unit is None:
            return []
        unit = worker.unit
        self._gone[unit.id] += gone
        blame = not gone or self._gone[unit.id] > GONE
        return [Lost(unit, reason, log, blame, worker.name)]

    def _start(self, number: int) -> _Worker:
        log = self._logs / f"worker-{number}.log"
        log.unlink(missing_ok=True)
        cores = tuple(self._cores[number]) if self._cores else ()
        actor = self._actors.remote(replace(self._briefing, log=log, cores=cores))
        return _Worker(number, actor, log, self._clock.now(), actor.settle_in.remote())

    def _kill(self, worker: _Worker) -> None:
        with suppress(self._ray.exceptions.RayError, ValueError):  # it is gone already
            self._ray.kill(worker.actor, no_restart=True)


def _is_free(worker: _Worker) -> bool:
    return worker.ready and worker.unit is None


def _end_told_by(log: str) -> str:
    """Ray does not tell how a process ended, but its last words may."""
    found = ["".join(pair) for pair in _TRACES.findall(log)]
    return f"crashed: {found[-1]}" if found else "its process ended: crashed without a word, or was killed"
