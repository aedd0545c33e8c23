"""Cut, resize and disturb training pictures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

Picture = npt.NDArray[np.uint8]

MIN_VISIBLE = 0.27  # hidden more than this, an object is not asked for
RESAMPLING = (cv2.INTER_LINEAR, cv2.INTER_LINEAR, cv2.INTER_AREA, cv2.INTER_CUBIC)


@dataclass(frozen=True)
class Shape:
    """What a batch is made of: pictures of this size, zoomed within these bounds.

    `zoom` is relative to showing the whole stored picture across 512 pixels,
    which is how the finished model sees a 16:9 frame.
    """

    count: int
    width: int
    height: int
    zoom: tuple[float, float]


def make_example(
    rng: np.random.Generator,
    picture: Picture,
    labels: list[dict[str, Any]],
    shape: Shape,
) -> tuple[Picture, npt.NDArray[np.float32], npt.NDArray[np.int64]]:
    """One training example: picture (H, W, 3), boxes (N, 4) in its pixels, categories (N,)."""
    zoom = 512 / picture.shape[1] * float(np.exp(rng.uniform(*np.log(shape.zoom))))
    wide, tall = shape.width / zoom, shape.height / zoom
    left = rng.uniform(min(0.0, picture.shape[1] - wide), max(0.0, picture.shape[1] - wide))
    top = rng.uniform(min(0.0, picture.shape[0] - tall), max(0.0, picture.shape[0] - tall))
    move = np.array([[zoom, 0, -left * zoom + 0.5 * zoom - 0.5], [0, zoom, -top * zoom + 0.5 * zoom - 0.5]])
    method = int(rng.choice(RESAMPLING[:2] if zoom > 0.95 else RESAMPLING))
    if method == cv2.INTER_AREA:
        method = cv2.INTER_LINEAR
        picture = np.asarray(cv2.GaussianBlur(picture, (3, 3), 0.5), np.uint8)
    cut = cv2.warpAffine(
        picture, move, (shape.width, shape.height), flags=method, borderMode=cv2.BORDER_REPLICATE
    )
    boxes, categories = _cut_boxes(labels, left, top, zoom, shape)
    if rng.random() < 0.5:
        cut = np.ascontiguousarray(cut[:, ::-1])
        boxes[:, [0, 2]] = shape.width - boxes[:, [2, 0]]
    return _disturb(rng, np.asarray(cut, np.uint8)), boxes, categories


def _cut_boxes(
    labels: list[dict[str, Any]],
    left: float,
    top: float,
    zoom: float,
    shape: Shape,
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
    kept = [one for one in labels if one["visible"] >= MIN_VISIBLE]
    if not kept:
        return np.zeros((0, 4), np.float32), np.zeros(0, np.int64)
    whole = (np.array([one["box"] for one in kept]) - [left, top, left, top]) * zoom
    limit = [shape.width, shape.height, shape.width, shape.height]
    boxes = np.clip(whole, 0, limit)
    size = boxes[:, 2:] - boxes[:, :2]
    share = size.prod(axis=1) / np.maximum((whole[:, 2:] - whole[:, :2]).prod(axis=1), 1e-6)
    visible = np.array([one["visible"] for one in kept]) * share
    good = (size.min(axis=1) >= 3.5) & (size.max(axis=1) >= 9) & (visible >= MIN_VISIBLE)
    categories = np.array([one["category"] for one in kept], np.int64)
    return boxes[good].astype(np.float32), categories[good]


def _disturb(rng: np.random.Generator, picture: Picture) -> Picture:
    """Colour shifts, blur, noise and compression, each only now and then."""
    if rng.random() < 0.7:
        gain = rng.uniform(0.75, 1.25) * rng.uniform(0.92, 1.08, 3)
        table = np.clip(np.arange(256)[:, None] * gain + rng.uniform(-20, 20), 0, 255).astype(np.uint8)
        picture = np.asarray(cv2.LUT(picture, table.reshape(1, 256, 3)), np.uint8)
    if rng.random() < 0.15:
        picture = np.asarray(cv2.GaussianBlur(picture, (3, 3), rng.uniform(0.4, 0.9)), np.uint8)
    if rng.random() < 0.2:
        noise = rng.normal(0, rng.uniform(1, 7), picture.shape)
        picture = np.clip(picture + noise, 0, 255).astype(np.uint8)
    if rng.random() < 0.35:
        quality = int(rng.uniform(30, 90))
        coded = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
        picture = np.asarray(cv2.imdecode(coded, cv2.IMREAD_UNCHANGED), np.uint8)
    return picture
