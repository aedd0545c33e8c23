"""What a detection model does to a picture of a given size before its network sees it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import interpolate
from torchvision.models.detection.transform import GeneralizedRCNNTransform

from vidinfer.model.inputs import copy_picture
from vidinfer.model.packed import TOGETHER
from vidinfer.model.picked import PickedResampler
from vidinfer.model.resample import BilinearResampler, PixelSteps
from vidinfer.stages import ModelInput, ScaledInput

__all__ = ["DetectionInput", "Geometry"]

BATCH_SIZE, BATCH_PIXELS = 8, 2_400_000
"""Most pictures, and pixels of the network's input, in a batch that nobody chose: large pictures keep a processor busy
one by one, and the activations of each take half a gigabyte."""
DEVICE_BATCH_SIZE, DEVICE_BATCH_PIXELS = 32, 16_000_000
"""The same on a GPU, which wants more at once; where its memory is too small, batches are halved."""


@dataclass(frozen=True, slots=True)
class Geometry:
    """Sizes as ``(height, width)`` for one size of source."""

    source: tuple[int, int]
    content: tuple[int, int]
    """After resampling."""
    padded: tuple[int, int]
    """What the network sees: ``content``, and zeros on the right and below."""

    @property
    def early(self) -> bool:
        """The resampled float32 picture is smaller than the uint8 original, and reads not all of its pixels."""
        return 4 * self.content[0] * self.content[1] < self.source[0] * self.source[1]


class DetectionInput:
    """The input rule of a torchvision detection model, for whole batches of one size.

    Thread rule: share freely; it holds nothing that changes.
    """

    def __init__(
        self, transform: GeneralizedRCNNTransform, device: torch.device, *, whole: bool | None = None
    ) -> None:
        """``whole``: places hold pictures as they are, ``device`` resamples them; ``None``: so on a GPU."""
        self._transform = transform
        self._device = device
        self._whole = device.type != "cpu" if whole is None else whole
        self._picked = lru_cache(maxsize=16)(self._resampler)
        self._mean = torch.tensor(transform.image_mean, device=device).view(3, 1, 1)
        self._std = torch.tensor(transform.image_std, device=device).view(3, 1, 1)

    def geometry(self, width: int, height: int) -> Geometry:
        """Asks torchvision's own code, with a picture of one value that is everywhere.

        (Resampling on the meta device would import torch's compiler: a second.)
        """
        picture = torch.zeros(1).expand(1, height, width)
        resized, _ = self._transform.resize(picture)
        padded = self._transform.batch_images([resized], size_divisible=self._transform.size_divisible)
        return Geometry(
            source=(height, width),
            content=(int(resized.shape[-2]), int(resized.shape[-1])),
            padded=(int(padded.shape[-2]), int(padded.shape[-1])),
        )

    def model_input(self, geometry: Geometry) -> ModelInput:
        """How to fill a place: with the network's own pixels (float32), or with the picture as it is (uint8)."""
        most, pixels = (DEVICE_BATCH_SIZE, DEVICE_BATCH_PIXELS) if self._whole else (BATCH_SIZE, BATCH_PIXELS)
        batch = max(1, min(most, pixels // (geometry.padded[0] * geometry.padded[1])))
        if geometry.early and not self._whole:
            mean, std = self._transform.image_mean, self._transform.image_std
            resample = BilinearResampler(geometry.source, geometry.content, mean, std)
            scaled = ScaledInput(
                geometry.content, smooth=False, prepare=PixelSteps(mean, std, geometry.content[1])
            )
            return ModelInput(
                (*geometry.content, 3),
                np.dtype(np.float32),
                resample,
                batch_size=batch,
                scaled=scaled,
                prepare_from=resample.of_picture,
            )
        return ModelInput((*geometry.source, 3), np.dtype(np.uint8), copy_picture, batch_size=batch)

    def network_input(self, batch: Tensor, geometry: Geometry) -> Tensor:
        """From filled places ``(n, h, w, 3)`` to ``(n, 3, *padded)``: normalised, resampled, padded with zeros."""
        pixels = batch.permute(0, 3, 1, 2)  # NHWC seen as NCHW: channels_last without a copy
        early = geometry.early and not self._whole
        if early and geometry.padded == geometry.content:
            return pixels
        height, width = geometry.content
        out = torch.zeros((len(batch), 3, *geometry.padded), device=self._device)
        out = out.contiguous(memory_format=torch.channels_last)
        inner = out[:, :, :height, :width]
        if early:
            inner.copy_(pixels)
            return out
        # A CPU takes large pictures one by one: a float copy of the whole batch would only leave its cache.
        step = 1 if self._device.type == "cpu" else TOGETHER
        for first in range(0, len(batch), step):
            inner[first : first + step] = self._resampled(pixels[first : first + step], geometry)
        return out

    def _resampled(self, pixels: Tensor, geometry: Geometry) -> Tensor:
        """Torchvision's steps in torchvision's order and layout."""
        if geometry.early:
            return self._picked(geometry)(pixels.permute(0, 2, 3, 1), self._steps)
        x = self._steps(pixels)
        if tuple(x.shape[-2:]) == geometry.content:
            return x
        return interpolate(x, size=geometry.content, mode="bilinear", align_corners=False)

    def _steps(self, pixels: Tensor) -> Tensor:
        return pixels.contiguous().float().div_(255.0).sub_(self._mean).div_(self._std)

    def _resampler(self, geometry: Geometry) -> PickedResampler:
        return PickedResampler(geometry.source, geometry.content, self._device)
