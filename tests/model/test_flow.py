"""Optical flow through vidinfer is optical flow through torchvision, in pixels of the displayed picture."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torchvision.models import get_model, get_model_weights

from tests.model import reference
from tests.model.frames import scene
from tests.model.running import label_windows
from vidinfer.detections import MOVING_PIXELS
from vidinfer.model import load_model
from vidinfer.model.flow import _summed_up as summed_up
from vidinfer.model.flow import flow_size

NAME = "raft_small"


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> tuple[nn.Module, Path]:
    torch.manual_seed(2)
    network = get_model(NAME, weights=None).eval()
    path = tmp_path_factory.mktemp("flow") / "own.pth"
    torch.save(network.state_dict(), path)
    return network, path


@pytest.mark.parametrize("size", [(160, 128), (90, 50), (161, 333)])
def test_same_vectors_as_torchvision(weights: tuple[nn.Module, Path], size: tuple[int, int]) -> None:
    network, path = weights
    width, height = size
    pair = (scene(width, height, 1), np.roll(scene(width, height, 1), 3, axis=1))
    model = load_model(NAME, weights=str(path), device="cpu", threads=1)
    seen = list(flow_size(width, height))
    expected = reference.estimate_flow(network, get_model_weights(NAME).DEFAULT.transforms(), pair, seen)
    scaled = expected.permute(1, 2, 0).numpy() * np.array([width / seen[1], height / seen[0]])
    flow = label_windows(model, [pair]).flow
    assert flow is not None
    assert np.abs(scaled).max() > 1, "no motion shows nothing"
    np.testing.assert_allclose(flow.fields[0], scaled, atol=0.05)
    length = np.hypot(scaled[..., 0], scaled[..., 1])
    assert flow.mean[0] == pytest.approx(length.mean(), abs=0.01)
    assert flow.maximum[0] == pytest.approx(length.max(), abs=0.05)
    assert flow.moving[0] == pytest.approx((length >= MOVING_PIXELS).mean(), abs=0.002)


def test_batches_of_any_size_give_the_same(weights: tuple[nn.Module, Path]) -> None:
    model = load_model(NAME, weights=str(weights[1]), device="cpu", threads=1)
    pairs = [(scene(128, 128, seed), scene(128, 128, seed + 1)) for seed in range(3)]
    together = label_windows(model, pairs).flow
    assert together is not None
    for row, pair in enumerate(pairs):
        alone = label_windows(model, [pair]).flow
        assert alone is not None
        np.testing.assert_allclose(together.fields[row], alone.fields[0], atol=0.05)


@pytest.mark.parametrize(
    ("size", "seen"),
    [
        ((1920, 1080), (520, 928)),
        ((1080, 1920), (928, 520)),
        ((640, 360), (360, 640)),
        ((64, 32), (128, 128)),
    ],
)
def test_the_size_that_the_network_sees(size: tuple[int, int], seen: tuple[int, int]) -> None:
    assert flow_size(*size) == seen
    assert all(side % 8 == 0 and side >= 128 for side in seen)


def test_where_it_goes_and_how_much_moves() -> None:
    fields = torch.zeros(4, 2, 2, 2)
    fields[0, ..., 0] = 2.0  # right
    fields[1, ..., 1] = 3.0  # down
    fields[2, 0, 0] = torch.tensor([-1.0, 0.0])  # a quarter of the picture, left
    flow = summed_up(fields)
    np.testing.assert_allclose(flow.direction[:3], [0.0, 90.0, 180.0], atol=1e-4)
    assert np.isnan(flow.direction[3])
    np.testing.assert_allclose(flow.moving, [1.0, 1.0, 0.25, 0.0])
    np.testing.assert_allclose(flow.maximum, [2.0, 3.0, 1.0, 0.0])
