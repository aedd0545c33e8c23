"""The seam between a run and whoever labels its units: processes of this machine, or a cluster."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol

from vidinfer.archive.unit import Unit

__all__ = ["Done", "Engine", "Event", "Failed", "Heard", "Lost"]


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
    """``source``, ``changed``, ``model``, ``sink``, ``unavailable``, ``usage`` or ``bug``."""
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
