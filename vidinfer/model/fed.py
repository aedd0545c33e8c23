"""Pictures that a device has decoded, given to a model on the same device without a way through the host."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.dlpack import from_dlpack

from vidinfer.detections import Results
from vidinfer.frame import ColourTags, DevicePicture, DevicePlanes, Picture
from vidinfer.model.packed import TOGETHER
from vidinfer.model.yuv import convertible, rgb_of
from vidinfer.stages import AsyncModel, Model, ModelInfo, ModelInput, PendingResults

__all__ = ["DeviceFed", "device_fed", "rgb_on"]

_PLACE = (1, 1, 1)
_Kind: TypeAlias = tuple[ColourTags, bool, bool, bool]


def device_fed(model: Model, width: int, height: int) -> Model:
    """``model``, taking pictures where they are if it prepares whole pictures itself; else as it is."""
    takes = getattr(model, "takes_pictures", None)
    if isinstance(model, AsyncModel) and takes is not None and takes(width, height):
        return DeviceFed(model)
    return model


class DeviceFed:
    """A model whose batch slots hold pictures instead of pixels. An :class:`~vidinfer.stages.AsyncModel`.

    Thread rule: that of the model.
    """

    def __init__(self, model: AsyncModel) -> None:
        """``model`` takes batches of dtype ``object``, ``(n, 1, 1, 1)``; it stays its owner's to close."""
        self._model = model

    @property
    def info(self) -> ModelInfo:
        """The model's."""
        return self._model.info

    @property
    def in_flight(self) -> int:
        """The model's."""
        return self._model.in_flight

    def input_for(self, width: int, height: int) -> ModelInput:
        """A place for one picture."""
        batch_size = self._model.input_for(width, height).batch_size
        return ModelInput(_PLACE, np.dtype(object), _put_rgb, batch_size=batch_size, prepare_from=_put)

    def allocate(self, frames: int, spec: ModelInput) -> NDArray[Any]:
        """A slot for ``frames`` pictures."""
        return np.empty((frames, *spec.place), spec.dtype)

    def settle(
        self,
        places: NDArray[Any],
        width: int,
        height: int,
        batch_size: int,
        stopped: Callable[[], bool] = lambda: False,
    ) -> None:
        """The model's; ``places`` hold pictures, or what the model asks for itself."""
        self._model.settle(places, width, height, batch_size, stopped)

    def submit(self, batch: NDArray[Any], width: int, height: int) -> PendingResults:
        """The model's; ``batch`` is empty once the results are there."""
        return _Emptied(self._model.submit(batch, width, height), batch)

    def predict(self, batch: NDArray[Any], width: int, height: int) -> Results:
        """The model's."""
        return self.submit(batch, width, height).results()

    def close(self) -> None:
        """The model's."""
        self._model.close()


def rgb_on(device: torch.device, pictures: Sequence[Picture], width: int, height: int) -> Tensor:
    """``(n, height, width, 3)`` uint8 on ``device``, as displayed.

    What is on a device is read in the order of its default stream, which decoders write on: that must be current.
    """
    rgb = torch.empty((len(pictures), height, width, 3), dtype=torch.uint8, device=device)
    found = [_planes(picture, width, height) for picture in pictures]
    start = 0
    for kind, alike in groupby(found, _kind):
        end = start + len(list(alike))
        for first in range(start, end, TOGETHER):
            rows = slice(first, min(first + TOGETHER, end))
            if kind is None:
                pixels = np.stack([picture.rgb() for picture in pictures[rows]])
                rgb[rows] = torch.from_numpy(pixels).to(device)
            else:
                rgb[rows] = _converted([planes for planes in found[rows] if planes is not None], kind)
        start = end
    return rgb


def _planes(picture: Picture, width: int, height: int) -> DevicePlanes | None:
    planes = picture.device_planes() if isinstance(picture, DevicePicture) else None
    return planes if planes is not None and convertible(width, height, planes.tags) else None


def _kind(planes: DevicePlanes | None) -> _Kind | None:
    """Pictures of one kind are converted together; ``None``: on the host."""
    return None if planes is None else (planes.tags, planes.transpose, planes.mirror_x, planes.mirror_y)


def _converted(planes: Sequence[DevicePlanes], kind: _Kind) -> Tensor:
    tags, transpose, mirror_x, mirror_y = kind
    luma = torch.stack([from_dlpack(one.y) for one in planes])
    chroma = torch.stack([from_dlpack(one.uv) for one in planes])
    rgb = rgb_of(luma, chroma[..., 0], chroma[..., 1], tags)
    if transpose:
        rgb = rgb.transpose(1, 2)
    mirrored = [axis for axis, wanted in ((2, mirror_x), (1, mirror_y)) if wanted]
    return rgb.flip(mirrored) if mirrored else rgb


@dataclass(frozen=True, slots=True)
class _Emptied:
    pending: PendingResults
    batch: NDArray[Any]

    def results(self) -> Results:
        results = self.pending.results()
        self.batch.fill(None)  # the decoder wants its memory back before the slot is used again
        return results


@dataclass(frozen=True, slots=True)
class _Converted:
    """A picture of which only the pixels are left."""

    pixels: NDArray[np.uint8]

    @property
    def nbytes(self) -> int:
        return self.pixels.nbytes

    def rgb(self) -> NDArray[np.uint8]:
        return self.pixels.copy()


def _put(picture: Picture, place: NDArray[Any]) -> None:
    place[0, 0, 0] = picture


def _put_rgb(rgb: NDArray[np.uint8], place: NDArray[Any]) -> None:
    place[0, 0, 0] = _Converted(rgb)
