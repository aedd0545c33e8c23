"""Shrinking with antialiasing is torchvision's, value for value, and its parts are what they say."""

from __future__ import annotations

import threading

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch.nn.functional import interpolate
from torchvision.transforms import InterpolationMode
from torchvision.transforms.functional import center_crop, resize

from tests.model.frames import scene
from vidinfer.model.antialias import CropResampler
from vidinfer.model.lines import ByteLines, LineSums
from vidinfer.model.neighbours import picker_for


def torchvisions(
    rgb: NDArray[np.uint8], resized: tuple[int, int], crop: tuple[int, int], mode: str
) -> NDArray[np.uint8]:
    picture = torch.from_numpy(rgb).permute(2, 0, 1)
    picture = center_crop(resize(picture, list(resized), InterpolationMode(mode), antialias=True), list(crop))
    return picture.permute(1, 2, 0).numpy()


@pytest.mark.parametrize(
    ("size", "resized", "crop", "mode"),
    [
        ((1920, 1080), (232, 412), (224, 224), "bilinear"),
        ((1920, 1080), (384, 682), (384, 384), "bicubic"),
        ((1280, 720), (520, 924), (520, 924), "bilinear"),
        ((333, 257), (300, 388), (299, 100), "bilinear"),
        ((214, 380), (232, 130), (7, 130), "bicubic"),
        ((40, 30), (96, 128), (96, 128), "bilinear"),
        ((5, 7), (1, 1), (1, 1), "bilinear"),
    ],
)
def test_as_torchvision_does_it(
    size: tuple[int, int], resized: tuple[int, int], crop: tuple[int, int], mode: str
) -> None:
    rgb = scene(*size)
    place = np.empty((*crop, 3), np.uint8)
    CropResampler(rgb.shape[:2], resized, crop, mode=mode)(rgb, place)  # type: ignore[arg-type]
    wrong = place != torchvisions(rgb, resized, crop, mode)
    # None with the builds of torch for x86; others may sum in another order, which decides a few values of a million.
    assert wrong.mean() < 1e-5


def test_halves_are_rounded_as_torchvision_rounds_them() -> None:
    """Every value lies exactly between two grey levels: nothing but the order of summation decides."""
    rgb = np.full((400, 400, 3), 7, np.uint8)
    rgb[::2] = 8
    place = np.empty((100, 100, 3), np.uint8)
    CropResampler((400, 400), (100, 100), (100, 100), mode="bilinear")(rgb, place)
    assert (place != torchvisions(rgb, (100, 100), (100, 100), "bilinear")).mean() < 1e-3


def test_one_resampler_serves_several_threads() -> None:
    pictures = [scene(640, 360, seed) for seed in range(4)]
    resample = CropResampler((360, 640), (232, 412), (224, 224), mode="bilinear")
    alone = [np.empty((224, 224, 3), np.uint8) for _ in pictures]
    for rgb, place in zip(pictures, alone, strict=True):
        resample(rgb, place)
    found: dict[int, list[bool]] = {i: [] for i in range(4)}

    def work(i: int) -> None:
        for _ in range(10):
            place = np.empty((224, 224, 3), np.uint8)
            resample(pictures[i], place)
            found[i].append(bool((place == alone[i]).all()))

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {i: [True] * 10 for i in range(4)}


@pytest.mark.parametrize("fused", [True, False])
def test_sums_of_lines_are_matrix_products(fused: bool) -> None:
    rng = np.random.default_rng(1)
    lines = rng.integers(0, 256, (20, 33), dtype=np.uint8)
    starts, weights = np.array([0, 3, 15]), rng.random((3, 5)).astype(np.float32)
    weights[1, 3:] = 0
    room = ByteLines(25, 33)
    sums = LineSums(starts, weights, fused=fused)
    matrix = np.zeros((3, 20))
    for row, start in enumerate(starts):
        matrix[row, start : start + 5] = weights[row]
    # Five roundings of numbers below 2048.
    np.testing.assert_allclose(sums.of_bytes(room.put(lines)).numpy(), matrix @ lines, atol=5 * 2**-13)
    floats = torch.from_numpy(lines.astype(np.float32))
    np.testing.assert_array_equal(sums.of_floats(floats).numpy(), sums.of_bytes(room.put(lines)).numpy())


@given(st.integers(1, 40), st.integers(1, 12), st.booleans(), st.integers(0, 2**32 - 1))
@settings(max_examples=60)
def test_picked_pixels_are_those_asked_for(count: int, step: int, both: bool, seed: int) -> None:
    """Even distances and others take different ways."""
    rng = np.random.default_rng(seed)
    width = count * step + int(rng.integers(0, 2))
    picture = rng.integers(0, 256, (9, width + 2, 3), dtype=np.uint8)[:, :width]  # padded rows
    left = np.arange(count) * step + (step - 1) // 2
    sides = [left, np.minimum(left + 1, width - 1)] if both else [left]
    rows = rng.integers(0, 9, 6)
    out = np.empty((len(sides), 6, count, 3), np.uint8)
    picker = picker_for(width, sides, 6)
    picker.of_bytes(picture.reshape(9, -1), rows, out)
    for side, picked in zip(sides, out, strict=True):
        np.testing.assert_array_equal(picked, picture[rows][:, side])
    words = np.zeros((6, width, 4), np.uint8)
    words[..., :3] = picture[rows]
    again = np.empty_like(out)
    picker.of_words(words.view(np.uint32)[..., 0], again)
    np.testing.assert_array_equal(again, out)


def weights(source: int, resized: int, mode: str) -> torch.Tensor:
    """``(source, resized)``, as torch's float32 loop has them."""
    lines = torch.eye(source)[None, None]
    return interpolate(lines, size=(source, resized), mode=mode, antialias=True)[0, 0].double()


@pytest.mark.parametrize("mode", ["bilinear", "bicubic"])
def test_the_stated_error_is_not_exceeded(mode: str) -> None:
    """Values are only summed again where torch's rounding could differ: the bound must hold."""
    picture = torch.from_numpy(scene(1280, 720)).permute(2, 0, 1)
    resample = CropResampler((720, 1280), (232, 412), (232, 412), mode=mode)
    exact = weights(720, 232, mode).T @ picture.double() @ weights(1280, 412, mode)
    single = interpolate(picture[None].float(), size=(232, 412), mode=mode, antialias=True)[0]
    assert 0 < float((exact - single).abs().max()) < resample.close / 2
