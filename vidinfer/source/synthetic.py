"""A made-up clip to measure with where nobody gives one: a textured ground that moves, and shapes that move over it."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from numpy.typing import NDArray

__all__ = ["synthetic_clip"]

RATE = 30
DRIFT = (3, 2)
"""Pixels a frame that the ground moves to the left, and up."""
OCTAVES = ((64, 60.0), (16, 24.0), (4, 10.0), (1, 4.0))
"""Sizes in pixels of what is seen in the ground, and how strong each is, in grey levels: as in nature, large things
differ most."""
SHAPES = 12


def synthetic_clip(
    path: Path, *, width: int = 1920, height: int = 1080, frames: int = 60, times: int = 10
) -> Path:
    """Write H.264 as cameras do: 4:2:0, 30 frames a second, B-frames, a keyframe every second. The same every time.

    Args:
        path: ends in ``.mp4``.
        width, height: in pixels, even.
        frames: that are drawn and encoded.
        times: so often they follow each other in the file, which takes no longer to make.
    """
    packets: list[Packet[VideoStream]] = []
    with av.open(str(path), "w", format="mp4") as out:
        stream = out.add_stream("libx264", rate=RATE, options={"preset": "veryfast", "crf": "23"})
        assert isinstance(stream, VideoStream)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        context = stream.codec_context
        context.time_base, context.gop_size = Fraction(1, RATE), RATE
        for number, picture in enumerate(_pictures(width, height, frames)):
            frame = VideoFrame.from_ndarray(picture, format="rgb24").reformat(format="yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, RATE)
            packets += stream.encode(frame)
        packets += stream.encode(None)
        stamps = [(packet.pts or 0, packet.dts or 0, packet.time_base) for packet in packets]
        for turn in range(times):
            for packet, (pts, dts, base) in zip(packets, stamps, strict=True):
                later = int(turn * frames / (RATE * base))
                packet.pts, packet.dts, packet.time_base, packet.stream = (
                    pts + later,
                    dts + later,
                    base,
                    stream,
                )
                out.mux(packet)
    return path


def _pictures(width: int, height: int, frames: int) -> Iterator[NDArray[np.uint8]]:
    random = np.random.default_rng(0)
    right, down = DRIFT
    ground = _texture(random, height + down * frames, width + right * frames)
    shapes = [_Shape(random, width, height) for _ in range(SHAPES)]
    for number in range(frames):
        top, left = down * number, right * number
        picture = ground[top : top + height, left : left + width].copy()
        for shape in shapes:
            shape.draw(picture, number)
        yield picture


def _texture(random: np.random.Generator, height: int, width: int) -> NDArray[np.uint8]:
    """``(height, width, 3)``: noise of several sizes, a little different in each colour."""
    total = np.full((height, width, 3), 120.0, np.float32)
    for size, strength in OCTAVES:
        coarse = random.standard_normal((-(-height // size) + 1, -(-width // size) + 1, 3), np.float32)
        grey = coarse.mean(axis=2, keepdims=True)
        total += strength * _stretched(0.25 * coarse + grey, size)[:height, :width]
    return total.clip(0, 255).astype(np.uint8)


def _stretched(coarse: NDArray[np.float32], size: int) -> NDArray[np.float32]:
    """``size`` times as large, linear in between."""
    share = np.linspace(0, 1, size, endpoint=False, dtype=np.float32)
    down, right = share[None, :, None, None], share[None, None, :, None]
    rows = (coarse[:-1, None] * (1 - down) + coarse[1:, None] * down).reshape(-1, *coarse.shape[1:])
    fine = rows[:, :-1, None] * (1 - right) + rows[:, 1:, None] * right
    return fine.reshape(len(rows), -1, 3).astype(np.float32, copy=False)


class _Shape:
    """A disc or a box of one colour, striped, that moves and bounces off the sides."""

    def __init__(self, random: np.random.Generator, width: int, height: int) -> None:
        self._room = np.array([width, height])
        self._size = (np.array([width, height]) * random.uniform(0.05, 0.2, 2)).astype(int).clip(4)
        self._start = random.uniform(0, 1, 2) * self._room
        self._speed = random.uniform(-0.01, 0.01, 2) * self._room
        self._colour = random.integers(0, 256, 3)
        self._round = bool(random.integers(2))

    def draw(self, picture: NDArray[np.uint8], number: int) -> None:
        room = self._room - self._size
        x, y = np.abs((self._start + number * self._speed + room) % (2 * room) - room).astype(int)
        w, h = self._size
        part = picture[y : y + h, x : x + w]
        rows, columns = np.mgrid[0:h, 0:w]
        inside = np.ones((h, w), bool)
        if self._round:
            inside = (2 * rows / h - 1) ** 2 + (2 * columns / w - 1) ** 2 < 1
        stripes = ((rows + columns) // 16 % 2 * 40)[inside, None]
        part[inside] = (self._colour + stripes).clip(0, 255)
