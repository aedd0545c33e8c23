"""Segments of class maps, against counting pixels one class at a time."""

from __future__ import annotations

import numpy as np
import pycocotools.mask as coco
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from vidinfer.sink.segments import segments_of
from vidinfer.sink.stretch import nearest, stretch


@settings(max_examples=80, deadline=None)
@given(st.data())
def test_each_class_is_the_picture_where_the_map_says_so(data: st.DataObject) -> None:
    h, w, height, width = (data.draw(st.integers(1, 25)) for _ in range(4))
    rng = np.random.default_rng(data.draw(st.integers(0, 1 << 30)))
    class_map = rng.choice(np.array([0, 1, 2, 20, 255], np.uint8), (h, w), p=[0.3, 0.3, 0.2, 0.1, 0.1])
    left_out = data.draw(st.sets(st.sampled_from([0, 1, 255])))
    labels, areas, counts = segments_of(class_map, width, height, left_out)
    whole = np.array(
        [
            [class_map[int((y + 0.5) * h / height), int((x + 0.5) * w / width)] for x in range(width)]
            for y in range(height)
        ]
    )
    assert sorted(labels) == sorted(set(whole.ravel().tolist()) - left_out)
    assert areas == sorted(areas, reverse=True)
    for label, area, text in zip(labels, areas, counts, strict=True):
        assert area == np.count_nonzero(whole == label) / (width * height)
        encoded = coco.encode(np.asfortranarray((whole == label).astype(np.uint8)))
        assert {"size": [height, width], "counts": text.encode()} == encoded
    assert all(a < b for a, b, x, y in zip(labels, labels[1:], areas, areas[1:], strict=False) if x == y)


@given(*[st.integers(1, 300)] * 2)
def test_nearest_is_exact_in_whole_numbers(size: int, out: int) -> None:
    image = (np.arange(size) % 251).astype(np.uint8)[:, None]
    expected = [image[(2 * i + 1) * size // (2 * out), 0] for i in range(out)]
    assert nearest(image, 1, out)[:, 0].tolist() == expected
    assert nearest(image.T, out, 1)[0].tolist() == expected


def test_fields_are_stretched_as_torch_does_it() -> None:
    rng = np.random.default_rng(0)
    for (h, w), (height, width) in [
        ((45, 80), (360, 640)),
        ((7, 300), (90, 101)),
        ((64, 64), (64, 64)),
        ((1, 1), (3, 2)),
    ]:
        field = rng.normal(0, 5, (h, w, 2)).astype(np.float32)
        theirs = torch.nn.functional.interpolate(
            torch.from_numpy(field).permute(2, 0, 1)[None],
            size=(height, width),
            mode="bilinear",
            align_corners=False,
        )[0].permute(1, 2, 0)
        assert np.abs(stretch(field, width, height) - theirs.numpy()).max() < 1e-3
