"""Runs a loaded model the way the pipeline does: prepared places in a slot, then ``predict``."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from vidinfer.detections import Results
from vidinfer.stages import Model

__all__ = ["label", "label_windows"]

Picture = NDArray[np.uint8]


def label(model: Model, frames: Sequence[Picture]) -> Results:
    """One batch of frames of one size."""
    return _predict(model, [[rgb] for rgb in frames], windows=False)


def label_windows(model: Model, windows: Sequence[Sequence[Picture]]) -> Results:
    """One batch of clips or pairs."""
    return _predict(model, windows, windows=True)


def _predict(model: Model, places: Sequence[Sequence[Picture]], *, windows: bool) -> Results:
    height, width = places[0][0].shape[:2]
    spec = model.input_for(width, height)
    assert (spec.window is not None) == windows
    slot = model.allocate(len(places), spec)
    for pictures, place in zip(places, slot, strict=True):
        for rgb, target in zip(pictures, place if windows else [place], strict=True):
            spec.prepare(rgb, target)
    results = model.predict(slot, width, height)
    assert results.frames == len(places)
    return results
