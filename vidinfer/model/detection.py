"""Detection: all of torchvision's detectors through one seam, their ``transform``.

Every detection model of torchvision sends its pictures through ``self.transform`` on the way in and its boxes
through ``self.transform.postprocess`` on the way out. :class:`BatchTransform` stands there instead: pictures come in
as one prepared batch, boxes go out as columns, and everything between is the model's own code.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn
from torchvision.models.detection.image_list import ImageList

from vidinfer.detections import Objects, Results
from vidinfer.errors import ModelError
from vidinfer.model.dense import vectorise
from vidinfer.model.found import Found
from vidinfer.model.geometry import DetectionInput, Geometry
from vidinfer.stages import ModelInput

__all__ = ["BatchTransform", "Detection", "PreparedBatch", "push_threshold", "watched_parts"]


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


def watched_parts(network: nn.Module) -> list[nn.Module]:
    """Where values that are not finite would still be seen: the outputs of the heads, before post-processing."""
    heads = getattr(network, "roi_heads", None)
    if heads is None:
        return [cast(nn.Module, network.head)]
    return [cast(Any, network).rpn.head, heads.box_predictor]


class Detection:
    """A detector. Thread rule: ``run`` on one thread."""

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
        vectorise(network)
        push_threshold(network, score_threshold)
        self._network = network
        self._categories = categories
        self._allowed = None if allowed is None else np.array(allowed, np.int64)

    def input_for(self, width: int, height: int) -> ModelInput:
        """Resampled pixels where those are fewer bytes than the picture, else the picture."""
        return self._spec(self._geometry(width, height))

    def run(self, batch: Tensor, width: int, height: int) -> Results:
        """The objects of each frame, in pixels of the displayed picture."""
        geometry = self._geometry(width, height)
        pixels = self._input.network_input(batch, geometry)
        found = self._network(PreparedBatch(pixels, geometry))
        if not isinstance(found, Found) or len(found.counts) != len(batch):
            raise ModelError(
                f"the detector gave {type(found).__name__} for {len(batch)} frames, expected boxes of each"
            )
        return Results(len(batch), self._categories, objects=self._reported(found.objects()))

    def _reported(self, objects: Objects) -> Objects:
        if not (np.isfinite(objects.boxes).all() and np.isfinite(objects.scores).all()):
            raise ModelError("the detector gave boxes or scores that are not finite (NaN or infinity)")
        if self._allowed is None:
            return objects
        return objects.select(np.isin(objects.labels, self._allowed))
