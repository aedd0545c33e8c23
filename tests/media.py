"""Real media for tests: every picture carries its own number in big blocks that survive lossy coding.

``make_video`` writes a file with the codecs bundled in PyAV; ``read_number`` tells which picture came back.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.container import OutputContainer
from av.stream import Disposition
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from numpy.typing import NDArray

__all__ = [
    "draw_colours",
    "draw_number",
    "flip_bytes",
    "make_video",
    "patch_edit_list",
    "read_number",
    "truncate",
    "usual_scheduling",
]

Picture = NDArray[np.uint8]

_COLUMNS, _ROWS = 8, 3
_DARK, _LIGHT = 40, 210
# Encoders at their fastest: tests are about containers and timestamps, not about bits.
_FAST: Mapping[str, Mapping[str, str]] = {
    "libx264": {"preset": "ultrafast", "crf": "18", "threads": "1"},
    "libx265": {"preset": "ultrafast", "crf": "18", "x265-params": "log-level=none:pools=1:frame-threads=1"},
    # Its temporal filter blends neighbouring pictures, and with them their numbers.
    "libsvtav1": {"preset": "8", "crf": "10", "svtav1-params": "lp=1:enable-tf=0"},
    "libvpx": {"deadline": "realtime", "cpu-used": "8", "b": "2M", "threads": "1"},
    "libvpx-vp9": {"deadline": "realtime", "cpu-used": "8", "b": "2M", "threads": "1"},
    "mpeg2video": {"q:v": "2", "b": "20M"},
    "mpeg4": {"b": "20M"},
    "mjpeg": {"q:v": "2"},
}
# Display matrices (a, b, c, d) by clockwise degrees: a stored (x, y) is shown at (ax + cy, bx + dy).
_MATRICES = {0: (1, 0, 0, 1), 90: (0, 1, -1, 0), 180: (-1, 0, 0, -1), 270: (0, -1, 1, 0)}


def draw_number(number: int, width: int, height: int) -> Picture:
    """A ``(height, width, 3)`` picture of 24 grey blocks: ``number`` in [0, 65535] and 8 check bits."""
    if not 0 <= number < 1 << 16:
        raise ValueError(f"number must fit 16 bits, got {number}")
    code = number << 8 | _check(number)
    bits = np.array([code >> (23 - i) & 1 for i in range(24)]).reshape(_ROWS, _COLUMNS)
    rows = np.arange(height) * _ROWS // height
    columns = np.arange(width) * _COLUMNS // width
    grey = np.where(bits[rows[:, None], columns[None, :]], _LIGHT, _DARK).astype(np.uint8)
    return np.repeat(grey[:, :, None], 3, axis=2)


def read_number(rgb: Picture) -> int:
    """The number drawn into a ``(height, width, 3)`` picture.

    Raises:
        ValueError: the check bits do not fit: the picture is damaged, or turned.
    """
    height, width = rgb.shape[:2]
    ys = (2 * np.arange(_ROWS) + 1) * height // (2 * _ROWS)
    xs = (2 * np.arange(_COLUMNS) + 1) * width // (2 * _COLUMNS)
    # The mean of a 5x5 patch in the middle of each block, green channel.
    around = np.arange(-2, 3)
    patches = rgb[(ys[:, None] + around)[:, None, :, None], (xs[:, None] + around)[None, :, None, :], 1]
    bits = patches.mean(axis=(2, 3)).ravel() > (_DARK + _LIGHT) / 2
    code = int("".join("1" if bit else "0" for bit in bits), 2)
    number = code >> 8
    if code & 0xFF != _check(number):
        raise ValueError(f"no number can be read: {code:024b}")
    return number


def draw_colours(number: int, width: int, height: int) -> Picture:
    """A ``(height, width, 3)`` picture of smooth colour ramps that move with ``number``."""
    y, x = np.mgrid[0:height, 0:width]
    red = x * 255 // max(1, width - 1)
    green = y * 255 // max(1, height - 1)
    blue = (x + y + 8 * number) * 255 // (width + height) % 256
    return np.stack([red, green, blue], axis=2).astype(np.uint8)


def make_video(
    path: Path,
    *,
    frames: int = 12,
    size: tuple[int, int] = (96, 64),
    codec: str = "libx264",
    pix_fmt: str = "yuv420p",
    rate: Fraction | int = 25,
    pts: Sequence[int] | None = None,
    time_base: Fraction | None = None,
    gop: int = 12,
    b_frames: int = 0,
    rotation: int = 0,
    mirrored: bool = False,
    sample_aspect_ratio: Fraction | None = None,
    colour: Mapping[str, int] | None = None,
    audio: str | None = None,
    attached_picture: bool = False,
    format: str | None = None,
    options: Mapping[str, str] | None = None,
    codec_options: Mapping[str, str] | None = None,
    first_number: int = 0,
    draw: Callable[[int, int, int], Picture] = draw_number,
) -> Path:
    """Write a video of numbered pictures and return its path.

    Args:
        path: the suffix chooses the container, unless ``format`` does.
        frames: how many; ``pts`` must be as many, where given.
        size: ``(width, height)`` as displayed, so before ``rotation``.
        codec: an encoder's name.
        pix_fmt: what to encode.
        rate: frames per second, as claimed.
        pts: presentation timestamps in ``time_base``; default one every ``1/rate``.
        time_base: of ``pts`` and of the encoder; default ``1/rate``.
        gop: frames between keyframes.
        b_frames: in a row.
        rotation: clockwise degrees that a player must turn the stored picture by.
        mirrored: a player must swap left and right after that.
        sample_aspect_ratio: width over height of a pixel.
        colour: ``colorspace``, ``color_range``, ``color_primaries``, ``color_trc`` by FFmpeg's numbers; the
            pixels are converted with this matrix and range.
        audio: an encoder's name adds a tone as long as the video.
        attached_picture: the video is cover art.
        options: of the container's writer.
        codec_options: of the encoder.
        first_number: drawn into the first picture.
        draw: ``draw(number, width, height)`` makes each picture.
    """
    base = time_base or 1 / Fraction(rate)
    times = list(range(frames)) if pts is None else list(pts)
    if len(times) != frames:
        raise ValueError(f"{len(times)} timestamps for {frames} frames")
    with usual_scheduling(), av.open(str(path), "w", format=format, options=dict(options or {})) as out:
        stream = out.add_stream(codec, rate=rate, options={**_FAST.get(codec, {}), **(codec_options or {})})
        assert isinstance(stream, VideoStream)
        stored = size if rotation % 180 == 0 else (size[1], size[0])
        stream.width, stream.height, stream.pix_fmt = *stored, pix_fmt
        context = stream.codec_context
        context.time_base, context.gop_size, context.max_b_frames = base, gop, b_frames
        if sample_aspect_ratio is not None:
            context.sample_aspect_ratio = sample_aspect_ratio
        for tag, value in (colour or {}).items():
            setattr(context, tag, value)
        if rotation or mirrored:
            stream.set_display_matrix(_display_matrix(rotation, mirrored))
        if attached_picture:
            stream.disposition = Disposition.attached_pic
        if audio is not None:
            _add_tone(out, audio, float((times[-1] - times[0] + 1) * base))
        for number, time in enumerate(times, first_number):
            picture = _turned_back(draw(number, *size), rotation, mirrored)
            frame = _frame(picture, pix_fmt, colour or {})
            frame.pts, frame.time_base = time, base
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path


@contextmanager
def usual_scheduling() -> Iterator[None]:
    """What encodes within leaves the thread's scheduling as it was.

    Where root runs it, SVT-AV1 puts the calling thread into SCHED_FIFO at the highest priority and leaves it there. All
    that thread starts later inherits this: one busy child, and nothing else on the machine gets on.
    """
    if not hasattr(os, "sched_getscheduler"):
        yield
        return
    policy, parameters = os.sched_getscheduler(0), os.sched_getparam(0)
    try:
        yield
    finally:
        if os.sched_getscheduler(0) != policy:
            os.sched_setscheduler(0, policy, parameters)


def flip_bytes(path: Path, *, start: float, end: float, every: int = 7) -> Path:
    """Damage a file in place: invert every ``every``-th byte between two fractions of its length."""
    data = bytearray(path.read_bytes())
    for i in range(int(start * len(data)), int(end * len(data)), every):
        data[i] ^= 0xFF
    path.write_bytes(data)
    return path


def truncate(path: Path, *, keep: float) -> Path:
    """Cut a file in place to the first ``keep`` of its length."""
    data = path.read_bytes()
    path.write_bytes(data[: int(keep * len(data))])
    return path


def patch_edit_list(path: Path, *, media_time: int, duration: int | None = None) -> Path:
    """Change the last edit of the first track of an MP4: start at ``media_time`` (track's time base).

    ``duration`` is in the movie's time base (1/1000 as FFmpeg writes it).
    """
    data = bytearray(path.read_bytes())
    at = data.index(b"elst")
    version, count = data[at + 4], int.from_bytes(data[at + 8 : at + 12])
    width = 8 if version else 4
    entry = at + 12 + (count - 1) * (2 * width + 4)
    if duration is not None:
        data[entry : entry + width] = duration.to_bytes(width)
    data[entry + width : entry + 2 * width] = media_time.to_bytes(width, signed=True)
    path.write_bytes(data)
    return path


def _check(number: int) -> int:
    return ((number >> 8) * 3 ^ number ^ 0x9C) & 0xFF  # not the same backwards: tells turned pictures, too


def _display_matrix(rotation: int, mirrored: bool) -> list[int]:
    a, b, c, d = _MATRICES[rotation]
    if mirrored:
        a, c = -a, -c
    one = 1 << 16
    return [a * one, b * one, 0, c * one, d * one, 0, 0, 0, 1 << 30]


def _turned_back(picture: Picture, rotation: int, mirrored: bool) -> Picture:
    """The stored picture that is displayed as ``picture``."""
    upright = picture[:, ::-1] if mirrored else picture
    return np.ascontiguousarray(np.rot90(upright, rotation // 90))


def _frame(picture: Picture, pix_fmt: str, colour: Mapping[str, int]) -> VideoFrame:
    rgb = VideoFrame.from_ndarray(picture, format="rgb24")
    frame = rgb.reformat(
        format=pix_fmt,
        dst_colorspace=colour.get("colorspace"),
        dst_color_range=colour.get("color_range"),
        threads=1,
    )
    for tag, value in colour.items():
        setattr(frame, tag, value)
    return frame


def _add_tone(out: OutputContainer, codec: str, seconds: float) -> None:
    rate = 48000
    stream = out.add_stream(codec, rate=rate, layout="mono")
    wave = 0.2 * np.sin(np.arange(int(seconds * rate)) * (2 * np.pi * 440 / rate))
    size = 1024
    for start in range(0, len(wave), size):
        samples = wave[start : start + size].astype(np.float32)[None]
        frame = av.AudioFrame.from_ndarray(samples, format="fltp", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = rate, start, Fraction(1, rate)
        out.mux(stream.encode(frame))
    out.mux(stream.encode(None))
