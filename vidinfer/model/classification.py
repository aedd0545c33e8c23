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

from vidinfer.detections import Classes, Results
from vidinfer.errors import ModelError
from vidinfer.model.antialias import CropResampler
from vidinfer.model.threads import torch_threads
from vidinfer.stages import ModelInput

__all__ = ["Classification", "ClassificationPreset"]


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

    def model_input(self, width: int, height: int) -> ModelInput:
        """The central square as uint8, rounded as torchvision rounds it."""
        shape = (self.crop, self.crop, 3)
        resized = resize(torch.empty(3, height, width, device="meta"), [self.resize]).shape[-2:]
        known = self.interpolation in (InterpolationMode.BILINEAR, InterpolationMode.BICUBIC)
        if not (self.antialias and known and min(resized) >= self.crop):
            return ModelInput(shape, np.dtype(np.uint8), self._by_torchvision)
        size = (int(resized[0]), int(resized[1]))
        resample = CropResampler((height, width), size, self.crop, mode=self.interpolation.value)
        return ModelInput(shape, np.dtype(np.uint8), resample)

    def _by_torchvision(self, rgb: NDArray[np.uint8], place: NDArray[Any]) -> None:
        """For presets that none of today's weights have."""
        with torch_threads(1), torch.inference_mode():
            picture = torch.from_numpy(np.ascontiguousarray(rgb)).permute(2, 0, 1)
            picture = resize(picture, [self.resize], self.interpolation, antialias=self.antialias)
            picture = center_crop(picture, [self.crop])
            torch.from_numpy(place).copy_(picture.permute(1, 2, 0))


class Classification:
    """A classifier. Thread rule: ``run`` on one thread."""

    def __init__(
        self,
        network: nn.Module,
        preset: ClassificationPreset,
        categories: tuple[str, ...],
        *,
        device: torch.device,
        top_k: int,
        allowed: tuple[int, ...] | None,
    ) -> None:
        """``allowed``: labels that may be reported; ``None``: all."""
        self._network = network
        self._categories = categories
        self._allowed = None if allowed is None else torch.tensor(allowed, device=device)
        self._top_k = min(top_k, len(categories) if allowed is None else len(allowed))
        self._mean = torch.tensor(preset.mean, device=device).view(1, 3, 1, 1)
        self._std = torch.tensor(preset.std, device=device).view(1, 3, 1, 1)
        self._input = lru_cache(maxsize=16)(preset.model_input)

    def input_for(self, width: int, height: int) -> ModelInput:
        """The central square that the preset cuts, as uint8."""
        return self._input(width, height)

    def run(self, batch: Tensor, width: int, height: int) -> Results:  # noqa: ARG002 - classes have no place
        """The best classes of each frame."""
        x = batch.permute(0, 3, 1, 2).float()  # NHWC seen as NCHW: channels_last without a copy
        x = x.div_(255.0).sub_(self._mean).div_(self._std)
        logits = self._network(x)
        if not isinstance(logits, Tensor) or logits.shape != (len(batch), len(self._categories)):
            got = tuple(logits.shape) if isinstance(logits, Tensor) else type(logits).__name__
            raise ModelError(
                f"the classifier gave {got} for {len(batch)} frames, expected ({len(batch)}, {len(self._categories)})"
            )
        probabilities = logits.float().softmax(dim=1)
        if self._allowed is not None:
            probabilities = probabilities[:, self._allowed]
        scores, labels = probabilities.topk(self._top_k, dim=1)
        if self._allowed is not None:
            labels = self._allowed[labels]
        classes = Classes(labels.cpu().numpy().astype(np.int64), scores.cpu().numpy())
        return Results(len(batch), self._categories, classes=classes)
