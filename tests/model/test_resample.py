"""The decoding side's resampling is torch's."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import interpolate

from tests.model.frames import scene
from vidinfer.model.resample import BilinearResampler

side = st.integers(1, 90)


def torchs(rgb: np.ndarray, height: int, width: int) -> np.ndarray:
    """As a detection model of torchvision does it."""
    picture = torch.from_numpy(np.ascontiguousarray(rgb)).permute(2, 0, 1)[None].float() / 255
    return (
        interpolate(picture, size=(height, width), mode="bilinear", align_corners=False)[0]
        .permute(1, 2, 0)
        .numpy()
    )


@given(side, side, side, side)
@settings(max_examples=60)
def test_equal_to_torch_for_any_sizes(h: int, w: int, height: int, width: int) -> None:
    rgb = np.random.default_rng([h, w]).integers(0, 256, (h, w, 3), dtype=np.uint8)
    place = np.full((height, width, 3), np.nan, np.float32)
    BilinearResampler((h, w), (height, width))(rgb, place)
    np.testing.assert_allclose(place, torchs(rgb, height, width), atol=1e-5)  # one rounding of the coordinate


@pytest.mark.parametrize(("width", "height"), [(1920, 1080), (1918, 1078), (854, 1137)])
def test_equal_to_torch_on_large_pictures_with_padded_rows(width: int, height: int) -> None:
    padded = np.zeros((height, width + 7, 3), np.uint8)
    padded[:, :width] = scene(width, height)
    place = np.empty((320, 320, 3), np.float32)
    BilinearResampler((height, width), (320, 320))(padded[:, :width], place)
    np.testing.assert_allclose(place, torchs(padded[:, :width], 320, 320), atol=1e-6)
