"""What a worker process does: one request after the other, until the other end is gone."""

from __future__ import annotations

import ctypes
import os
import sys
import threading
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vidinfer.archive.unit import Unit
from vidinfer.archive.worker_log import speak_into
from vidinfer.config import RunConfig
from vidinfer.errors import (
    ModelError,
    ModelUnavailable,
    PartUnlike,
    SinkError,
    SourceChanged,
    SourceError,
    SourceUnreachable,
    UsageError,
    VidinferError,
)
from vidinfer.plan import thread_plan
from vidinfer.workers import Workers

if TYPE_CHECKING:
    from vidinfer.archive.labeller import UnitLabeller

__all__ = ["BEAT", "answered", "work"]

BEAT = 0.5
"""Seconds from one sign of life to the next."""
_DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG
_KILL = 9

_KINDS: tuple[tuple[type[Exception], str], ...] = (
    (SourceChanged, "changed"),
    (PartUnlike, "unlike"),
    (SourceUnreachable, "unreachable"),
    (SourceError, "source"),
    (SinkError, "sink"),
    (ModelUnavailable, "unavailable"),
    (UsageError, "usage"),
    (ModelError, "model"),
)


def work(
    pipe: Connection,
    config: RunConfig,
    fallback: RunConfig | None,
    cores: Sequence[int],
    log: Path,
    parent: int,
) -> None:
    """Answer requests: ``("choose", path)`` and ``("label", unit, target)``.

    Answers are ``("ready", facts)`` once the model is loaded, ``("chosen", backend, precision)``, ``("beat", frames)``
    now and then, ``("done", receipt)`` and ``("failed", kind, text, exit status)``. Ends when the pipe is closed, and
    is killed when the process that started it dies.
    """
    _settle_in(cores, log, parent)
    from vidinfer.archive.labeller import UnitLabeller  # loads torch, which whoever started us need not

    labeller = UnitLabeller(config, thread_plan(), fallback)
    try:
        answer = answered(lambda: ("ready", labeller.load()))
        pipe.send(answer)
        while answer[0] != "failed" or answer[1] not in ("unavailable", "usage"):
            request = pipe.recv()
            answer = _handle(pipe, labeller, request)
            pipe.send(answer)
    except (EOFError, BrokenPipeError, ConnectionResetError):
        return  # nobody wants anything any more
    finally:
        labeller.close()


def _handle(pipe: Connection, labeller: UnitLabeller, request: tuple[Any, ...]) -> tuple[Any, ...]:
    if request[0] == "choose":
        return answered(lambda: ("chosen", *labeller.choose(request[1])))
    unit, target = request[1:]
    assert isinstance(unit, Unit)
    over = threading.Event()
    with Workers(on_failure=over.set) as workers:
        workers.start("beat", lambda: _beat(pipe, labeller, over))
        try:
            answer = answered(lambda: ("done", labeller.label(unit, target)))
        finally:
            over.set()
    return answer


def _beat(pipe: Connection, labeller: UnitLabeller, over: threading.Event) -> None:
    """A pipe that broke is noticed by whoever sends the answer."""
    with suppress(OSError):
        while not over.wait(BEAT):
            pipe.send(("beat", labeller.decoded))


def answered(does: Callable[[], tuple[Any, ...]]) -> tuple[Any, ...]:
    """What it gives, or ``("failed", kind, text, exit status)``."""
    try:
        return does()
    except Exception as error:
        traceback.print_exception(error)
        return ("failed", _kind(error), _text(error), getattr(error, "exit_status", 1))


def _kind(error: Exception) -> str:
    if isinstance(error, ExceptionGroup):
        kinds = [_kind(one) for one in error.exceptions]
        return "sink" if "sink" in kinds else kinds[0]
    return next((kind for of, kind in _KINDS if isinstance(error, of)), "bug")


def _text(error: BaseException) -> str:
    if isinstance(error, BaseExceptionGroup):
        return "; ".join(_text(one) for one in error.exceptions)
    text = " ".join(str(error).split())
    return text if isinstance(error, VidinferError) else f"{type(error).__name__}: {text}"


def _settle_in(cores: Sequence[int], log: Path, parent: int) -> None:
    """Cores of its own, a session of its own (the keyboard's signals are the parent's), no longer than its parent."""
    with suppress(OSError):
        os.setsid()
    try:
        speak_into(log)
    except OSError:  # a full disk, most likely, of which the first unit tells
        speak_into(Path(os.devnull))
    if cores and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, cores)
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_DIE_WITH_PARENT, _KILL, 0, 0, 0)
        if os.getppid() != parent:
            sys.exit(1)  # it died before that was set
