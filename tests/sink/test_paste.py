"""Masks in the picture: against torchvision's own pasting, and against COCO's own encoder."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pycocotools.mask as coco
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from torchvision.models.detection.roi_heads import paste_masks_in_image

from tests.sink.cases import decode
from vidinfer.sink.paste import mask_counts
from vidinfer.sink.rle import compress


def encode(mask: NDArray[np.bool_]) -> str:
    text: str = coco.encode(np.asfortranarray(mask.astype(np.uint8)))["counts"].decode()
    return text


def pasted(mask: NDArray[np.float32], box: NDArray[np.float32], width: int, height: int) -> NDArray[np.bool_]:
    """torchvision's own."""
    whole = paste_masks_in_image(
        torch.from_numpy(mask)[None, None], torch.from_numpy(box)[None], (height, width)
    )
    return np.asarray(whole[0, 0] >= 0.5)


def smooth_mask(rng: np.random.Generator, size: int = 28) -> NDArray[np.float32]:
    """Blobs, as networks give them."""
    coarse = torch.from_numpy(rng.uniform(0, 1, (1, 1, 5, 5)).astype(np.float32))
    blobs = torch.nn.functional.interpolate(coarse, size=(size, size), mode="bicubic").clip(0, 1)
    return np.asarray(blobs[0, 0])


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_a_region_is_encoded_as_coco_encodes_the_picture(data: st.DataObject) -> None:
    """A mask whose pixels are those of the picture: what is pasted is known bit by bit."""
    n = data.draw(st.integers(1, 9))
    width, height = data.draw(st.integers(1, 16)), data.draw(st.integers(1, 16))
    x, y = data.draw(st.integers(-12, 17)), data.draw(st.integers(-12, 17))
    share = data.draw(st.sampled_from([0.0, 0.2, 0.8, 1.0]))
    bits = np.random.default_rng(data.draw(st.integers(0, 1 << 30))).uniform(size=(n, n)) < share
    first = np.array([x, y], np.float64)
    last = first + n + 1
    corners = [
        edge + 0.25 * np.sign(edge) for edge in (first, last)
    ]  # whole pixels, after cutting towards zero
    half = (corners[1] - corners[0]) / 2 * n / (n + 2)
    centre = (corners[0] + corners[1]) / 2
    box = np.concatenate([centre - half, centre + half]).astype(np.float32)
    whole = np.zeros((height, width), np.bool_)
    for row, column in np.argwhere(bits):
        at = (y + 1 + row, x + 1 + column)  # one pixel of margin around
        if 0 <= at[0] < height and 0 <= at[1] < width:
            whole[at] = True
    (counts,) = mask_counts(bits.astype(np.float32)[None], box[None], width, height)
    assert counts == encode(whole)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 1 << 30), st.integers(1, 40), st.integers(1, 30), st.floats(1, 200))
def test_any_box_gives_what_torchvision_pastes(seed: int, width: int, height: int, size: float) -> None:
    rng = np.random.default_rng(seed)
    mask = rng.uniform(0, 1, (28, 28)).astype(np.float32)
    corner = rng.uniform(-size, [width, height])
    box = np.concatenate([corner, corner + rng.uniform(0, size, 2)]).astype(np.float32)
    (counts,) = mask_counts(mask[None], box[None], width, height)
    ours = decode(counts, width, height)
    assert counts == encode(ours.astype(np.bool_))
    larger = box + np.array([-1, -1, 1, 1]) * (box[2:] - box[:2])[[0, 1, 0, 1]] / 28
    if larger[2] < 1 or larger[3] < 1 or larger[0] >= width or larger[1] >= height:
        if larger[2] < -1 or larger[3] < -1:
            assert not ours.any()
        return  # torchvision does not expect a box outside the picture
    assert (
        np.count_nonzero(ours != pasted(mask, box, width, height)) <= 1
    )  # a value within rounding of one half


def test_masks_of_a_real_size_overlap_with_torchvisions_to_a_thousandth() -> None:
    rng = np.random.default_rng(3)
    width, height = 1280, 720
    for _ in range(30):
        corner = rng.uniform([-200, -200], [1200, 640])
        box = np.concatenate([corner, corner + rng.uniform(2, 900, 2)]).astype(np.float32)
        if box[2] < 1 or box[3] < 1:
            continue
        mask = smooth_mask(rng)
        ours = decode(mask_counts(mask[None], box[None], width, height)[0], width, height).astype(np.bool_)
        theirs = pasted(mask, box, width, height)
        union = np.count_nonzero(ours | theirs)
        assert union == 0 or np.count_nonzero(ours & theirs) / union >= 0.999
        assert union == 0 or coco.area({"size": [height, width], "counts": encode(theirs)}) > 0


@pytest.mark.parametrize(
    ("value", "box", "expected"),
    [
        (1.0, [-50, -50, 100, 100], np.ones((6, 8))),
        (0.5, [-50, -50, 100, 100], np.ones((6, 8))),
        (0.49999, [-50, -50, 100, 100], np.zeros((6, 8))),
        (0.0, [0, 0, 8, 6], np.zeros((6, 8))),
        (1.0, [20, 0, 30, 6], np.zeros((6, 8))),
        (1.0, [-30, -30, -20, -20], np.zeros((6, 8))),
        (1.0, [6, 5, 2, 1], np.zeros((6, 8))),
        (1.0, [-1e30, -1e30, 1e30, 1e30], np.ones((6, 8))),
    ],
)
def test_full_empty_and_impossible_masks(
    value: float, box: list[float], expected: NDArray[np.float64]
) -> None:
    masks = np.full((1, 28, 28), value, np.float32)
    (counts,) = mask_counts(masks, np.array([box], np.float32), 8, 6)
    assert counts == encode(expected.astype(np.bool_))


def test_a_box_that_is_no_place_has_no_mask() -> None:
    boxes = np.array([[0, 0, np.nan, 4], [0, 0, 8, 6], [0, -np.inf, 3, 4]], np.float32)
    with np.errstate(all="raise"):
        counts = mask_counts(np.ones((3, 28, 28), np.float32), boxes, 8, 6)
    assert [text is None for text in counts] == [True, False, True]
    assert mask_counts(np.zeros((0, 28, 28), np.float32), np.zeros((0, 4), np.float32), 8, 6) == []


def test_a_hundred_instances_never_need_a_hundred_pictures() -> None:
    rng = np.random.default_rng(0)
    masks = np.stack([smooth_mask(rng) for _ in range(100)])
    boxes = np.tile(np.array([0, 0, 1920, 1080], np.float32), (100, 1))
    mask_counts(masks[:1], boxes[:1], 1920, 1080)
    tracemalloc.start()
    try:
        mask_counts(masks, boxes, 1920, 1080)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 4 * 1920 * 1080


@given(st.lists(st.booleans(), min_size=1, max_size=60), st.integers(1, 6))
def test_runs_that_touch_are_one(bits: list[bool], height: int) -> None:
    """Runs given pixel by pixel, as columns over the full height give them end to end."""
    width = -(-len(bits) // height)
    flat = np.zeros(width * height, np.bool_)
    flat[: len(bits)] = bits
    starts = np.flatnonzero(flat)
    assert compress((starts, starts + 1), width, height) == encode(flat.reshape(width, height).T)
