"""Classification: the weights' own preset on the way in, the best classes by softmax on the way out."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torchvision.transforms import InterpolationMode
from torchvision.transforms.functional import center_crop, resize

from vidinfer.detections import Results
from vidinfer.model.antialias import CropResampler
from vidinfer.model.engine import DensePart, Outputs
from vidinfer.model.inputs import InputRule, RuledPart, copy_centre, copy_picture, picture_tensor
from vidinfer.model.normalise import Normaliser
from vidinfer.model.packed import TOGETHER
from vidinfer.model.threads import torch_threads
from vidinfer.model.topk import TopClasses
from vidinfer.stages import ModelInput, ScaledInput

__all__ = ["Classification", "ClassificationInput", "ClassificationPreset"]

DEVICE_BATCH_SIZE = 32
"""Pictures in a batch that nobody chose, on a GPU."""


@dataclass(frozen=True, slots=True)
class ClassificationPreset:
    """What ``weights.transforms()`` does to a picture, as data."""

    resize: int
    """Pixels of the shorter side."""
    crop: int
    """Pixels of the central square."""
    interpolation: InterpolationMode
    antialias: bool
    mean: tuple[float, ...]
    std: tuple[float, ...]

    @classmethod
    def of(cls, transforms: Any) -> ClassificationPreset:
        """Read torchvision's preset object."""
        return cls(
            resize=int(transforms.resize_size[0]),
            crop=int(transforms.crop_size[0]),
            interpolation=transforms.interpolation,
            antialias=bool(transforms.antialias),
            mean=tuple(transforms.mean),
            std=tuple(transforms.std),
        )

    def cut(self, pictures: Tensor) -> Tensor:
        """The central squares of uint8 pictures ``(..., 3, h, w)``, by torchvision's own steps, where they are."""
        resized = resize(pictures, [self.resize], self.interpolation, antialias=self.antialias)
        square: Tensor = center_crop(resized, [self.crop])
        return square

    def model_input(self, width: int, height: int) -> ModelInput:
        """The central square as uint8, rounded as torchvision rounds it."""
        shape = (self.crop, self.crop, 3)
        resized = resize(torch.empty(3, height, width, device="meta"), [self.resize]).shape[-2:]
        known = self.interpolation in (InterpolationMode.BILINEAR, InterpolationMode.BICUBIC)
        if not (self.antialias and known and min(resized) >= self.crop):
            return ModelInput(shape, np.dtype(np.uint8), self._by_torchvision)
        size = (int(resized[0]), int(resized[1]))
        resample = CropResampler((height, width), size, (self.crop, self.crop), mode=self.interpolation.value)
        scaled = None
        if size[0] * size[1] < width * height:
            scaled = ScaledInput(size, smooth=True, prepare=copy_centre)
        return ModelInput(shape, np.dtype(np.uint8), resample, scaled=scaled)

    def _by_torchvision(self, rgb: NDArray[np.uint8], place: NDArray[Any]) -> None:
        """For presets that none of today's weights have."""
        with torch_threads(1), torch.inference_mode():
            torch.from_numpy(place).copy_(self.cut(picture_tensor(rgb)).permute(1, 2, 0))


class ClassificationInput:
    """The central square that the preset cuts. An :class:`~vidinfer.model.inputs.InputRule`; its thread rule holds."""

    def __init__(
        self, preset: ClassificationPreset, device: torch.device, *, whole: bool | None = None
    ) -> None:
        """``whole``: places hold pictures as they are, ``device`` cuts them; ``None``: so on a GPU."""
        self._preset = preset
        self._normalise = Normaliser(preset.mean, preset.std, device)
        self._whole = device.type != "cpu" if whole is None else whole
        self._input = lru_cache(maxsize=16)(preset.model_input)

    def input_for(self, width: int, height: int) -> ModelInput:
        """As uint8."""
        if self._whole:
            shape, uint8 = (height, width, 3), np.dtype(np.uint8)
            return ModelInput(shape, uint8, copy_picture, batch_size=DEVICE_BATCH_SIZE)
        return self._input(width, height)

    def cut(self, batch: Tensor) -> Tensor:
        """The central squares ``(n, crop, crop, 3)`` of places ``(n, h, w, 3)``."""
        if not self._whole:
            return batch
        squares = [self._preset.cut(part) for part in torch.split(batch.permute(0, 3, 1, 2), TOGETHER)]
        return torch.cat(squares).permute(0, 2, 3, 1)

    def tensor(self, batch: Tensor, width: int, height: int) -> Tensor:  # noqa: ARG002 - cut to one size already
        """Normalised."""
        return self._normalise(batch)


class Classification:
    """A classifier: a :class:`~vidinfer.model.runner.Task`; its thread rule holds."""

    def __init__(
        self,
        network: nn.Module,
        rule: InputRule,
        categories: tuple[str, ...],
        *,
        device: torch.device,
        top_k: int,
        allowed: tuple[int, ...] | None,
    ) -> None:
        """``allowed``: labels that may be reported; ``None``: all."""
        self._network = network
        self._rule = rule
        self._categories = categories
        self._top = TopClasses(categories, top_k, allowed, device)

    def input_for(self, width: int, height: int) -> ModelInput:
        """As the rule says."""
        return self._rule.input_for(width, height)

    def part_for(self, width: int, height: int) -> DensePart:
        """The rule's tensor through the network."""
        return RuledPart(self._network, self._rule, width, height)

    def given(self, batch: Tensor, width: int, height: int) -> Tensor:  # noqa: ARG002 - the rule knows
        """The places as they are, or cut to size."""
        return self._rule.cut(batch) if isinstance(self._rule, ClassificationInput) else batch

    def finish(self, outputs: Outputs, frames: int, width: int, height: int) -> Results:  # noqa: ARG002
        """The best classes of each frame."""
        return Results(frames, self._categories, classes=self._top(outputs[0], frames))
