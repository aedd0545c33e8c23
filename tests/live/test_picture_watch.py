from __future__ import annotations

import numpy as np

from vidinfer.frame import ColourTags, Planes
from vidinfer.live.picture_watch import PictureWatch, coarse_luma
from vidinfer.testing import ArrayPicture


def noise(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(60, 200, (36, 64), np.uint8)


def test_a_frozen_picture_is_flagged_and_a_moving_one_is_not() -> None:
    watch = PictureWatch()
    for i in range(50):
        watch.frame(noise(i), i / 25)
    assert watch.flags == ()
    for i in range(50, 50 + 150):
        watch.frame(noise(0), i / 25)
    assert watch.flags == ("frozen",)
    watch.frame(noise(1), 8.1)
    assert watch.flags == ()


def test_a_black_picture_with_a_little_noise_is_flagged() -> None:
    watch = PictureWatch()
    for i in range(40):
        watch.frame(np.random.default_rng(i).integers(15, 20, (36, 64), np.uint8), i / 25)
    assert watch.flags == ("black",)


def test_a_few_pictures_of_a_slow_camera_say_nothing() -> None:
    watch = PictureWatch()
    for i in range(3):
        watch.frame(np.full((36, 64), 16, np.uint8), 5.0 * i)
    assert watch.flags == ()


def test_what_cannot_be_looked_at_is_not_flagged() -> None:
    assert coarse_luma(ArrayPicture(np.zeros((4, 4, 3), np.uint8))) is None
    watch = PictureWatch()
    for i in range(200):
        watch.frame(None, i / 25)
    assert watch.flags == ()


class Planar(ArrayPicture):
    def planes(self) -> Planes:
        y = np.arange(1080 * 1920, dtype=np.uint32).reshape(1080, 1920).astype(np.uint8)
        half = np.zeros((540, 960), np.uint8)
        return Planes(y, half, half, ColourTags())


def test_samples_are_few_and_a_copy() -> None:
    luma = coarse_luma(Planar(np.zeros((4, 4, 3), np.uint8)))
    assert luma is not None
    assert luma.shape == (36, 64)
    assert luma.flags.owndata
