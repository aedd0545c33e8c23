"""How the units of an archive are labelled, found out once and kept with the folder: backend, precision, which model.

A run that goes on labels as it began. What a model is (its weights' hash counts) is known without loading it, as long
as the options, the files that they name and the installed versions are the same: a run with nothing to do starts
nobody.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from vidinfer.archive.engine import Engine
from vidinfer.archive.planning import KnownFile
from vidinfer.archive.recipe import digest
from vidinfer.archive.state import StateFolder
from vidinfer.config import RunConfig
from vidinfer.errors import ModelUnavailable

__all__ = ["as_chosen", "check_same_model", "keep_model", "known_model"]

_ASKED = ("model", "weights", "device", "backend", "precision", "task")
_MODEL = ("model", "weights", "task", "labels_file", "device")
_PACKAGES = ("vidinfer", "torch", "torchvision")


def as_chosen(
    config: RunConfig,
    state: StateFolder,
    engine: Callable[[RunConfig, RunConfig | None], Engine],
    files: Sequence[KnownFile],
    stopped: Callable[[], bool],
) -> tuple[RunConfig, RunConfig | None]:
    """The configuration with backend and precision as they were chosen when this folder was begun, and what to do about
    pictures on which that is not exact (``None``: they fail).

    Raises:
        Interrupted: ``stopped()`` became true before there was a choice.
        ModelUnavailable, UsageError: the model cannot be loaded, or not be run as asked for.
        SinkError: the choice cannot be written down.
    """
    if "auto" not in (config.backend, config.precision):
        return config, None
    key = digest({name: str(getattr(config, name)) for name in _ASKED})
    choice = _with(("backend", "precision"), state.choice(key))
    if choice is None:
        with engine(replace(config, workers=1), None) as scout:
            chosen = scout.choose((file.path for file in files), stopped) or ("eager", "fp32")
        choice = {"model": config.model, "backend": chosen[0], "precision": chosen[1]}
        state.keep_choice(key, choice)
    pinned = replace(config, backend=choice["backend"], precision=choice["precision"])
    eager = replace(config, backend="eager", precision="fp32")
    return pinned, None if pinned == eager else eager


def known_model(config: RunConfig, state: StateFolder) -> dict[str, Any] | None:
    """The facts of the model as an earlier run with the same options found them; ``None``: it has to be loaded."""
    return _with(("sha256", "task"), state.choice(_key(config))) if _is_told_by_its_options(config) else None


def keep_model(config: RunConfig, state: StateFolder, facts: dict[str, Any]) -> None:
    """For ``known_model``.

    Raises:
        SinkError: it cannot be written.
    """
    if _is_told_by_its_options(config) and facts["sha256"] is not None:
        state.keep_choice(_key(config), facts)


def check_same_model(
    config: RunConfig, state: StateFolder, known: dict[str, Any], found: dict[str, Any]
) -> None:
    """What was loaded is what units were planned for.

    Raises:
        ModelUnavailable: it is another model; what was known of it is forgotten.
    """
    if (known["sha256"], known["task"]) != (found["sha256"], found["task"]):
        state.keep_choice(_key(config), {})
        raise ModelUnavailable(
            f"the weights of {config.model} are others than when this folder was last run "
            f"({known['sha256']} then, {found['sha256']} now), although nothing that was asked for has changed; "
            "run again to label by the new ones"
        )


def _with(texts: Sequence[str], kept: dict[str, Any] | None) -> dict[str, Any] | None:
    """``kept`` if it holds these; what somebody made of it otherwise is as good as nothing."""
    return kept if kept and all(isinstance(kept.get(name), str) for name in texts) else None


def _is_told_by_its_options(config: RunConfig) -> bool:
    """Not where somebody's code makes it: what that reads nobody knows."""
    return ":" not in config.model


def _key(config: RunConfig) -> str:
    asked = {name: _state_of(str(getattr(config, name))) for name in _MODEL}
    return digest({"model of": asked, "versions": {name: version(name) for name in _PACKAGES}})


def _state_of(value: str) -> list[str | int]:
    """A value; where it names a file, with what changes when that does."""
    try:
        found = Path(value).stat()
    except (OSError, ValueError):
        return [value]
    return [value, found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino]
