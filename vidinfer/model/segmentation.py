"""Semantic segmentation: the weights' own preset on the way in, the likeliest class of each pixel on the way out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torchvision.transforms import InterpolationMode
from torchvision.transforms.functional import resize

from vidinfer.detections import NOT_REPORTED, Results, Segments
from vidinfer.errors import ModelError, ModelUnavailable
from vidinfer.model.antialias import CropResampler
from vidinfer.model.engine import DensePart, Outputs
from vidinfer.model.inputs import InputRule, RuledPart, copy_picture, picture_tensor
from vidinfer.model.normalise import Normaliser
from vidinfer.model.threads import torch_threads
from vidinfer.stages import ModelInput, ScaledInput

__all__ = ["Segmentation", "SegmentationInput"]

BATCH_SIZE = 2
"""The activations of one picture take hundreds of megabytes, and a CPU gains nothing by more."""


class SegmentationInput:
    """The picture resized as the preset says. An :class:`~vidinfer.model.inputs.InputRule`; its thread rule holds."""

    def __init__(self, preset: Any, device: torch.device) -> None:
        """``preset``: torchvision's object."""
        self._preset = preset
        self._normalise = Normaliser(preset.mean, preset.std, device)
        self._inputs = lru_cache(maxsize=16)(self._input)

    def input_for(self, width: int, height: int) -> ModelInput:
        """The resized picture where that is smaller than the picture itself, else the picture."""
        return self._inputs(width, height)

    def tensor(self, batch: Tensor, width: int, height: int) -> Tensor:
        """Resized, if that is still to be done, and normalised."""
        if self.input_for(width, height).prepare is copy_picture:
            batch = self._resized(batch.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
        return self._normalise(batch)

    def _input(self, width: int, height: int) -> ModelInput:
        resized = self._resized(torch.empty(3, height, width, device="meta")).shape[-2:]
        size = (int(resized[0]), int(resized[1]))
        early = size[0] * size[1] < width * height
        shape = (*size, 3) if early else (height, width, 3)
        prepare = self._resampler((height, width), size) if early else copy_picture
        scaled = ScaledInput(size, smooth=self._preset.antialias, prepare=copy_picture) if early else None
        return ModelInput(shape, np.dtype(np.uint8), prepare, batch_size=BATCH_SIZE, scaled=scaled)

    def _resampler(
        self, source: tuple[int, int], size: tuple[int, int]
    ) -> Callable[[NDArray[np.uint8], NDArray[Any]], None]:
        preset = self._preset
        if preset.antialias and preset.interpolation in (
            InterpolationMode.BILINEAR,
            InterpolationMode.BICUBIC,
        ):
            return CropResampler(source, size, size, mode=preset.interpolation.value)
        return self._prepare

    def _prepare(self, rgb: NDArray[np.uint8], frame: NDArray[Any]) -> None:
        with torch_threads(1), torch.inference_mode():
            torch.from_numpy(frame).copy_(self._resized(picture_tensor(rgb)).permute(1, 2, 0))

    def _resized(self, picture: Tensor) -> Tensor:
        preset = self._preset
        if preset.resize_size is None:
            return picture
        resized: Tensor = resize(
            picture, preset.resize_size, interpolation=preset.interpolation, antialias=preset.antialias
        )
        return resized


class Segmentation:
    """A segmentation model: a :class:`~vidinfer.model.runner.Task`; its thread rule holds."""

    def __init__(
        self,
        network: nn.Module,
        rule: InputRule,
        categories: tuple[str, ...],
        *,
        device: torch.device,
        allowed: tuple[int, ...] | None,
    ) -> None:
        """``allowed``: labels to report, ``None`` for all.

        Raises:
            ModelUnavailable: more classes than a map of bytes can hold.
        """
        if len(categories) > NOT_REPORTED:
            raise ModelUnavailable(
                f"{len(categories)} classes to segment, expected at most {NOT_REPORTED}: a class map holds bytes"
            )
        self._network = network
        self._rule = rule
        self._categories = categories
        self._hidden = None if allowed is None else _hidden(len(categories), allowed, device)

    def input_for(self, width: int, height: int) -> ModelInput:
        """As the rule says."""
        return self._rule.input_for(width, height)

    def part_for(self, width: int, height: int) -> DensePart:
        """The rule's tensor through the network, and the likeliest class of each pixel."""
        return _MapPart(RuledPart(self._network, self._rule, width, height), len(self._categories))

    def given(self, batch: Tensor, width: int, height: int) -> Tensor:  # noqa: ARG002 - the places as they are
        """The places as they are."""
        return batch

    def finish(self, outputs: Outputs, frames: int, width: int, height: int) -> Results:  # noqa: ARG002
        """The class maps of each frame, at the size that the network gives."""
        maps = outputs[0].clone() if self._hidden is None else self._hidden[outputs[0].long()]
        return Results(frames, self._categories, segments=Segments(maps.cpu().numpy()))


class _MapPart(nn.Module):
    """Class maps in bytes instead of logits: a hundredth of the memory. The sums tell of values not finite."""

    def __init__(self, logits: RuledPart, classes: int) -> None:
        super().__init__()
        self.logits = logits
        self._classes = classes

    def forward(self, places: Tensor) -> Outputs:
        """``(n, h, w)`` uint8 and ``(n,)``."""
        (given,) = self.logits(places)
        logits = given.get("out") if isinstance(given, Mapping) else given
        expected = (len(places), self._classes)
        if not isinstance(logits, Tensor) or logits.ndim != 4 or logits.shape[:2] != expected:
            got = tuple(logits.shape) if isinstance(logits, Tensor) else type(given).__name__
            raise ModelError(
                f"the segmentation model gave {got} for {len(places)} frames, "
                f"expected ({expected[0]}, {expected[1]}, height, width): one score per class and pixel"
            )
        return logits.argmax(dim=1).to(torch.uint8), logits.sum(dim=(1, 2, 3), dtype=torch.float32)


def _hidden(classes: int, allowed: tuple[int, ...], device: torch.device) -> Tensor:
    """By label: the label itself, or ``NOT_REPORTED``."""
    table = torch.full((classes,), NOT_REPORTED, dtype=torch.uint8, device=device)
    table[list(allowed)] = torch.tensor(allowed, dtype=torch.uint8, device=device)
    return table
