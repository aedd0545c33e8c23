"""torchvision's two ways of shrinking a picture, exactly, but reading the decoder's planes no more than needed."""

from __future__ import annotations

from typing import Any

import av
import numpy as np
import torch
from av.video.reformatter import VideoReformatter
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import interpolate

STRIP = 64
"""Output rows made at a time: they stay in the processor's cache."""
BAND = 16
"""Output rows or columns that share a matrix product of the antialiased resize."""


def planes(frame: av.VideoFrame) -> list[NDArray[np.uint8]]:
    """Views of a planar 8-bit frame."""
    return [
        np.frombuffer(memoryview(p), np.uint8).reshape(p.height, p.line_size)[:, : p.width]
        for p in frame.planes
    ]


def _taps(source: int, target: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Of ``interpolate(mode="bilinear")``: both neighbours of each position, and the weight of the second."""
    at = np.float32(source / target) * (np.arange(target, dtype=np.float32) + np.float32(0.5)) - np.float32(
        0.5
    )
    at = np.maximum(at, np.float32(0))
    first = at.astype(np.int64)
    return np.stack([first, np.minimum(first + 1, source - 1)]), (at - first).astype(np.float32)


class Bilinear:
    """Without antialiasing: two rows and two columns make one, so only those are converted to RGB.

    The rows are gathered from the planes, as 4:2:2, which libswscale converts as it converts the whole; four bytes a
    pixel, so that gathering columns moves whole words.
    """

    def __init__(self, source: tuple[int, int], target: tuple[int, int], mean: Any, std: Any) -> None:
        """Sizes as ``(height, width)``; ``target`` height a multiple of ``STRIP``."""
        self._rows, down = _taps(source[0], target[0])
        self._columns, across = _taps(source[1], target[1])
        self._rows = self._rows.T.reshape(-1)  # upper, lower, upper, lower
        self._down, self._across = torch.from_numpy(down)[:, None], torch.from_numpy(across.repeat(4))
        scale, shift = (torch.tensor([*values, 0.0]).repeat(target[1]) for values in
                        ([1 / 255 / s for s in std], [m / s for m, s in zip(mean, std, strict=True)]))  # fmt: skip
        self._scale, self._shift = scale, shift
        self._gathered = av.VideoFrame(source[1], 2 * STRIP, "yuv422p")
        self._planes = planes(self._gathered)
        self._reformatter = VideoReformatter()
        self._words = [np.empty((2 * STRIP, target[1]), np.uint32) for _ in range(2)]
        self._bytes = [torch.from_numpy(words.view(np.uint8)) for words in self._words]
        self._left, self._right = (torch.empty(2 * STRIP, 4 * target[1]) for _ in range(2))

    def __call__(self, frame: av.VideoFrame, out: NDArray[np.float32]) -> None:
        """Into the left of ``(h, >= w, 4)`` normalised float32; the fourth is not used."""
        whole = torch.from_numpy(out).view(len(out), -1)[:, : len(self._across)]
        for first in range(0, len(out), STRIP):
            rgba = self._rgba(frame, self._rows[2 * first : 2 * (first + STRIP)])
            for columns, words, taps, side in zip(
                self._columns, self._words, self._bytes, (self._left, self._right), strict=True
            ):
                np.take(rgba, columns, axis=1, out=words, mode="clip")
                side.copy_(taps)
            self._left.lerp_(self._right, self._across)
            upper, lower, part = self._left[0::2], self._left[1::2], whole[first : first + STRIP]
            torch.sub(lower, upper, out=part).mul_(self._down[first : first + STRIP]).add_(upper)
            part.mul_(self._scale).sub_(self._shift)

    def _rgba(self, frame: av.VideoFrame, rows: NDArray[np.int64]) -> NDArray[np.uint32]:
        for source, gathered, at in zip(
            planes(frame), self._planes, (rows, rows // 2, rows // 2), strict=True
        ):
            np.take(source, at, axis=0, out=gathered, mode="clip")
        rgba = self._reformatter.reformat(self._gathered, format="rgba", threads=1)
        return np.frombuffer(memoryview(rgba.planes[0]), np.uint32).reshape(rgba.height, -1)[:, : rgba.width]


class AntialiasedCrop:
    """Resize with antialiasing, cut out the middle, round to uint8: as two products with banded matrices per plane.

    Only what the crop depends on is converted to RGB, a few rows at a time: small pictures need no fresh memory.
    """

    def __init__(self, source: tuple[int, int], shorter: int, crop: int) -> None:
        """``source`` as ``(height, width)``; the shorter side becomes ``shorter``."""
        resized = [int(shorter * side / min(source)) for side in source]
        self._down, self._across = (_bands(s, r, crop) for s, r in zip(source, resized, strict=True))
        width = (
            -(-(self._across[-1][1] - self._across[0][0] + 2) // 32) * 32
        )  # libswscale leaves out a shorter end
        self._left = min(self._across[0][0], source[1] - width) // 2 * 2
        height = max(-(-last // 2) * 2 - first // 2 * 2 for first, last, _ in self._down)
        self._part = av.VideoFrame(width, height, "yuv420p")
        self._planes = planes(self._part)
        self._reformatter = VideoReformatter()
        self._rows, self._pixels = torch.empty(crop, 3, width), torch.empty(height, 3, width)

    def __call__(self, frame: av.VideoFrame, out: NDArray[np.uint8]) -> None:
        """Into ``(3, crop, crop)``."""
        for i, (first, last, weights) in enumerate(self._down):
            gbr = self._converted(frame, first // 2 * 2, last)
            pixels = self._pixels[: last - first]
            for channel, plane in enumerate((gbr[2], gbr[0], gbr[1])):
                pixels[:, channel] = torch.from_numpy(plane[first % 2 : first % 2 + last - first])
            rows = self._rows[BAND * i : BAND * i + len(weights)]
            torch.mm(weights, pixels.flatten(1), out=rows.flatten(1))
        whole = self._rows.flatten(0, 1)
        parts = [
            whole[:, first - self._left : last - self._left] @ weights.T
            for first, last, weights in self._across
        ]
        done = torch.cat(parts, 1).round_().clamp_(0, 255)
        torch.from_numpy(out).copy_(done.view(len(self._rows), 3, -1).transpose(0, 1))

    def _converted(self, frame: av.VideoFrame, first: int, last: int) -> list[NDArray[np.uint8]]:
        """These rows of the columns in use, green, blue, red."""
        for i, (source, part) in enumerate(zip(planes(frame), self._planes, strict=True)):
            top, left = (first, self._left) if i == 0 else (first // 2, self._left // 2)
            height = min(last - first if i == 0 else (last - first + 1) // 2, len(part))
            part[:height] = source[top : top + height, left : left + part.shape[1]]
        return planes(self._reformatter.reformat(self._part, format="gbrp", threads=1))


def _bands(source: int, resized: int, crop: int) -> list[tuple[int, int, Tensor]]:
    """The filter of torch, asked of itself with single lines: first and last input, and weights, of each band."""
    shares = interpolate(
        torch.eye(source)[None, None], size=(source, resized), mode="bilinear", antialias=True
    )[0, 0]
    margin = round((resized - crop) / 2)
    bands = []
    for weights in shares.T[margin : margin + crop].split(BAND):
        used = weights.any(0).nonzero()
        first, last = int(used[0]), int(used[-1]) + 1
        bands.append((first, last, weights[:, first:last].contiguous()))
    return bands
