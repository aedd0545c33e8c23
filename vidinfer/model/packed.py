"""Whole pictures for a device that prepares them itself: what their places hold, and how they become RGB there.

A place has room for the RGB picture and one more row, which says what is in it. Where a picture has its planes at hand,
they are copied as they are, half the bytes, and nothing is converted on the host.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import groupby
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vidinfer.frame import ColourTags, Picture, PlanarPicture
from vidinfer.model.upload import Upload
from vidinfer.model.yuv import convertible, rgb_of
from vidinfer.stages import ModelInput

__all__ = ["TOGETHER", "packed_input", "unpacked"]

TOGETHER = 8
"""Pictures converted at a time: what lies between is several times as large as they are."""

_RGB, _PLANES = 0, 1

_Header: TypeAlias = tuple[int, int, int]
"""What the place holds; of planes also their matrix and range."""


def packed_input(spec: ModelInput) -> ModelInput:
    """``spec`` that asks for whole pictures, ``(height, width, 3)`` uint8, with places as above."""
    height, width, _ = spec.shape
    return replace(spec, shape=(height + 1, width, 3), prepare=_put_rgb, prepare_from=_put)


def unpacked(batch: NDArray[np.uint8], upload: Upload) -> Tensor:
    """``(n, height, width, 3)`` uint8 on the device, from filled places ``(n, height + 1, width, 3)``."""
    n, height, width = len(batch), batch.shape[1] - 1, batch.shape[2]
    headers: list[_Header] = [tuple(header) for header in batch[:, height, 0].tolist()]
    pixels = height * width
    used = [pixels * 3 if kind == _RGB else pixels * 3 // 2 for kind, _, _ in headers]
    there = upload(batch.reshape(n, -1), used)
    rgb = torch.empty((n, height, width, 3), dtype=torch.uint8, device=there.device)
    for rows, (kind, matrix, colour_range) in _runs(headers):
        if kind == _RGB:
            rgb[rows] = there[rows, : pixels * 3].view(-1, height, width, 3)
            continue
        luma = there[rows, :pixels].view(-1, height, width)
        chroma = there[rows, pixels : pixels * 3 // 2].view(-1, 2, height // 2, width // 2)
        tags = ColourTags(matrix=matrix, range=colour_range)
        rgb[rows] = rgb_of(luma, chroma[:, 0], chroma[:, 1], tags)
    return rgb


def _runs(headers: list[_Header]) -> Iterator[tuple[slice, _Header]]:
    """Neighbours that are alike, at most ``TOGETHER`` of them."""
    start = 0
    for header, same in groupby(headers):
        end = start + len(list(same))
        for first in range(start, end, TOGETHER):
            yield slice(first, min(first + TOGETHER, end)), header
        start = end


def _put(picture: Picture, place: NDArray[Any]) -> None:
    height, width = place.shape[0] - 1, place.shape[1]
    planes = picture.planes() if isinstance(picture, PlanarPicture) else None
    if (
        planes is None
        or not planes.plain
        or planes.y.shape != (height, width)
        or not convertible(width, height, planes.tags)
    ):
        _put_rgb(picture.rgb(), place)
        return
    flat, end = place.reshape(-1), 0
    for plane in (planes.y, planes.u, planes.v):
        start, end = end, end + plane.size
        np.copyto(flat[start:end].reshape(plane.shape), plane)
    place[height, 0] = (_PLANES, planes.tags.matrix, planes.tags.range)


def _put_rgb(rgb: NDArray[np.uint8], place: NDArray[Any]) -> None:
    height = place.shape[0] - 1
    np.copyto(place[:height], rgb)
    place[height, 0] = (_RGB, 0, 0)
