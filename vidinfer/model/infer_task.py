"""What a user's own network is for, and how many classes it has: by its kind, its transforms, or a trial."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor, nn
from torchvision.models.detection.transform import GeneralizedRCNNTransform

from vidinfer.errors import ModelUnavailable
from vidinfer.model.inputs import CallableInput, PlainInput

__all__ = ["TASKS", "Inferred", "infer_task", "is_torchvision_detector"]

TASKS = ("classification", "detection", "segmentation", "video", "optical_flow")

_PRESETS = "torchvision.transforms._presets"
_BY_PRESET: Mapping[str, str] = {
    "ImageClassification": "classification",
    "ObjectDetection": "detection",
    "SemanticSegmentation": "segmentation",
    "VideoClassification": "video",
    "OpticalFlow": "optical_flow",
}
_TRIAL = 224
"""Pixels a side of the picture that a network is tried with."""


@dataclass(frozen=True, slots=True)
class Inferred:
    """What was found out."""

    task: str
    classes: int | None
    """Scores per frame, background included; ``None`` where that cannot be told."""


def is_torchvision_detector(network: nn.Module) -> bool:
    """Built like torchvision's detectors: pictures go in and boxes come out through its ``transform``."""
    return isinstance(getattr(network, "transform", None), GeneralizedRCNNTransform)


def infer_task(
    name: str, network: nn.Module, transforms: Any, stated: str | None, size: tuple[int, int] | None = None
) -> Inferred:
    """Find out.

    Args:
        name: for messages.
        network: in evaluation mode, on the CPU.
        transforms: what the network comes with.
        stated: by the user; wins over every guess.
        size: ``(height, width)`` that the network takes, where it takes no other.

    Raises:
        ModelUnavailable: it cannot be told, or the network fails when tried.
    """
    if is_torchvision_detector(network) and stated in (None, "detection"):
        return Inferred("detection", _detector_classes(network))
    task = stated or _task_of_preset(transforms)
    if task in ("detection", "video", "optical_flow"):
        return Inferred(task, None)
    given = _tried(name, network, transforms, size)
    found = _task_of_output(given)
    if task is not None and found != task:
        raise ModelUnavailable(f"{name} gave {_shape(given)} for one picture, which is not what {task} gives")
    if found is None:
        raise ModelUnavailable(
            f"{name} gave {_shape(given)} for one picture: what it is for cannot be told; "
            f"say so with --task, one of {', '.join(TASKS)}"
        )
    return Inferred(found, _classes(given))


def _task_of_preset(transforms: Any) -> str | None:
    module = getattr(type(transforms), "__module__", "")
    return _BY_PRESET.get(type(transforms).__name__) if module == _PRESETS else None


def _tried(name: str, network: nn.Module, transforms: Any, size: tuple[int, int] | None) -> Any:
    """What the network gives for one grey picture."""
    rule: Any = (
        PlainInput(size) if transforms is None else CallableInput(cast(Callable[[Tensor], Any], transforms))
    )
    height, width = size or (_TRIAL, _TRIAL)
    try:
        spec = rule.input_for(width, height)
        place = torch.zeros((1, *spec.shape), dtype=torch.uint8 if spec.dtype == "uint8" else torch.float32)
        spec.prepare(torch.full((height, width, 3), 114, dtype=torch.uint8).numpy(), place[0].numpy())
        with torch.inference_mode():
            return _given(network, rule.tensor(place, width, height))
    except Exception as error:
        first = next(iter(str(error).strip().splitlines()), "")
        raise ModelUnavailable(
            f"{name} failed on one {width}x{height} picture: {type(error).__name__}: {first}; "
            "give transforms with it, or say with --task what it is for"
        ) from error


def _given(network: nn.Module, pictures: Tensor) -> Any:
    """What the network gives for a batch of one, or for a list of one, as detectors take it; else the first error."""
    try:
        return network(pictures)
    except Exception as error:
        try:
            return network([pictures[0]])
        except Exception:
            raise error from None


def _task_of_output(given: Any) -> str | None:
    if isinstance(given, Tensor) and given.ndim == 2:
        return "classification"
    if isinstance(given, Tensor) and given.ndim == 4:
        return "segmentation"
    if isinstance(given, Mapping) and isinstance(given.get("out"), Tensor):
        return "segmentation"
    if isinstance(given, list) and given and isinstance(given[0], Mapping) and "boxes" in given[0]:
        return "detection"
    return None


def _classes(given: Any) -> int | None:
    if isinstance(given, Mapping):
        given = given["out"]
    return int(given.shape[1]) if isinstance(given, Tensor) else None


def _detector_classes(network: Any) -> int | None:
    heads = getattr(network, "roi_heads", None)
    if heads is not None:
        return int(heads.box_predictor.cls_score.out_features)
    head: Any = getattr(network.head, "classification_head", None)
    if hasattr(head, "num_classes"):
        return int(head.num_classes)
    return int(head.num_columns) if hasattr(head, "num_columns") else None


def _shape(given: Any) -> str:
    return f"a tensor {tuple(given.shape)}" if isinstance(given, Tensor) else f"a {type(given).__name__}"
