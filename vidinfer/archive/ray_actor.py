"""What runs on a node of a Ray cluster: the model, loaded once, and one unit after the other from file to commit."""

from __future__ import annotations

import os
import platform
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vidinfer import __version__
from vidinfer.archive.unit import Unit
from vidinfer.archive.worker import BEAT, answered
from vidinfer.archive.worker_log import speak_into
from vidinfer.config import RunConfig
from vidinfer.memory import resident_bytes
from vidinfer.plan import thread_plan
from vidinfer.storage import Location

if TYPE_CHECKING:
    from vidinfer.archive.labeller import UnitLabeller

__all__ = ["Briefing", "UnitActor", "versions"]

_PACKAGES = ("av", "numpy", "openvino", "torch", "torchvision")


@dataclass(frozen=True, slots=True)
class Briefing:
    """All that an actor is told once."""

    config: RunConfig
    fallback: RunConfig | None
    cpus: int
    folder: Path
    """Where the run was started: relative paths are from there."""
    inputs: tuple[Path, ...]
    """Some of the sources, which every node must see."""
    logs: Path
    """In the folder of the outputs, absolute."""
    log: Path
    token: str
    """In the file ``probe`` among the logs, if this is the same folder."""
    cores: tuple[int, ...] = ()
    """Its own; empty: nobody knows which are free."""


class UnitActor:
    """Answers as :func:`vidinfer.archive.worker.work` does, but for ``beat``.

    Thread rule: Ray calls ``beat`` on a thread of its own, and everything else on another one.
    """

    def __init__(self, briefing: Briefing) -> None:
        """Nothing is loaded yet."""
        self._briefing = briefing
        self._labeller: UnitLabeller | None = None

    def settle_in(self) -> tuple[Any, ...]:
        """``("here", host, versions)``, or ``("refused", why)`` where this node cannot take part."""
        told = self._briefing
        try:
            os.chdir(told.folder)
            missing = next((path for path in told.inputs if not path.exists()), None)
            if missing is not None:
                return self._refused(f"does not see {missing}")
            if (told.logs / "probe").read_text() != told.token:
                return self._refused(f"has another folder {told.logs}")
            (told.logs / f"probe-{told.token}-{told.log.stem}").write_text(told.token)
            speak_into(told.log)
        except OSError as error:
            return self._refused(f"cannot use {error.filename}: {error.strerror}")
        return ("here", platform.node(), versions())

    def load(self) -> tuple[Any, ...]:
        """``("ready", facts)`` or ``("failed", kind, text, exit status)``."""
        from vidinfer.archive.labeller import UnitLabeller  # loads torch, which the driver need not

        told = self._briefing
        if told.cores and hasattr(os, "sched_setaffinity"):
            os.sched_setaffinity(0, told.cores)  # of this thread, and of those that it starts
        self._labeller = labeller = UnitLabeller(told.config, thread_plan(told.cpus), told.fallback)
        return answered(lambda: ("ready", labeller.load()))

    def choose(self, path: Location) -> tuple[Any, ...]:
        """``("chosen", backend, precision)`` or ``("failed", …)``."""
        labeller = self._loaded()
        return answered(lambda: ("chosen", *labeller.choose(path)))

    def label(self, unit: Unit, target: Path) -> tuple[Any, ...]:
        """``("done", receipt)`` once the unit is committed, or ``("failed", …)``."""
        labeller = self._loaded()
        return answered(lambda: ("done", labeller.label(unit, target)))

    def beat(self) -> tuple[int, int]:
        """A moment later: frames of the unit at hand that were decoded so far, and bytes of resident memory."""
        threading.Event().wait(BEAT)
        labeller = self._labeller
        return 0 if labeller is None else labeller.decoded, resident_bytes()

    def _loaded(self) -> UnitLabeller:
        assert self._labeller is not None, "asked before it was loaded"
        return self._labeller

    def _refused(self, why: str) -> tuple[str, str]:
        return ("refused", f"node {platform.node()} {why}")


def versions(packages: Sequence[str] = _PACKAGES) -> dict[str, str]:
    """Of all that labels depend on."""
    found = {"vidinfer": __version__}
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "none"
    return found
