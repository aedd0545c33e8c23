"""What receipts say of a model and a source, there and back."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from vidinfer.frame import SourceInfo
from vidinfer.stages import ModelInfo

__all__ = ["model_facts", "model_of", "source_of"]


def model_facts(info: ModelInfo) -> dict[str, Any]:
    """What of a model is in receipts and reports: nothing that was measured, as that differs from run to run."""
    return {
        "name": info.name,
        "task": info.task,
        "weights": info.weights,
        "sha256": info.weights_sha256,
        "device": info.device,
        "backend": info.backend,
        "precision": info.precision,
        "categories": list(info.categories),
        "keypoints": list(info.keypoints),
        "skeleton": [list(pair) for pair in info.skeleton],
        "masks": info.details.get("masks") is True,
    }


def model_of(facts: Mapping[str, Any]) -> ModelInfo:
    """As far as label files need it, from the facts of a receipt."""
    return ModelInfo(
        facts["name"],
        facts["task"],
        tuple(facts["categories"]),
        weights=facts["weights"],
        weights_sha256=facts["sha256"],
        device=facts["device"],
        backend=facts["backend"],
        precision=facts["precision"],
        keypoints=tuple(facts["keypoints"]),
        skeleton=tuple((int(a), int(b)) for a, b in facts["skeleton"]),
        details={"masks": True} if facts["masks"] else {},
    )


def source_of(facts: Mapping[str, Any], name: str) -> SourceInfo:
    """As far as label files need it, from the facts of a receipt."""
    return SourceInfo(name, facts["width"], facts["height"], Fraction(facts["time_base"]))
