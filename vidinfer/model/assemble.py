"""Putting a network, the way it runs and what is to be reported together."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import torch
from torch import nn

from vidinfer.clock import MonotonicClock
from vidinfer.detections import MOVING_PIXELS
from vidinfer.errors import BackendUnavailable, ModelUnavailable, UsageError
from vidinfer.model.backends import Candidate
from vidinfer.model.backends.eager import EagerFactory
from vidinfer.model.choose import Chooser
from vidinfer.model.classification import Classification, ClassificationInput, ClassificationPreset
from vidinfer.model.clips import ClipClassification, ClipRule
from vidinfer.model.detection import Detection
from vidinfer.model.engines import Task
from vidinfer.model.execution import Execution
from vidinfer.model.flow import OpticalFlow
from vidinfer.model.graphs import GraphStore
from vidinfer.model.infer_task import is_torchvision_detector
from vidinfer.model.inputs import CallableInput, InputRule, PlainInput
from vidinfer.model.listed import ListedDetection
from vidinfer.model.names import nameless
from vidinfer.model.network import Loaded
from vidinfer.model.registry import nearest
from vidinfer.model.remember import Memory, machine
from vidinfer.model.runner import TorchModel
from vidinfer.model.segmentation import Segmentation, SegmentationInput
from vidinfer.model.skeleton import keypoint_names, skeleton_of
from vidinfer.stages import ModelInfo, Window

__all__ = ["ADAPTERS", "Adapter", "Reporting", "Running", "assemble"]

Allowed: TypeAlias = tuple[int, ...] | None
"""Labels that may be reported; ``None``: all."""

_NOT_CHANNELS_LAST = ("video", "optical_flow")
"""Their tensors have five dimensions, or are laid out by the network itself."""

LISTED = 12
"""Names shown to somebody who asked for one that is not among them."""


@dataclass(frozen=True, slots=True)
class Reporting:
    """What of the findings is reported."""

    score_threshold: float
    top_k: int
    classes: Sequence[str] | None
    clip_stride: Fraction | None = None
    """Seconds from the start of one clip to that of the next; ``None``: a clip's length."""


@dataclass(frozen=True, slots=True)
class Running:
    """Where the network runs, and what may compute it."""

    execution: Execution
    candidates: Sequence[Candidate] = ()
    """None: the reference alone."""
    passed_over: Sequence[str] = ()
    by_name: bool = False
    """Somebody asked for a backend or a precision."""
    allow_inexact: bool = False
    cache: Path | None = None
    side_by_side: int | None = None
    """Batches at one time; what was measured holds for the same only."""


class Adapter(NamedTuple):
    """A network ready to be asked, and what ``run.json`` says of it."""

    task: Task
    details: dict[str, object]
    watched: Sequence[nn.Module] = ()
    """Where the guard looks, in a network that has no dense part."""


def assemble(loaded: Loaded, running: Running, reporting: Reporting) -> TorchModel:
    """A model ready to label.

    Raises:
        UsageError: a class that the model does not have, or that names no object.
        BackendUnavailable: a backend asked for by name that this network cannot use.
    """
    allowed, execution = _labels(loaded, reporting.classes), running.execution
    points = keypoint_names(loaded.network)
    network = loaded.network.requires_grad_(False)
    if loaded.portable:
        network = network.to(execution.device)
        if loaded.task not in _NOT_CHANNELS_LAST:
            network = network.to(memory_format=torch.channels_last)
    adapter = ADAPTERS[loaded.task](loaded, network, execution.device, reporting, allowed)
    info = _info(loaded, execution, reporting, adapter, points)
    return TorchModel(info, adapter.task, execution, _chooser(loaded, running, reporting), adapter.watched)


def _chooser(loaded: Loaded, running: Running, reporting: Reporting) -> Chooser:
    execution = running.execution
    reference = Candidate(
        "eager", execution.precision, lambda _: EagerFactory(execution.device, execution.precision)
    )
    candidates = running.candidates or ([] if running.passed_over else [reference])
    if execution.fixed:
        others = [one for one in candidates if one.backend != "eager"]
        if running.by_name and len(others) == len(candidates):
            raise BackendUnavailable(f"{loaded.name} runs in eager torch only; leave --backend out")
        candidates = [reference]
    model = {
        "model": loaded.name,
        "weights": loaded.sha256 or loaded.weights,
        "device": str(execution.device),
    }
    # Code that is not ours or torchvision's may have changed behind the same weights.
    known = running.cache if loaded.sha256 is not None and ":" not in loaded.name else None
    return Chooser(
        candidates,
        reference,
        clock=MonotonicClock(),
        memory=Memory(running.cache, model | _share(running)),
        graphs=GraphStore(known, {**model, "versions": machine()["versions"]}),
        by_name=running.by_name,
        allow_inexact=running.allow_inexact,
        threshold=reporting.score_threshold,
        passed_over=running.passed_over,
    )


def _share(running: Running) -> dict[str, object]:
    return {} if running.side_by_side is None else {"side_by_side": running.side_by_side}


def _classification(
    loaded: Loaded, network: nn.Module, device: torch.device, reporting: Reporting, allowed: Allowed
) -> Adapter:
    preset = _like(loaded.preset, "crop_size", "resize_size", "interpolation", "antialias", "mean", "std")
    rule = (
        _own_rule(loaded) if preset is None else ClassificationInput(ClassificationPreset.of(preset), device)
    )
    task = Classification(
        network, rule, loaded.categories, device=device, top_k=reporting.top_k, allowed=allowed
    )
    return Adapter(task, {"top_k": reporting.top_k})


def _detection(
    loaded: Loaded, network: nn.Module, device: torch.device, reporting: Reporting, allowed: Allowed
) -> Adapter:
    details: dict[str, object] = {"score_threshold": reporting.score_threshold}
    threshold, names = reporting.score_threshold, loaded.categories
    if not is_torchvision_detector(network):
        listed = ListedDetection(
            network, _own_rule(loaded), names, score_threshold=threshold, allowed=allowed
        )
        return Adapter(listed, details)
    heads = getattr(network, "roi_heads", None)
    if heads is not None and heads.has_mask():
        details["masks"] = True
    task = Detection(network, names, device=device, score_threshold=threshold, allowed=allowed)
    return Adapter(task, details, task.watched)


def _segmentation(
    loaded: Loaded, network: nn.Module, device: torch.device, _reporting: Reporting, allowed: Allowed
) -> Adapter:
    preset = _like(loaded.preset, "resize_size", "interpolation", "antialias", "mean", "std")
    rule = _own_rule(loaded) if preset is None else SegmentationInput(preset, device)
    return Adapter(Segmentation(network, rule, loaded.categories, device=device, allowed=allowed), {})


def _video(
    loaded: Loaded, network: nn.Module, device: torch.device, reporting: Reporting, allowed: Allowed
) -> Adapter:
    preset = _like(loaded.preset, "crop_size", "resize_size", "interpolation", "mean", "std")
    if preset is None:
        raise ModelUnavailable(
            f"{loaded.name}: a video classifier needs transforms like torchvision's VideoClassification "
            "(crop_size, resize_size, mean, std); have the factory return them"
        )
    clip = ClipRule.of(loaded.meta)
    stride = clip.seconds if reporting.clip_stride is None else reporting.clip_stride
    window = Window(clip.frames, clip.rate, stride)
    task = ClipClassification(
        network, preset, loaded.categories, window, device=device, top_k=reporting.top_k, allowed=allowed
    )
    facts = {
        "frames": clip.frames,
        "frames_per_second": float(clip.rate),
        "seconds": float(clip.seconds),
        "stride_seconds": float(stride),
        "rule": "of the weights" if clip.stated else "usual, as the weights do not say",
    }
    return Adapter(task, {"top_k": reporting.top_k, "clip": facts})


def _flow(
    _loaded: Loaded, network: nn.Module, device: torch.device, _reporting: Reporting, _allowed: Allowed
) -> Adapter:
    return Adapter(OpticalFlow(network, device=device), {"moving_pixels": MOVING_PIXELS})


ADAPTERS: Mapping[str, Callable[[Loaded, nn.Module, torch.device, Reporting, Allowed], Adapter]] = {
    "classification": _classification,
    "detection": _detection,
    "segmentation": _segmentation,
    "video": _video,
    "optical_flow": _flow,
}
"""By task. torchvision's quantised builders are classifiers."""


def _own_rule(loaded: Loaded) -> InputRule:
    return PlainInput(loaded.input_size) if loaded.preset is None else CallableInput(loaded.preset)


def _like(preset: Any, *attributes: str) -> Any:
    """``preset`` if it has all that torchvision's presets of this task have, else ``None``."""
    return preset if all(hasattr(preset, name) for name in attributes) else None


def _info(
    loaded: Loaded,
    execution: Execution,
    reporting: Reporting,
    adapter: Adapter,
    points: tuple[str, ...],
) -> ModelInfo:
    classes = None if reporting.classes is None else list(reporting.classes)
    return ModelInfo(
        name=loaded.name,
        task=loaded.task,
        categories=loaded.categories,
        weights=loaded.weights,
        weights_sha256=loaded.sha256,
        device=str(execution.device),
        backend="eager",
        precision=execution.precision,
        why=execution.why,
        keypoints=points,
        skeleton=skeleton_of(points),
        details={"classes": classes} | adapter.details,
    )


def _labels(loaded: Loaded, classes: Sequence[str] | None) -> tuple[int, ...] | None:
    """The labels with these names; a name may stand for several."""
    if classes is None:
        return None
    if not classes:
        raise UsageError("no classes given: name at least one, or leave --classes out to report all")
    if not loaded.categories:
        raise UsageError(f"--classes: {loaded.name} finds motion, not classes; leave it out")
    nothing = nameless(loaded.task, loaded.categories)
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
