"""Detectors that are not torchvision's but keep its manner: a list of pictures in, one dictionary each out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from vidinfer.detections import Results
from vidinfer.errors import ModelError
from vidinfer.model.engine import Outputs
from vidinfer.model.found import Found
from vidinfer.model.inputs import InputRule
from vidinfer.stages import ModelInput

__all__ = ["ListedDetection"]

_SHAPES: Mapping[str, tuple[int | None, ...]] = {"boxes": (None, 4), "scores": (None,), "labels": (None,)}


class ListedDetection:
    """A detector of somebody's own: a :class:`~vidinfer.model.runner.Task`; its thread rule holds.

    What it finds is brought into order, best first, and cut at the threshold; whatever it does inside is its own.
    """

    def __init__(
        self,
        network: nn.Module,
        rule: InputRule,
        categories: tuple[str, ...],
        *,
        score_threshold: float,
        allowed: tuple[int, ...] | None,
    ) -> None:
        """``allowed``: labels to report; ``None``: all."""
        self._network = network
        self._rule = rule
        self._categories = categories
        self._threshold = score_threshold
        self._allowed = None if allowed is None else np.array(allowed, np.int64)

    def input_for(self, width: int, height: int) -> ModelInput:
        """As the rule says."""
        return self._rule.input_for(width, height)

    def part_for(self, width: int, height: int) -> None:
        """Nobody knows its parts."""

    def given(self, batch: Tensor, width: int, height: int) -> Tensor:
        """The rule's tensor."""
        return self._rule.tensor(batch, width, height)

    def finish(self, outputs: Outputs, frames: int, width: int, height: int) -> Results:
        """The objects of each frame, in pixels of the displayed picture."""
        (pixels,) = outputs
        given = self._network(list(pixels))
        if not isinstance(given, list | tuple) or len(given) != frames:
            got = f"{len(given)} results" if isinstance(given, list | tuple) else f"a {type(given).__name__}"
            raise ModelError(
                f"the detector gave {got} for {frames} frames, expected a list of one dictionary each"
            )
        found = Found.joined([self._ordered(one) for one in given])
        objects = found.scaled((pixels.shape[-2], pixels.shape[-1]), (height, width)).objects()
        if not (np.isfinite(objects.boxes).all() and np.isfinite(objects.scores).all()):
            raise ModelError("the detector gave boxes or scores that are not finite (NaN or infinity)")
        if len(objects) and not 0 <= objects.labels.min() <= objects.labels.max() < len(self._categories):
            raise ModelError(
                f"the detector gave labels {objects.labels.min()} to {objects.labels.max()}, and has names for "
                f"0 to {len(self._categories) - 1}"
            )
        keep = objects.scores >= np.float32(self._threshold)
        if self._allowed is not None:
            keep &= np.isin(objects.labels, self._allowed)
        return Results(frames, self._categories, objects=objects.select(keep))

    def _ordered(self, found: Any) -> dict[str, Tensor]:
        """One frame's columns, checked, best first."""
        if not isinstance(found, Mapping) or not all(isinstance(found.get(name), Tensor) for name in _SHAPES):
            got = ", ".join(map(str, found)) if isinstance(found, Mapping) else type(found).__name__
            raise ModelError(
                f"the detector gave {got} for a frame, expected tensors boxes, scores and labels"
            )
        count = len(found["scores"])
        for name, shape in _SHAPES.items():
            expected = tuple(count if side is None else side for side in shape)
            if tuple(found[name].shape) != expected:
                raise ModelError(f"the detector gave {name} {tuple(found[name].shape)}, expected {expected}")
        order = torch.argsort(found["scores"], descending=True, stable=True)
        return {name: found[name][order] for name in _SHAPES}
