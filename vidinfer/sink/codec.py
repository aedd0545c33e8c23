"""Which H.264 encoder is used, and its options."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from pathlib import Path

import av
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame

__all__ = ["ENCODERS", "LIVE_X264", "X264", "Codec", "choose_codec", "steady_options"]

ENCODERS = ("libx264", "auto")
"""``auto``: the GPU's encoder where the model runs on a GPU that has one; else libx264."""
X264: Mapping[str, str] = {"preset": "superfast", "mbtree": "1", "rc-lookahead": "10"}
"""x264's ``superfast`` with the look-ahead of ``veryfast``: 20 to 45 % less time than that, as good, for 0 to 15 % more
bits (``superfast`` itself: 60 to 90 % more)."""
LIVE_X264: Mapping[str, str] = {"preset": "superfast", "tune": "zerolatency"}
"""No B-frames and no look-ahead: each picture is in the file before the next one comes. A camera that fails shows its
last pictures, not those of half a second before, and a kill loses no more than the fragment being written. At the same
quality (``_LIVE_CRF``) it takes a quarter less time than ``X264``, and a third more bits."""
_LIVE_CRF = 4
"""Added to ``crf``: without look-ahead the same figure means better pictures and twice the bits. Measured on the
traffic clip at 720p: 44 dB either way."""
_LIVE_NVENC: Mapping[str, str] = {
    "tune": "ll",
    "bf": "0",
    "rc-lookahead": "0",
    "delay": "0",
    "zerolatency": "1",
}
_NARROW = 640
"""Pixels. Of pictures that are narrower x264's AVX-512 code weighs blocks by what lies behind the end of short rows of
them (mbtree): seen up to 480 pixels, each run another file. AVX2 is steady, and takes a tenth longer."""
_TRIAL_SIDE = 256
"""NVENC refuses pictures of less than 145 pixels."""


@dataclass(frozen=True, slots=True)
class Codec:
    """An encoder that was seen to work."""

    name: str
    options: Mapping[str, str]
    warning: str | None = None
    """Why it is not the one that was asked for."""


def steady_options(codec: Codec, width: int) -> Mapping[str, str]:
    """What ``codec`` needs besides its options to make the same file of the same pictures of ``width`` pixels."""
    return (
        {"x264-params": "asm=AVX2"} if codec.name == "libx264" and width < _NARROW and _has_avx512() else {}
    )


@cache
def _has_avx512() -> bool:
    try:
        return " avx512" in Path("/proc/cpuinfo").read_text()
    except OSError:
        return False


def choose_codec(
    encoder: str, device: str, *, x264: Mapping[str, str], crf: float, threads: int, live: bool = False
) -> Codec:
    """Choose between libx264 and NVENC, which is tried on one frame.

    Args:
        encoder: one of ``ENCODERS``.
        device: that the model runs on.
        x264: its options, but for the next two.
        crf: of x264 with look-ahead; NVENC's nearest thing is ``cq``.
        threads: of x264.
        live: no picture is held back; ``x264`` must say so, too.

    Raises:
        av.FFmpegError: libx264 refuses the options.
    """
    same = min(crf + _LIVE_CRF, 51) if live else crf
    software = Codec("libx264", {**x264, "crf": str(same), "threads": str(threads)})
    if encoder == "auto" and device.startswith("cuda"):
        # No bit rate, or cq would only bound it; cq 0 would mean "automatic". Its own B-frame default is kept.
        quality = {"rc": "vbr", "cq": str(max(crf, 1)), "b": "0"}
        nvenc = Codec(
            "h264_nvenc", {"preset": "p4", "profile": "high", **quality, **(_LIVE_NVENC if live else {})}
        )
        try:
            _try(nvenc)
        except (av.FFmpegError, ValueError) as error:  # ValueError: a build of FFmpeg without NVENC
            why = (isinstance(error, av.FFmpegError) and error.strerror) or str(error) or type(error).__name__
            warning = f"the GPU's encoder cannot be used ({why}); the video was encoded by libx264"
            software = Codec(software.name, software.options, warning)
        else:
            return nvenc
    _try(software)
    return software


def _try(codec: Codec) -> None:
    """Encode one small frame: an encoder may be there and refuse to work."""
    context = VideoCodecContext.create(codec.name, "w")
    assert isinstance(context, VideoCodecContext)
    context.width = context.height = _TRIAL_SIDE
    context.pix_fmt, context.time_base = "yuv420p", Fraction(1, 25)
    context.options = dict(codec.options)
    frame = VideoFrame(_TRIAL_SIDE, _TRIAL_SIDE, "yuv420p")
    frame.pts = 0
    context.encode(frame)
    context.encode(None)
