"""What a model's keypoints are called, and which of them a line joins."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import nn
from torchvision.models.detection import KeypointRCNN_ResNet50_FPN_Weights

__all__ = ["keypoint_names", "skeleton_of"]

_JOINED = (
    ("left_ankle", "left_knee"), ("left_knee", "left_hip"), ("right_ankle", "right_knee"),
    ("right_knee", "right_hip"), ("left_hip", "right_hip"), ("left_shoulder", "left_hip"),
    ("right_shoulder", "right_hip"), ("left_shoulder", "right_shoulder"), ("left_shoulder", "left_elbow"),
    ("right_shoulder", "right_elbow"), ("left_elbow", "left_wrist"), ("right_elbow", "right_wrist"),
    ("left_eye", "right_eye"), ("nose", "left_eye"), ("nose", "right_eye"), ("left_eye", "left_ear"),
    ("right_eye", "right_ear"), ("left_ear", "left_shoulder"), ("right_ear", "right_shoulder"),
)  # fmt: skip
"""The skeleton of COCO's person category."""


def keypoint_names(network: nn.Module) -> tuple[str, ...]:
    """Of a detector built from torchvision: COCO's where it gives as many, else numbers; none without keypoints."""
    heads: Any = getattr(network, "roi_heads", None)
    if heads is None or not heads.has_keypoint():
        return ()
    count = next(m.out_channels for m in heads.keypoint_predictor.modules() if hasattr(m, "out_channels"))
    known = tuple(KeypointRCNN_ResNet50_FPN_Weights.DEFAULT.meta["keypoint_names"])
    return known if count == len(known) else tuple(f"keypoint {i}" for i in range(count))


def skeleton_of(names: Sequence[str]) -> tuple[tuple[int, int], ...]:
    """Pairs of indices into ``names``; nothing where the names are not those of COCO."""
    index = {name: i for i, name in enumerate(names)}
    return tuple((index[a], index[b]) for a, b in _JOINED if a in index and b in index)
