"""Video classification: clips of the length and rate that the weights were trained for."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torchvision.transforms.functional import center_crop, resize

from vidinfer.detections import Results
from vidinfer.model.engine import DensePart, Outputs
from vidinfer.model.inputs import copy_centre, picture_tensor
from vidinfer.model.normalise import Normaliser
from vidinfer.model.threads import torch_threads
from vidinfer.model.topk import TopClasses
from vidinfer.stages import ModelInput, ScaledInput, Window

__all__ = ["ClipClassification", "ClipRule"]

USUAL_FRAMES, USUAL_RATE = 16, Fraction(15)
"""For weights that do not say: what most video models were trained with."""
BATCH_SIZE = 2


@dataclass(frozen=True, slots=True)
class ClipRule:
    """What a clip is."""

    frames: int
    rate: Fraction
    """Frames a second of true time."""
    stated: bool
    """The weights say so; else it is what is usual."""

    @property
    def seconds(self) -> Fraction:
        """What a clip stands for: its frames, each as long as the rate says."""
        return self.frames / self.rate

    @classmethod
    def of(cls, meta: Mapping[str, Any]) -> ClipRule:
        """Read what torchvision's weights say of how they were evaluated."""
        text = str(meta.get("_docs", ""))
        frames = re.search(r"clip_len\W{1,3}(\d+)", text)
        rate = re.search(r"frame_rate\W{1,3}(\d+(?:\.\d+)?)", text)
        return cls(
            frames=max(int(frames[1]) if frames else USUAL_FRAMES, int(meta.get("min_temporal_size") or 1)),
            rate=Fraction(rate[1]) if rate else USUAL_RATE,
            stated=bool(frames and rate),
        )


class ClipClassification:
    """A video classifier: a :class:`~vidinfer.model.runner.Task`; its thread rule holds."""

    def __init__(
        self,
        network: nn.Module,
        preset: Any,
        categories: tuple[str, ...],
        window: Window,
        *,
        device: torch.device,
        top_k: int,
        allowed: tuple[int, ...] | None,
    ) -> None:
        """``preset``: torchvision's object; ``allowed``: labels that may be reported, ``None`` for all."""
        self._network = network
        self._preset = preset
        self._categories = categories
        self._window = window
        self._normalise = Normaliser(preset.mean, preset.std, device)
        self._top = TopClasses(categories, top_k, allowed, device)
        self._input = lru_cache(maxsize=16)(self._make_input)

    def input_for(self, width: int, height: int) -> ModelInput:
        """Clips of the resized and cut picture, rounded to uint8 as torchvision rounds it."""
        return self._input(width, height)

    def _make_input(self, width: int, height: int) -> ModelInput:
        crop = self._preset.crop_size
        resized = resize(torch.empty(3, height, width, device="meta"), self._preset.resize_size).shape[-2:]
        size, scaled = (int(resized[0]), int(resized[1])), None
        if size[0] * size[1] < width * height and size[0] >= crop[0] and size[1] >= crop[1]:
            scaled = ScaledInput(size, smooth=False, prepare=copy_centre)
        return ModelInput(
            (*crop, 3),
            np.dtype(np.uint8),
            self._prepare,
            window=self._window,
            batch_size=BATCH_SIZE,
            scaled=scaled,
        )

    def _prepare(self, rgb: NDArray[np.uint8], frame: NDArray[Any]) -> None:
        preset = self._preset
        with torch_threads(1), torch.inference_mode():
            picture = picture_tensor(rgb)
            # Without antialiasing, as the preset has it: these models were trained so.
            picture = resize(picture, preset.resize_size, interpolation=preset.interpolation, antialias=False)
            torch.from_numpy(frame).copy_(center_crop(picture, preset.crop_size).permute(1, 2, 0))

    def part_for(self, width: int, height: int) -> DensePart:  # noqa: ARG002 - clips have one size
        """Normalised clips through the network."""
        return _ClipPart(self._network, self._normalise)

    def given(self, batch: Tensor, width: int, height: int) -> Tensor:  # noqa: ARG002 - the places as they are
        """The places as they are, ``(n, frames, h, w, 3)``."""
        return batch

    def finish(self, outputs: Outputs, frames: int, width: int, height: int) -> Results:  # noqa: ARG002
        """The best classes of each clip."""
        return Results(frames, self._categories, clips=self._top(outputs[0], frames))


class _ClipPart(nn.Module):
    def __init__(self, network: nn.Module, normalise: Normaliser) -> None:
        super().__init__()
        self.network = network
        self._normalise = normalise

    def forward(self, places: Tensor) -> tuple[Any, ...]:
        """Logits of clips ``(n, 3, frames, h, w)``."""
        return (self.network(self._normalise(places).transpose(1, 2).contiguous()),)
