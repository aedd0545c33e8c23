"""vidinfer: run a torchvision model over video, frame by frame."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vidinfer.errors import (
    Interrupted,
    ModelError,
    ModelUnavailable,
    SinkError,
    SourceError,
    UsageError,
    VidinferError,
)

if TYPE_CHECKING:
    from vidinfer.api import LabelledFrame, LabelledFrames, label

__all__ = [
    "Interrupted",
    "LabelledFrame",
    "LabelledFrames",
    "ModelError",
    "ModelUnavailable",
    "SinkError",
    "SourceError",
    "UsageError",
    "VidinferError",
    "label",
]

__version__ = "0.1.0"


def __getattr__(name: str) -> object:
    """Load the rest when it is asked for: ``vidinfer --help`` needs none of it, and numpy takes a tenth of a second."""
    if name in ("LabelledFrame", "LabelledFrames", "label"):
        from vidinfer import api

        return getattr(api, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
