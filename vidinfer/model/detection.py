"""Detection: all of torchvision's detectors through one seam, their ``transform``.

Every detection model of torchvision sends its pictures through ``self.transform`` on the way in and its boxes
through ``self.transform.postprocess`` on the way out. :class:`BatchTransform` stands there instead: pictures come in
as one prepared batch, boxes go out as columns, and everything between is the model's own code.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn
from torchvision.models.detection.image_list import ImageList

from vidinfer.detections import Objects, Results
from vidinfer.errors import ModelError
from vidinfer.model import anchors, dense, roi
from vidinfer.model.engine import DensePart, Outputs
from vidinfer.model.found import Found
from vidinfer.model.geometry import DetectionInput, Geometry
from vidinfer.model.split import RegionHeads, split
from vidinfer.stages import ModelInput

__all__ = ["BatchTransform", "Detection", "PreparedBatch", "push_threshold"]


class PreparedBatch:
    """A batch that is resized and normalised already; to the model it looks like the list of original pictures."""

    def __init__(self, pixels: Tensor, geometry: Geometry) -> None:
        """``pixels``: ``(n, 3, *geometry.padded)``."""
        self.pixels = pixels
        self.geometry = geometry

    def __len__(self) -> int:
        return len(self.pixels)

    def __iter__(self) -> Iterator[Tensor]:
        """Pictures with the original's shape and no pixels: the models only ask their size."""
        original = torch.empty(3, *self.geometry.source, device="meta")
        return iter([original] * len(self))


class BatchTransform(nn.Module):
    """Takes the place of a detection model's ``transform``."""

    def forward(self, images: PreparedBatch, targets: None = None) -> tuple[ImageList, None]:
        """Hand the prepared batch on."""
        return ImageList(images.pixels, [images.geometry.content] * len(images)), targets

    def postprocess(
        self,
        result: Found | list[dict[str, Tensor]],
        image_shapes: list[tuple[int, int]],
        original_image_sizes: list[tuple[int, int]],
    ) -> Found:
        """Back to the pixels of the original pictures, all of one size; masks stay as the network made them."""
        found = result if isinstance(result, Found) else Found.joined(result)
        return found.scaled(image_shapes[0], original_image_sizes[0])


def push_threshold(network: nn.Module, threshold: float) -> None:
    """Let the model itself drop detections below ``threshold``, before the work on them.

    Exact: suppression is greedy from the best score down and every limit keeps the best, so a worse detection never
    changes a better one. torchvision keeps scores above its threshold; the float32 next below makes it "at least".
    """
    holder = getattr(network, "roi_heads", network)
    holder.score_thresh = float(np.nextafter(np.float32(threshold), np.float32(-1.0)))


class Detection:
    """A detector: a :class:`~vidinfer.model.runner.Task`; its thread rule holds."""

    def __init__(
        self,
        network: nn.Module,
        categories: tuple[str, ...],
        *,
        device: torch.device,
        score_threshold: float,
        allowed: tuple[int, ...] | None,
    ) -> None:
        """``network`` becomes this object's own: its ``transform`` is replaced. ``allowed``: labels to report."""
        self._input = DetectionInput(cast(Any, network).transform, device)
        self._geometry = lru_cache(maxsize=16)(self._input.geometry)
        self._spec = lru_cache(maxsize=16)(self._input.model_input)
        network.transform = BatchTransform()
        anchors.remember(network)
        dense.vectorise(network)
        roi.vectorise(network)
        push_threshold(network, score_threshold)
        self._network = network
        self._split = split(network)
        self._categories = categories
        self._allowed = None if allowed is None else np.array(allowed, np.int64)

    @property
    def limit(self) -> int:
        """Most objects of a frame."""
        holder: Any = getattr(self._network, "roi_heads", self._network)
        return int(holder.detections_per_img)

    @property
    def watched(self) -> Sequence[nn.Module]:
        """Where values that are not finite would still be seen, in a detector with a way of its own."""
        if self._split is not None:
            return ()
        heads = getattr(self._network, "roi_heads", None)
        network = cast(Any, self._network)
        return (network.head,) if heads is None else (network.rpn.head, heads.box_predictor)

    @property
    def heads(self) -> Mapping[str, RegionHeads]:
        """Dense parts that run in the midst of ``finish``."""
        return {} if self._split is None else self._split.heads

    def input_for(self, width: int, height: int) -> ModelInput:
        """Resampled pixels where those are fewer bytes than the picture, else the picture."""
        return self._spec(self._geometry(width, height))

    def part_for(self, width: int, height: int) -> DensePart | None:  # noqa: ARG002 - convolutions take any size
        """Backbone and heads; ``None`` for a detector with a way of its own."""
        return None if self._split is None else self._split.part

    def given(self, batch: Tensor, width: int, height: int) -> Tensor:
        """``(n, h, w, 3)`` float32: normalised, resampled and padded as torchvision does it."""
        return self._input.network_input(batch, self._geometry(width, height)).permute(0, 2, 3, 1)

    def finish(self, outputs: Outputs, frames: int, width: int, height: int) -> Results:
        """The objects of each frame, in pixels of the displayed picture."""
        geometry = self._geometry(width, height)
        if self._split is None:
            (places,) = outputs
            pixels = places.permute(0, 3, 1, 2)
        else:
            self._split.hand(outputs)
            pixels = (
                outputs[0].new_empty(1).expand(frames, 3, *geometry.padded)
            )  # only its shape is looked at
        found = self._network(PreparedBatch(pixels, geometry))
        if not isinstance(found, Found) or len(found.counts) != frames:
            raise ModelError(
                f"the detector gave {type(found).__name__} for {frames} frames, expected boxes of each"
            )
        return Results(frames, self._categories, objects=self._reported(found.objects()))

    @contextmanager
    def threshold(self, value: float) -> Iterator[None]:
        """Inside the block, detections from ``value`` on are found."""
        holder = getattr(self._network, "roi_heads", self._network)
        before = holder.score_thresh
        push_threshold(self._network, value)
        try:
            yield
        finally:
            holder.score_thresh = before

    def _reported(self, objects: Objects) -> Objects:
        if not (np.isfinite(objects.boxes).all() and np.isfinite(objects.scores).all()):
            raise ModelError("the detector gave boxes or scores that are not finite (NaN or infinity)")
        if self._allowed is None:
            return objects
        return objects.select(np.isin(objects.labels, self._allowed))
