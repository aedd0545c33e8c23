"""Anchors are made once for each size, and are torchvision's own."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torchvision.models.detection.anchor_utils import AnchorGenerator, DefaultBoxGenerator
from torchvision.models.detection.image_list import ImageList

from vidinfer.model.anchors import LIMIT, AnchorStore, remember

GENERATORS = {
    "boxes": lambda: AnchorGenerator(((32, 64), (128,)), ((0.5, 1.0, 2.0), (1.0,))),
    "default boxes": lambda: DefaultBoxGenerator([[2], [2, 3]], min_ratio=0.2, max_ratio=0.9),
    "default boxes with steps": lambda: DefaultBoxGenerator(
        [[2], [2, 3]], scales=[0.1, 0.3, 0.6], steps=[16, 32], clip=False
    ),
}


def pictures(count: int, height: int, width: int, dtype: torch.dtype = torch.float32) -> Any:
    """A batch and the sizes of two levels of features."""
    batch = ImageList(torch.empty(count, 3, height, width), [(height, width)] * count)
    return batch, [torch.empty(count, 1, height // s, width // s, dtype=dtype) for s in (16, 32)]


class Counting(nn.Module):
    """Counts how often it is asked."""

    calls = 0

    def forward(self, image_list: ImageList, feature_maps: list[Tensor]) -> list[Tensor]:
        self.calls += 1
        return [torch.full((1, 4), float(self.calls))] * len(image_list.image_sizes)


@pytest.mark.parametrize("kind", GENERATORS)
def test_the_anchors_are_those_of_the_generator(kind: str) -> None:
    generator = GENERATORS[kind]()
    store = AnchorStore(generator)
    for size in ((64, 96), (96, 64), (64, 96)):
        for count in (1, 3):
            expected, found = generator(*pictures(count, *size)), store(*pictures(count, *size))
            assert len(found) == len(expected) == count
            for ours, theirs in zip(found, expected, strict=True):
                assert torch.equal(ours, theirs)
                assert ours is found[0]


def test_they_are_made_once_for_each_size_and_type() -> None:
    counting = Counting()
    store = AnchorStore(counting)
    first = store(*pictures(2, 64, 96))[0]
    assert store(*pictures(5, 64, 96))[0] is first
    assert counting.calls == 1
    batch, maps = pictures(2, 64, 96)
    for other in (
        pictures(2, 96, 64),
        pictures(2, 64, 96, torch.float64),
        (batch, maps[:1]),
        (ImageList(torch.empty(2, 3, 65, 96), [(65, 96)] * 2), maps),
    ):
        assert store(*other)[0] is not first
    assert counting.calls == 5


def test_what_was_used_longest_ago_goes_first() -> None:
    counting = Counting()
    store = AnchorStore(counting)
    sizes = [(32 * i, 64) for i in range(1, LIMIT + 1)]
    for size in sizes:
        store(*pictures(1, *size))
    store(*pictures(1, *sizes[0]))
    store(*pictures(1, 640, 640))
    assert counting.calls == LIMIT + 1
    store(*pictures(1, *sizes[0]))
    assert counting.calls == LIMIT + 1
    store(*pictures(1, *sizes[1]))
    assert counting.calls == LIMIT + 2


class Network(nn.Module):
    def __init__(self, generator: nn.Module) -> None:
        super().__init__()
        self.anchor_generator = generator


class OwnGenerator(AnchorGenerator):
    pass


def test_both_stages_are_reached_and_own_generators_are_left_alone() -> None:
    one_stage, two_stage, own = Network(GENERATORS["default boxes"]()), nn.Module(), Network(OwnGenerator())
    two_stage.rpn = Network(GENERATORS["boxes"]())
    assert remember(one_stage)
    assert remember(two_stage)
    assert isinstance(one_stage.anchor_generator, AnchorStore)
    assert isinstance(two_stage.rpn.anchor_generator, AnchorStore)
    assert not remember(own)
    assert not remember(one_stage), "once is enough"
    assert not remember(nn.Module())
    assert type(own.anchor_generator) is OwnGenerator
