"""Planes to RGB in torch, held against libswscale."""

from __future__ import annotations

import platform

import av
import numpy as np
import pytest
import torch
from av.video.reformatter import VideoReformatter
from numpy.typing import NDArray

from vidinfer.frame import ColourTags
from vidinfer.model.yuv import convertible, rgb_of

# libswscale has other code for other processors, with roundings of its own.
TOLERANCE = 0 if platform.machine() in ("x86_64", "AMD64") else 2


def planes(width: int, height: int, seed: int) -> list[NDArray[np.uint8]]:
    """Noise: every combination of luma and chroma, those outside of what is allowed, too."""
    rng = np.random.default_rng(seed)
    half = (height // 2, width // 2)
    return [rng.integers(0, 256, size, dtype=np.uint8) for size in ((height, width), half, half)]


def by_libswscale(samples: list[NDArray[np.uint8]], tags: ColourTags) -> NDArray[np.uint8]:
    height, width = samples[0].shape
    frame = av.VideoFrame(width, height, "yuv420p")
    for plane, values in zip(frame.planes, samples, strict=True):
        rows = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
        rows[:, : values.shape[1]] = values
    frame.colorspace, frame.color_range = tags.matrix, tags.range
    pixels: NDArray[np.uint8] = VideoReformatter().reformat(frame, format="rgb24", threads=1).to_ndarray()  # type: ignore[assignment]
    return pixels


@pytest.mark.parametrize("colour_range", [0, 1, 2])
@pytest.mark.parametrize("matrix", [1, 2, 4, 5, 6, 7, 9])
def test_as_libswscale_does_it(matrix: int, colour_range: int) -> None:
    tags = ColourTags(matrix=matrix, range=colour_range)
    for seed, (width, height) in enumerate([(320, 240), (322, 178), (16, 2)]):
        assert convertible(width, height, tags)
        pictures = [planes(width, height, 10 * seed + i) for i in range(2)]
        y, u, v = (torch.from_numpy(np.stack(same)) for same in zip(*pictures, strict=True))
        found = rgb_of(y, u, v, tags).numpy()
        assert found.shape == (2, height, width, 3)
        for rgb, samples in zip(found, pictures, strict=True):
            difference = np.abs(rgb.astype(int) - by_libswscale(samples, tags))
            assert difference.max() <= TOLERANCE


@pytest.mark.parametrize(
    ("width", "height", "tags"),
    [
        (321, 240, ColourTags()),
        (320, 241, ColourTags()),
        (320, 240, ColourTags(matrix=0)),
        (320, 240, ColourTags(matrix=8)),
        (320, 240, ColourTags(matrix=9, transfer=16)),
        (320, 240, ColourTags(matrix=9, transfer=18)),
    ],
)
def test_what_it_leaves_to_libswscale(width: int, height: int, tags: ColourTags) -> None:
    assert not convertible(width, height, tags)
