"""Putting a network, the way it runs and what is to be reported together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import nn

from vidinfer.errors import UsageError
from vidinfer.model.classification import Classification, ClassificationPreset
from vidinfer.model.detection import Detection, watched_parts
from vidinfer.model.execution import Execution
from vidinfer.model.finite import FiniteGuard
from vidinfer.model.network import Loaded
from vidinfer.model.registry import nearest
from vidinfer.model.runner import Task, TorchModel
from vidinfer.stages import ModelInfo

__all__ = ["Reporting", "assemble"]

HOLE = "N/A"
"""Labels that COCO once had: they keep the numbering and name nothing."""
LISTED = 12
"""Names shown to somebody who asked for one that is not among them."""


@dataclass(frozen=True, slots=True)
class Reporting:
    """What of the findings is reported."""

    score_threshold: float
    top_k: int
    classes: Sequence[str] | None


def assemble(loaded: Loaded, execution: Execution, reporting: Reporting) -> TorchModel:
    """A model ready to label.

    Raises:
        UsageError: a class that the model does not have, or that names no object.
    """
    allowed = _labels(loaded, reporting.classes)
    network = loaded.network.requires_grad_(False).to(execution.device).to(memory_format=torch.channels_last)
    task: Task
    watched: list[nn.Module]
    if loaded.task == "classification":
        watched = [network]
        preset = ClassificationPreset.of(loaded.preset)
        task = Classification(
            network,
            preset,
            loaded.categories,
            device=execution.device,
            top_k=reporting.top_k,
            allowed=allowed,
        )
    else:
        watched = watched_parts(network)
        task = Detection(
            network,
            loaded.categories,
            device=execution.device,
            score_threshold=reporting.score_threshold,
            allowed=allowed,
        )
    return TorchModel(_info(loaded, execution, reporting), task, execution, FiniteGuard(watched))


def _info(loaded: Loaded, execution: Execution, reporting: Reporting) -> ModelInfo:
    details: dict[str, object] = {"classes": None if reporting.classes is None else list(reporting.classes)}
    if loaded.task == "detection":
        details["score_threshold"] = reporting.score_threshold
    else:
        details["top_k"] = reporting.top_k
    return ModelInfo(
        name=loaded.name,
        task=loaded.task,
        categories=loaded.categories,
        weights=loaded.weights,
        weights_sha256=loaded.sha256,
        device=str(execution.device),
        backend=execution.backend,
        precision=execution.precision,
        why=execution.why,
        details=details,
    )


def _labels(loaded: Loaded, classes: Sequence[str] | None) -> tuple[int, ...] | None:
    """The labels with these names; a name may stand for several."""
    if classes is None:
        return None
    if not classes:
        raise UsageError("no classes given: name at least one, or leave --classes out to report all")
    nothing = {HOLE, loaded.categories[0]} if loaded.task == "detection" else set()
    known = [name for name in loaded.categories if name not in nothing]
    for name in classes:
        if name in nothing:
            raise UsageError(f"class {name!r} of {loaded.name} names no object, so it has no boxes to report")
        if name not in known:
            raise UsageError(f"{loaded.name} has no class {name!r}{nearest(name, known) or _told(known)}")
    return tuple(i for i, name in enumerate(loaded.categories) if name in classes and name not in nothing)


def _told(names: Sequence[str]) -> str:
    """``"; it has a, b"``: all names where they are few, else the first."""
    return f"; it has {', '.join(names[:LISTED])}{f' and {len(names) - LISTED} more' if len(names) > LISTED else ''}"
