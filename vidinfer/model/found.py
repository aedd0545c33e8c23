"""Detections of a batch as torch columns, on their way from the network to the result."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor
from torchvision.models.detection.transform import resize_boxes, resize_keypoints

from vidinfer.detections import Objects

__all__ = ["Found"]


@dataclass(frozen=True, slots=True)
class Found:
    """The ``m`` detections of ``n`` images, image by image, best first."""

    counts: Tensor
    """``(n,)``: how many in each image."""
    boxes: Tensor
    """``(m, 4)``."""
    scores: Tensor
    """``(m,)``."""
    labels: Tensor
    """``(m,)``."""
    masks: Tensor | None = None
    """``(m, h, w)``, stretched over the box."""
    keypoints: Tensor | None = None
    """``(m, k, 3)``: x, y, score."""

    @classmethod
    def none(cls, images: int, device: torch.device) -> Found:
        """Nothing in any of ``images`` pictures."""
        empty = torch.empty(0, 4, device=device)
        labels = torch.empty(0, dtype=torch.int64, device=device)
        return cls(torch.zeros(images, dtype=torch.int64), empty, empty[:, 0], labels)

    @classmethod
    def joined(cls, images: list[dict[str, Tensor]]) -> Found:
        """From torchvision's one dictionary per image."""

        def column(name: str) -> Tensor | None:
            return torch.cat([found[name] for found in images]) if name in images[0] else None

        masks, points, visible = column("masks"), column("keypoints"), column("keypoints_scores")
        if points is not None and visible is not None:
            points = torch.cat([points[..., :2], visible[..., None]], dim=-1)
        return cls(
            counts=torch.tensor([len(found["scores"]) for found in images]),
            boxes=torch.cat([found["boxes"] for found in images]),
            scores=torch.cat([found["scores"] for found in images]),
            labels=torch.cat([found["labels"] for found in images]),
            masks=None if masks is None else masks[:, 0],
            keypoints=points,
        )

    def scaled(self, size: tuple[int, int], new: tuple[int, int]) -> Found:
        """Boxes and keypoints from pictures of ``size`` to pictures of ``new``, ``(height, width)`` both."""
        points = self.keypoints
        return replace(
            self,
            boxes=resize_boxes(self.boxes, list(size), list(new)),
            keypoints=None if points is None else resize_keypoints(points, list(size), list(new)),
        )

    def objects(self) -> Objects:
        """As result columns, off the device."""
        offsets = np.concatenate([[0], np.cumsum(self.counts.cpu().numpy())]).astype(np.int64)
        return Objects(
            offsets,
            self.boxes.float().cpu().numpy(),
            self.scores.float().cpu().numpy(),
            self.labels.cpu().numpy().astype(np.int64, copy=False),
            None if self.masks is None else self.masks.float().cpu().numpy(),
            None if self.keypoints is None else self.keypoints.float().cpu().numpy(),
        )
