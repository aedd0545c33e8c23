"""What the model is shown: exact pixels, or those of a picture that was scaled on the way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from vidinfer.batcher import OfflineBatcher
from vidinfer.feeder import make_feeder
from vidinfer.frame import Frame, Picture
from vidinfer.record import Entry
from vidinfer.ring import BatchRing
from vidinfer.stages import ModelInput, ScaledInput, Window
from vidinfer.stats import StageTimes
from vidinfer.testing import ArrayPicture, VirtualClock, make_frames

EXACT, SCALED = 1, 2


@dataclass(frozen=True, slots=True)
class WholePicture:
    """A picture that cannot be scaled."""

    picture: ArrayPicture

    @property
    def nbytes(self) -> int:
        return self.picture.nbytes

    def rgb(self) -> NDArray[np.uint8]:
        return self.picture.rgb()


def exactly(rgb: NDArray[np.uint8], place: NDArray[Any]) -> None:
    assert rgb.shape == (24, 32, 3)
    place[:] = EXACT


def about(rgb: NDArray[np.uint8], place: NDArray[Any]) -> None:
    assert rgb.shape == (6, 8, 3)
    place[:] = SCALED


def shown(spec: ModelInput, picture_of: Any, *, fast: bool) -> NDArray[Any]:
    """The first place of the batch that two frames make."""
    ring: BatchRing[Entry] = BatchRing(
        [np.zeros((4, *spec.place), spec.dtype)], OfflineBatcher(), VirtualClock()
    )
    feeder = make_feeder(ring, spec, StageTimes(VirtualClock()), keep_pictures=False, fast=fast)
    for frame in make_frames(2):
        picture: Picture = picture_of(frame.picture)
        feeder.frame(Frame(frame.stamp, picture))
    feeder.end()
    ring.close()
    slot = ring.take()
    assert slot is not None
    return np.asarray(slot.array[0])


@pytest.mark.parametrize("window", [None, Window(2)])
def test_scaled_only_where_asked_for_and_possible(window: Window | None) -> None:
    scaled = ScaledInput((6, 8), smooth=False, prepare=about)
    spec = ModelInput((6, 6, 3), np.dtype(np.uint8), exactly, window=window, scaled=scaled)
    without = ModelInput((6, 6, 3), np.dtype(np.uint8), exactly, window=window)
    assert (shown(spec, lambda p: p, fast=True) == SCALED).all()
    assert (shown(spec, lambda p: p, fast=False) == EXACT).all()
    assert (shown(without, lambda p: p, fast=True) == EXACT).all()
    assert (shown(spec, WholePicture, fast=True) == EXACT).all()


def test_the_fake_picture_scales_to_its_nearest_pixels() -> None:
    array = np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3)
    small = ArrayPicture(array).rgb_scaled(3, 2, smooth=True)
    np.testing.assert_array_equal(small, array[[1, 3]][:, [1, 3, 5]])
