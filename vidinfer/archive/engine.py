"""The seam between a run and whoever labels its units: processes of this machine, or a cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol

from vidinfer.archive.unit import Unit
from vidinfer.clock import Clock
from vidinfer.config import RunConfig
from vidinfer.errors import Interrupted
from vidinfer.storage import Location

__all__ = ["LOOK", "Done", "Engine", "EngineFactory", "Event", "Failed", "Heard", "Lost", "go_on"]

LOOK = 0.5
"""Seconds from one look for a stop to the next, while the model is loaded or a backend chosen."""


@dataclass(frozen=True, slots=True)
class Done:
    """A unit is committed."""

    unit: Unit
    receipt: dict[str, Any]
    worker: str = ""


@dataclass(frozen=True, slots=True)
class Failed:
    """A unit raised; nothing of it is committed, and whoever labelled it goes on."""

    unit: Unit
    kind: str
    """``source``, ``unreachable`` (its store does not answer), ``changed``, ``unlike`` (a part cannot be had alone),
    ``model``, ``sink``, ``unavailable``, ``usage`` or ``bug``."""
    text: str
    worker: str = ""


@dataclass(frozen=True, slots=True)
class Lost:
    """The process that labelled a unit is gone."""

    unit: Unit
    reason: str
    """One line: crashed by which signal, hung, took too much memory."""
    log: str = ""
    """The last that it said."""
    blame: bool = True
    """The unit may be the cause; not so where a whole machine went away."""
    worker: str = ""


@dataclass(frozen=True, slots=True)
class Heard:
    """A sign of life."""

    unit: Unit
    decoded: int
    worker: str = field(default="")


Event = Done | Failed | Lost | Heard


class Engine(Protocol):
    """Labels units, several at a time. Thread rule: one thread."""

    def model_facts(self, stopped: Callable[[], bool]) -> dict[str, Any]:
        """The facts of the model, as in receipts; waits until somebody has loaded it.

        Args:
            stopped: looked at each half second; true ends the wait.

        Raises:
            Interrupted: ``stopped()`` became true.
            ModelUnavailable: nobody can.
            UsageError: an option that it does not have.
        """
        ...

    def choose(self, paths: Iterable[Location], stopped: Callable[[], bool]) -> tuple[str, str] | None:
        """Backend and precision that are best for the first of these files that can be used; ``None``: for none.

        Args:
            paths: files.
            stopped: looked at each half second; true ends the wait.

        Raises:
            Interrupted: ``stopped()`` became true.
            ModelUnavailable, UsageError: the model cannot be loaded, or not be run as asked for.
        """
        ...

    @property
    def places(self) -> int:
        """Units that may be submitted at once, now."""
        ...

    def submit(self, unit: Unit, target: Path) -> None:
        """Begin with a unit; there must be a place."""
        ...

    def wait(self, seconds: float) -> list[Event]:
        """What happened, at most ``seconds`` later.

        Raises:
            ModelUnavailable: nobody can load the model.
        """
        ...

    def __enter__(self) -> Engine: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Give up what is under way and end every process."""
        ...


class EngineFactory(Protocol):
    """Makes an engine that is not started yet."""

    def __call__(self, config: RunConfig, fallback: RunConfig | None, *, logs: Path, clock: Clock) -> Engine:
        """Make it.

        Args:
            config: what to do with each unit.
            fallback: for pictures on which the backend of ``config`` is not exact; ``None``: they fail.
            logs: folder for what processes say.
            clock: of limits.
        """
        ...


def go_on(stopped: Callable[[], bool]) -> None:
    """For waits.

    Raises:
        Interrupted: ``stopped()`` is true.
    """
    if stopped():
        raise Interrupted("stopped before the model was there")
