"""Optical flow between neighbouring frames (RAFT), in pixels of the displayed picture."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torchvision.transforms.functional import resize

from vidinfer.detections import MOVING_PIXELS, Flow, Results
from vidinfer.errors import ModelError
from vidinfer.model.engine import DensePart, Outputs
from vidinfer.model.inputs import picture_tensor
from vidinfer.model.normalise import Normaliser
from vidinfer.model.threads import torch_threads
from vidinfer.stages import ModelInput, Window

__all__ = ["OpticalFlow", "flow_size"]

LONGEST, SHORTEST = 960, 520
"""Most that the network sees, as in torchvision's own example: its memory grows with the square of the area."""
SMALLEST, MULTIPLE = 128, 8
"""Of a side, as RAFT asks for."""
HALF = (0.5, 0.5, 0.5)
PAIR = Window(frames=2)
BATCH_SIZE = 1


def flow_size(width: int, height: int) -> tuple[int, int]:
    """``(height, width)`` that the network sees: the picture shrunk into 960x520 (or 520x960), each side then the
    nearest multiple of 8, at least 128."""
    long, short = max(width, height), min(width, height)
    scale = min(1.0, LONGEST / long, SHORTEST / short)
    sides = (max(SMALLEST, MULTIPLE * round(side * scale / MULTIPLE)) for side in (height, width))
    h, w = sides
    return h, w


class OpticalFlow:
    """A flow model: a :class:`~vidinfer.model.runner.Task`; its thread rule holds."""

    def __init__(self, network: nn.Module, *, device: torch.device) -> None:
        self._network = network
        self._normalise = Normaliser(HALF, HALF, device)
        self._input = lru_cache(maxsize=16)(_input)

    def input_for(self, width: int, height: int) -> ModelInput:
        """Pairs of the resized picture."""
        return self._input(width, height)

    def part_for(self, width: int, height: int) -> DensePart:  # noqa: ARG002 - the places have one size
        """Normalised pairs through the network."""
        return _PairPart(self._network, self._normalise)

    def given(self, batch: Tensor, width: int, height: int) -> Tensor:  # noqa: ARG002 - the places as they are
        """The places as they are, ``(n, 2, h, w, 3)``."""
        return batch

    def finish(self, outputs: Outputs, frames: int, width: int, height: int) -> Results:
        """The flow of each pair."""
        fields = outputs[0]
        scale = torch.tensor((width / fields.shape[-1], height / fields.shape[-2]), device=fields.device)
        return Results(frames, (), flow=_summed_up(fields.float().movedim(1, -1) * scale))


class _PairPart(nn.Module):
    def __init__(self, network: nn.Module, normalise: Normaliser) -> None:
        super().__init__()
        self.network = network
        self._normalise = normalise

    def forward(self, places: Tensor) -> Outputs:
        """The last and best of the fields, ``(n, 2, h, w)`` in the network's own pixels."""
        x = self._normalise(places)
        given = self.network(x[:, 0].contiguous(), x[:, 1].contiguous())
        fields = given[-1] if isinstance(given, list | tuple) and given else given
        expected = (len(places), 2, *x.shape[-2:])
        if not isinstance(fields, Tensor) or fields.shape != expected:
            got = tuple(fields.shape) if isinstance(fields, Tensor) else type(given).__name__
            raise ModelError(f"the flow model gave {got} for {len(places)} pairs, expected {expected}")
        return (fields,)


def _summed_up(fields: Tensor) -> Flow:
    """``fields``: ``(n, h, w, 2)`` in displayed pixels."""
    length = fields.square().sum(dim=-1).sqrt_().flatten(1)
    mean = fields.double().mean(dim=(1, 2))
    direction = torch.rad2deg(torch.atan2(mean[:, 1], mean[:, 0])) % 360.0
    direction = torch.where((mean == 0).all(dim=1), torch.nan, direction)
    return Flow(
        mean=length.mean(1).cpu().numpy(),
        maximum=length.amax(1).cpu().numpy(),
        direction=direction.float().cpu().numpy(),
        moving=(length >= MOVING_PIXELS).float().mean(1).cpu().numpy(),
        fields=fields.contiguous().cpu().numpy(),
    )


def _input(width: int, height: int) -> ModelInput:
    size = flow_size(width, height)
    same = size == (height, width)

    def prepare(rgb: NDArray[np.uint8], frame: NDArray[Any]) -> None:
        if same:
            np.copyto(frame, rgb)
            return
        with torch_threads(1), torch.inference_mode():
            picture = picture_tensor(rgb)
            torch.from_numpy(frame).copy_(resize(picture, list(size), antialias=False).permute(1, 2, 0))

    return ModelInput((*size, 3), np.dtype(np.uint8), prepare, window=PAIR, batch_size=BATCH_SIZE)
