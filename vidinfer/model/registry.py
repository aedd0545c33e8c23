"""What can be run: torchvision's builders by task, found from its own registry, and the bundled ``demo``."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torchvision.models
from torchvision.models import WeightsEnum, get_model_weights, list_models

from vidinfer.errors import ModelUnavailable
from vidinfer.model.cache import cache_path

__all__ = [
    "DEMO",
    "RUNNABLE",
    "ModelDescription",
    "WeightsDescription",
    "builders_by_task",
    "describe_models",
    "nearest",
    "task_of",
]

DEMO = "demo"
RUNNABLE = ("classification", "detection")
"""Tasks that this version runs."""


@dataclass(frozen=True, slots=True)
class WeightsDescription:
    """One set of trained weights."""

    name: str
    default: bool
    url: str
    path: Path
    """Where torch's cache keeps it."""
    cached: bool
    megabytes: float | None
    parameters: int | None
    gflops: float | None
    """Billions of multiply-adds per frame, as torchvision states them."""
    metrics: Mapping[str, float]
    """``{"ImageNet-1K acc@1": 80.858, …}``, as torchvision states them."""


@dataclass(frozen=True, slots=True)
class ModelDescription:
    """One name for ``--model``."""

    name: str
    task: str
    runnable: bool
    """This version of vidinfer runs its task."""
    weights: tuple[WeightsDescription, ...]
    """The default first."""


def builders_by_task() -> dict[str, list[str]]:
    """Names of torchvision's builders by task; ``demo`` is not among them."""
    models = torchvision.models
    modules = {
        "classification": models,
        "detection": models.detection,
        "segmentation": models.segmentation,
        "video": models.video,
        "optical_flow": models.optical_flow,
        "quantization": models.quantization,
    }
    return {task: list_models(module=module) for task, module in modules.items()}


def task_of(name: str) -> str:
    """The task of a torchvision builder.

    Raises:
        ModelUnavailable: no such builder (with the nearest names), or a task that this version does not run.
    """
    tasks = builders_by_task()
    task = next((task for task, names in tasks.items() if name in names), None)
    if task is None:
        known = [DEMO, *(n for t in RUNNABLE for n in tasks[t])]
        raise ModelUnavailable(f"no model {name!r}{nearest(name, known)}; `vidinfer models` lists them all")
    if task not in RUNNABLE:
        raise ModelUnavailable(
            f"model {name!r} is for {task.replace('_', ' ')}: this version runs {' and '.join(RUNNABLE)}"
        )
    return task


def nearest(given: str, known: Iterable[str]) -> str:
    """``"; did you mean a, b?"``, or nothing if nothing is near."""
    by_folded = {name.lower(): name for name in known}
    near = difflib.get_close_matches(given.lower(), by_folded, n=3, cutoff=0.5)
    return f"; did you mean {', '.join(by_folded[n] for n in near)}?" if near else ""


def describe_models() -> list[ModelDescription]:
    """Every model there is, ``demo`` first, then torchvision's by task; reads no network."""
    found = [_describe_demo()]
    for task, names in builders_by_task().items():
        for name in names:
            weights = _in_order(get_model_weights(name))
            described = tuple(_describe_weights(w, i == 0) for i, w in enumerate(weights))
            found.append(ModelDescription(name, task, task in RUNNABLE, described))
    return found


def _in_order(weights: Iterable[WeightsEnum]) -> list[WeightsEnum]:
    members = list(weights)
    default = getattr(type(members[0]), "DEFAULT", None)
    return sorted(members, key=lambda member: member is not default)


def _describe_weights(member: WeightsEnum, default: bool) -> WeightsDescription:
    meta: Mapping[str, Any] = member.meta
    path = cache_path(member.url)
    metrics = {
        f"{data} {metric}": float(value)
        for data, values in meta.get("_metrics", {}).items()
        if isinstance(values, Mapping)
        for metric, value in values.items()
    }
    return WeightsDescription(
        name=member.name,
        default=default,
        url=member.url,
        path=path,
        cached=path.is_file(),
        megabytes=meta.get("_file_size"),
        parameters=meta.get("num_params"),
        gflops=meta.get("_ops"),
        metrics=metrics,
    )


def _describe_demo() -> ModelDescription:
    from vidinfer.model.demo import WEIGHTS

    present = WEIGHTS.is_file()
    megabytes = round(WEIGHTS.stat().st_size / 1e6, 1) if present else None
    weights = WeightsDescription("DEFAULT", True, "", WEIGHTS, present, megabytes, None, None, {})
    return ModelDescription(DEMO, "detection", True, (weights,))
