"""One model in full: what each set of its weights expects, names and permits, as torchvision's own objects tell."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import nn
from torchvision.models import get_model_builder, get_model_weights

from vidinfer.model.cache import promised_sha256
from vidinfer.model.names import nameless
from vidinfer.model.registry import DEMO, ModelDescription, WeightsDescription

__all__ = [
    "UNLICENSED",
    "InputDescription",
    "ModelDetails",
    "WeightsDetails",
    "build_shape",
    "describe_fully",
    "detection_input",
    "licence_of",
]

UNLICENSED = (
    "torchvision publishes these weights without a licence of their own; the training set's terms may apply"
)
LICENCE_NAMES = {"https://github.com/facebookresearch/SWAG/blob/main/LICENSE": "CC-BY-NC 4.0"}
"""By address: the metadata of weights only link a licence, torchvision's README names it."""
PER_CLIP = {"clip_len": "frames", "frame_rate": "frames_per_second", "clips_per_video": "clips_per_video"}
"""How torchvision's documentation of video weights calls what their accuracy was measured with."""


@dataclass(frozen=True, slots=True)
class InputDescription:
    """What happens to a picture before the network sees it."""

    words: Mapping[str, str]
    """``{"resize": "shorter side to 232, …", …}``."""
    figures: Mapping[str, Any]
    """The same as numbers, and names that a program can look for."""


@dataclass(frozen=True, slots=True)
class WeightsDetails:
    """One set of weights, and what only matters to somebody who looks at its model."""

    listed: WeightsDescription
    sha256_prefix: str | None
    """What the file's name promises."""
    backend: str | None
    """Of quantized weights: the kernels that they were made for."""
    input: InputDescription
    categories: tuple[str, ...]
    """By label; empty where the model names no classes."""
    classes: tuple[str, ...]
    """Those of ``categories`` that can be found: no background, and no holes in a detector's numbering."""
    keypoints: tuple[str, ...]
    recipe: str | None
    licence: str


@dataclass(frozen=True, slots=True)
class ModelDetails:
    """A model and all its weights, the default first."""

    listed: ModelDescription
    weights: tuple[WeightsDetails, ...]


def describe_fully(model: ModelDescription) -> ModelDetails:
    """Everything about one of the models that are listed; reads no network and no weights."""
    if model.name == DEMO:
        return _describe_demo(model)
    known = get_model_weights(model.name)
    by_rule = _rule_of_network(model)
    weights = []
    for listed in model.weights:
        member: Any = known[listed.name]
        meta: Mapping[str, Any] = member.meta
        categories = tuple(meta.get("categories") or ())
        details = WeightsDetails(
            listed=listed,
            sha256_prefix=promised_sha256(listed.path.name),
            backend=meta.get("backend"),
            input=by_rule or _input_of_preset(model.task, member.transforms(), meta),
            categories=categories,
            classes=_findable(model.task, categories),
            keypoints=tuple(meta.get("keypoint_names") or ()),
            recipe=meta.get("recipe"),
            licence=licence_of(meta),
        )
        weights.append(details)
    return ModelDetails(model, tuple(weights))


def build_shape(name: str) -> nn.Module:
    """The network of a torchvision builder without any numbers in it: nothing is allocated, nothing fetched."""
    builder = get_model_builder(name)
    options = (
        {"weights_backbone": None} if "weights_backbone" in inspect.signature(builder).parameters else {}
    )
    with torch.device("meta"):
        network: nn.Module = builder(weights=None, progress=False, **options)
    return network.eval()


def detection_input(build: Callable[[], nn.Module]) -> InputDescription:
    """The rule of a detection network, which is its ``transform``."""
    try:
        rule: Any = build().transform
        shorter, longer, fixed = rule.min_size[-1], rule.max_size, rule.fixed_size
        divisor, mean, std = rule.size_divisible, list(rule.image_mean), list(rule.image_std)
    except Exception as error:  # a builder of a later torchvision may not do without weights
        return _unknown(error)
    words, figures = {"input": "a picture of any size"}, dict[str, Any]()
    if fixed is None:
        words["resize"] = f"shorter side to {shorter}, longer at most {longer}, bilinear"
        figures["resize"] = {"shorter": shorter, "longer_at_most": longer}
    else:
        words["resize"] = f"to {fixed[0]}x{fixed[1]} whatever the shape, bilinear"
        figures["resize"] = {"width": fixed[0], "height": fixed[1]}
    if divisor > 1:
        words["padding"] = f"to multiples of {divisor}"
    words["normalisation"] = _normalisation(mean, std)
    figures |= {"interpolation": "bilinear", "padded_to_multiple_of": divisor, "mean": mean, "std": std}
    return InputDescription(words, figures)


def licence_of(meta: Mapping[str, Any]) -> str:
    """What the metadata of weights say of their licence, or that they say nothing."""
    given = meta.get("license")
    if given:
        return f"{LICENCE_NAMES[given]}, {given}" if given in LICENCE_NAMES else str(given)
    sentences = re.split(r"(?<=[.!?])\s+", " ".join(str(meta.get("_docs", "")).split()))
    told = [s for s in sentences if re.search(r"\blicen[cs]e|\bCC[- ]BY", s, flags=re.IGNORECASE)]
    return " ".join(told) or UNLICENSED


def _rule_of_network(model: ModelDescription) -> InputDescription | None:
    """For tasks whose preset says less than the network itself."""
    build = partial(build_shape, model.name)
    if model.task == "detection":
        return detection_input(build)
    if model.task == "optical_flow":
        return _flow_input(build, get_model_weights(model.name))
    return None


def _flow_input(build: Callable[[], nn.Module], known: Any) -> InputDescription:
    """The stride is seen on a picture without pixels, the range of values on one of black and one of white."""
    member = next(iter(known))
    height, width = member.meta["min_size"]
    try:
        network: Any = build()
        features = network.feature_encoder(torch.empty(1, 3, height, width, device="meta"))
        stride = height // int(features.shape[-2])
    except Exception as error:
        return _unknown(error)
    black = torch.zeros(1, 3, 1, 1, dtype=torch.uint8)
    low, high = (float(picture.flatten()[0]) for picture in member.transforms()(black, black + 255))
    words = {
        "input": "two pictures of one size",
        "sides": f"multiples of {stride}, at least {width}x{height}",
        "normalisation": f"values from {low:g} to {high:g}",
    }
    figures = {
        "multiple_of": stride,
        "at_least": {"width": width, "height": height},
        "range": [low, high],
    }
    return InputDescription(words, figures)


def _input_of_preset(task: str, preset: Any, meta: Mapping[str, Any]) -> InputDescription:
    """From the ``transforms()`` of weights for classification, segmentation and video."""
    words, figures = {"input": "a picture of any size"}, dict[str, Any]()
    if getattr(preset, "crop_size", None):
        height, width = preset.crop_size[0], preset.crop_size[-1]
        words["input"] = f"{'frames of ' if task == 'video' else ''}{width}x{height}"
        figures["crop"] = {"width": width, "height": height}
    if task == "video":
        _tell_clip(meta, words, figures)
    if preset.resize_size:
        words["resize"], figures["resize"] = _resize(preset)
        # The preset for video has no switch for it: its code turns it off.
        antialias = bool(getattr(preset, "antialias", False))
        figures |= {"interpolation": preset.interpolation.value, "antialias": antialias}
    if "crop" in figures:
        words["crop"] = f"the middle {width}x{height}"
    words["normalisation"] = _normalisation(preset.mean, preset.std)
    figures |= {"mean": list(preset.mean), "std": list(preset.std)}
    return InputDescription(words, figures)


def _resize(preset: Any) -> tuple[str, dict[str, int]]:
    how = f"{preset.interpolation.value}, {'' if getattr(preset, 'antialias', False) else 'not '}antialiased"
    if len(preset.resize_size) == 1:
        (shorter,) = preset.resize_size
        return f"shorter side to {shorter}, {how}", {"shorter": shorter}
    height, width = preset.resize_size
    return f"to {width}x{height} whatever the shape, {how}", {"width": width, "height": height}


def _tell_clip(meta: Mapping[str, Any], words: dict[str, str], figures: dict[str, Any]) -> None:
    stated = dict(re.findall(r"`(\w+)=([\d.]+)`", str(meta.get("_docs", ""))))
    clip = {ours: float(stated[theirs]) for theirs, ours in PER_CLIP.items() if theirs in stated}
    if "frames" in clip and "frames_per_second" in clip:
        words["clip"] = f"{clip['frames']:g} frames at {clip['frames_per_second']:g} per second"
        if "clips_per_video" in clip:
            words["clip"] += f"; accuracy stated with {clip['clips_per_video']:g} per video"
    least = meta.get("min_temporal_size")
    if least is not None:
        words["shortest clip"] = f"{least} frame{'' if least == 1 else 's'}"
    whole = {name: int(value) if value.is_integer() else value for name, value in clip.items()}
    figures["clip"] = {**whole, "at_least_frames": least}


def _normalisation(mean: Sequence[float], std: Sequence[float]) -> str:
    return (
        f"mean {' '.join(f'{v:g}' for v in mean)}, std {' '.join(f'{v:g}' for v in std)} (values from 0 to 1)"
    )


def _unknown(error: Exception) -> InputDescription:
    reason = f"not known: the network cannot be built without its weights ({type(error).__name__}: {error})"
    return InputDescription({"input": reason}, {"unknown": reason})


def _findable(task: str, categories: tuple[str, ...]) -> tuple[str, ...]:
    """As ``--classes`` of a run takes them."""
    nothing = nameless(task, categories)
    return tuple(name for name in categories if name not in nothing)


def _describe_demo(model: ModelDescription) -> ModelDetails:
    from vidinfer.model.demo import CATEGORIES, build_demo

    def build() -> nn.Module:
        with torch.device("meta"):
            return build_demo(weights=None)

    (listed,) = model.weights
    details = WeightsDetails(
        listed=listed,
        sha256_prefix=None,
        backend=None,
        input=detection_input(build),
        categories=tuple(CATEGORIES),
        classes=_findable(model.task, tuple(CATEGORIES)),
        keypoints=(),
        recipe="training/train_demo.py",
        licence="Apache-2.0, as vidinfer itself",
    )
    return ModelDetails(model, (details,))
