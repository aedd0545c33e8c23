"""What can be run: torchvision's builders by task, found from its own registry, and the bundled ``demo``."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torchvision.models
from torchvision.models import WeightsEnum, get_model_weights, list_models

from vidinfer.errors import ModelUnavailable
from vidinfer.model.cache import cache_path

__all__ = [
    "DEMO",
    "ORDERS",
    "ModelDescription",
    "WeightsDescription",
    "builders_by_task",
    "describe_models",
    "in_order",
    "nearest",
    "task_of",
]

DEMO = "demo"
ORDERS = ("accuracy", "size", "gflops", "name")
MAIN_METRICS = {
    "classification": "acc@1",
    "detection": "box_map",
    "segmentation": "miou",
    "video": "acc@1",
    "optical_flow": "epe",
    "quantization": "acc@1",
}
"""What a task's models are compared by, in torchvision's words."""
ERRORS = frozenset({"epe"})
"""Metrics that are better the smaller they are."""
MEBIBYTE = 1.048576
"""In MB: torchvision states the size of a file in units of 2^20 bytes."""


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
    """Billions of multiply-adds, as torchvision states them: per picture, pair of pictures or clip of 16 frames."""
    metrics: Mapping[str, float]
    """``{"ImageNet-1K acc@1": 80.858, …}``, as torchvision states them."""
    main_metric: str | None
    """The one of them that the models of the task are compared by."""


@dataclass(frozen=True, slots=True)
class ModelDescription:
    """One name for ``--model``."""

    name: str
    task: str
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
        ModelUnavailable: no such builder (with the nearest names).
    """
    tasks = builders_by_task()
    task = next((task for task, names in tasks.items() if name in names), None)
    if task is None:
        known = [DEMO, *(n for names in tasks.values() for n in names)]
        raise ModelUnavailable(f"no model {name!r}{nearest(name, known)}; `vidinfer models` lists them all")
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
            weights = _default_first(get_model_weights(name))
            described = tuple(_describe_weights(w, task, i == 0) for i, w in enumerate(weights))
            found.append(ModelDescription(name, task, described))
    return found


def in_order(models: Iterable[ModelDescription], order: str) -> list[ModelDescription]:
    """Sorted by one of ``ORDERS``, going by the default weights; models without the figure come last.

    The most accurate first, the smallest first. Accuracies of different tasks do not compare: sort one task at a time.
    """
    if order == "name":
        return sorted(models, key=lambda model: model.name)

    def key(model: ModelDescription) -> tuple[bool, float]:
        figure = _figure(model.weights[0], order) if model.weights else None
        return figure is None, 0.0 if figure is None else figure

    return sorted(models, key=key)


def _figure(weights: WeightsDescription, order: str) -> float | None:
    """What ``order`` goes by, the smallest first."""
    if order == "size":
        return weights.megabytes
    if order == "gflops":
        return weights.gflops
    if weights.main_metric is None:
        return None
    value = weights.metrics[weights.main_metric]
    return value if weights.main_metric.split()[-1] in ERRORS else -value


def _default_first(weights: Iterable[WeightsEnum]) -> list[WeightsEnum]:
    members = list(weights)
    default = getattr(type(members[0]), "DEFAULT", None)
    return sorted(members, key=lambda member: member is not default)


def _describe_weights(member: WeightsEnum, task: str, default: bool) -> WeightsDescription:
    meta: Mapping[str, Any] = member.meta
    path = cache_path(member.url)
    metrics = {
        f"{data} {metric}": float(value)
        for data, values in meta.get("_metrics", {}).items()
        if isinstance(values, Mapping)
        for metric, value in values.items()
        if math.isfinite(value)  # weights that are features only have accuracies that are no numbers
    }
    megabytes = meta.get("_file_size")
    return WeightsDescription(
        name=member.name,
        default=default,
        url=member.url,
        path=path,
        cached=path.is_file(),
        megabytes=None if megabytes is None else round(megabytes * MEBIBYTE, 3),
        parameters=meta.get("num_params"),
        gflops=meta.get("_ops"),
        metrics=metrics,
        main_metric=next((name for name in metrics if name.split()[-1] == MAIN_METRICS[task]), None),
    )


def _describe_demo() -> ModelDescription:
    from vidinfer.model.demo import WEIGHTS, build_demo

    with torch.device("meta"):  # counts without allocating
        parameters = sum(p.numel() for p in build_demo(weights=None).parameters())
    present = WEIGHTS.is_file()
    weights = WeightsDescription(
        name="DEFAULT",
        default=True,
        url="",
        path=WEIGHTS,
        cached=present,
        megabytes=round(WEIGHTS.stat().st_size / 1e6, 3) if present else None,
        parameters=parameters,
        gflops=None,
        metrics={},
        main_metric=None,
    )
    return ModelDescription(DEMO, "detection", (weights,))
