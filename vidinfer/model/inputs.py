"""What a network is given of a frame: a rule says how a place is filled, and what becomes of a batch of them."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import interpolate

from vidinfer.errors import ModelError
from vidinfer.model.threads import torch_threads
from vidinfer.stages import ModelInput

__all__ = [
    "CallableInput",
    "InputRule",
    "PlainInput",
    "RuledPart",
    "copy_centre",
    "copy_picture",
    "picture_tensor",
]


class InputRule(Protocol):
    """Thread rule: ``input_for`` and the ``prepare`` of its result on one thread, ``tensor`` on one other."""

    def input_for(self, width: int, height: int) -> ModelInput:
        """The input for frames displayed at ``width`` x ``height``."""
        ...

    def tensor(self, batch: Tensor, width: int, height: int) -> Tensor:
        """``(n, 3, h, w)`` float32 from a batch of places on the device."""
        ...


def picture_tensor(rgb: NDArray[np.uint8]) -> Tensor:
    """``(3, H, W)`` uint8, as torchvision's transforms take it."""
    return torch.from_numpy(np.ascontiguousarray(rgb)).permute(2, 0, 1)


def copy_picture(rgb: NDArray[np.uint8], frame: NDArray[Any]) -> None:
    """The whole picture, unchanged."""
    np.copyto(frame, rgb)


def copy_centre(rgb: NDArray[np.uint8], frame: NDArray[Any]) -> None:
    """The middle of a picture that is not smaller than ``frame``, as torchvision's ``center_crop`` places it."""
    (height, width), (h, w) = rgb.shape[:2], frame.shape[:2]
    top, left = round((height - h) / 2.0), round((width - w) / 2.0)
    np.copyto(frame, rgb[top : top + h, left : left + w])


class RuledPart(nn.Module):
    """A dense part: what the rule makes of a batch of places, through a network with one output."""

    def __init__(self, network: nn.Module, rule: InputRule, width: int, height: int) -> None:
        super().__init__()
        self.network = network
        self._rule = rule
        self._size = (width, height)

    def forward(self, places: Tensor) -> tuple[Any, ...]:
        """Whatever the network gives, as one output."""
        return (self.network(self._rule.tensor(places, *self._size)),)


class PlainInput:
    """Pixels in [0, 1], nothing else: the whole picture, or resized (bilinear, antialiased) to one fixed size."""

    def __init__(self, size: tuple[int, int] | None = None) -> None:
        """``size``: ``(height, width)``; ``None``: that of the picture."""
        self._size = size

    def input_for(self, width: int, height: int) -> ModelInput:
        """The whole picture."""
        return ModelInput((height, width, 3), np.dtype(np.uint8), copy_picture)

    def tensor(self, batch: Tensor, width: int, height: int) -> Tensor:  # noqa: ARG002 - the batch has its size
        """Scaled to [0, 1]; resized where a size was given."""
        pixels = batch.movedim(-1, -3).float().div_(255.0)
        if self._size is None or tuple(pixels.shape[-2:]) == self._size:
            return pixels
        return interpolate(pixels, size=self._size, mode="bilinear", antialias=True)


class CallableInput:
    """A user's own transforms: from a ``(3, H, W)`` uint8 tensor to a ``(3, h, w)`` float tensor, frame by frame."""

    def __init__(self, transforms: Callable[[Tensor], Any]) -> None:
        self._transforms = transforms
        self._inputs = lru_cache(maxsize=16)(self._input)

    def input_for(self, width: int, height: int) -> ModelInput:
        """The size that comes out of the transforms for a picture of this size."""
        return self._inputs(width, height)

    def tensor(self, batch: Tensor, width: int, height: int) -> Tensor:  # noqa: ARG002 - nothing is left to do
        """The places as they are."""
        return batch.movedim(-1, -3)

    def _input(self, width: int, height: int) -> ModelInput:
        made = self._apply(np.zeros((height, width, 3), np.uint8))
        _, h, w = made.shape
        return ModelInput((h, w, 3), np.dtype(np.float32), self._prepare)

    def _prepare(self, rgb: NDArray[np.uint8], frame: NDArray[Any]) -> None:
        made = self._apply(rgb)
        if tuple(made.shape) != (3, *frame.shape[:2]):
            raise ModelError(
                f"the transforms gave {tuple(made.shape)} and before (3, {frame.shape[0]}, {frame.shape[1]}) "
                f"for pictures of the same size; expected one size"
            )
        torch.from_numpy(frame).copy_(made.permute(1, 2, 0))

    def _apply(self, rgb: NDArray[np.uint8]) -> Tensor:
        with torch_threads(1), torch.inference_mode():
            made = self._transforms(picture_tensor(rgb))
        if (
            not isinstance(made, Tensor)
            or made.ndim != 3
            or made.shape[0] != 3
            or not made.is_floating_point()
        ):
            got = f"{made.dtype} {tuple(made.shape)}" if isinstance(made, Tensor) else type(made).__name__
            raise ModelError(f"the transforms gave {got}, expected a float tensor (3, height, width)")
        return made
