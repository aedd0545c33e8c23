"""What ``vidinfer doctor`` examines. A check says what it found and, where something is wrong, what to do."""

from __future__ import annotations

import io
import os
import platform
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from importlib import metadata
from pathlib import Path
from typing import Literal

from vidinfer.cli.text import size

__all__ = ["CHECKS", "Check", "Finding", "examine"]

_Mode = Literal["r", "w"]

_PACKAGES = ("numpy", "av", "opencv", "pyarrow", "pyyaml", "safetensors", "tqdm")  # torch: see _model
_OPENCVS = (
    "opencv-python",
    "opencv-python-headless",
    "opencv-contrib-python",
    "opencv-contrib-python-headless",
)
_DECODERS = ("h264", "hevc", "av1", "vp8", "vp9", "mpeg2video", "mpeg4", "mjpeg", "gif")
_ENCODERS = ("libx264", "aac")


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report."""

    name: str
    status: Literal["ok", "note", "problem"]
    found: str
    todo: str = ""
    """What to do about a problem."""


Check = Callable[[], Iterator[Finding]]


def examine(name: str, check: Check) -> Iterator[Finding]:
    """The findings of ``check``; one that fails to run is a finding itself."""
    try:
        yield from check()
    except Exception as error:  # whatever is broken is what we are here to tell
        text = (str(error).splitlines() or [""])[0]
        yield Finding(
            name,
            "problem",
            f"{type(error).__name__}: {text}",
            "reinstall vidinfer and what it needs into a fresh environment: pip install --force-reinstall vidinfer",
        )


def _system() -> Iterator[Finding]:
    yield Finding("system", "ok", f"{platform.system()} {platform.release()} {platform.machine()}")
    yield Finding("python", "ok", f"{platform.python_version()} at {sys.executable}")
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    yield Finding(
        "cores, memory", "ok", f"{allowed} of {os.cpu_count()} cores may be used, {size(memory)} of memory"
    )
    free = shutil.disk_usage(Path.cwd()).free
    low = free < 10**9
    yield Finding(
        "disk",
        "problem" if low else "ok",
        f"{size(free)} free in {Path.cwd()}",
        "free some space, or give an --out on another disk" if low else "",
    )


def _packages() -> Iterator[Finding]:
    for name in ("vidinfer", *_PACKAGES):
        if name == "opencv":
            yield _opencv()
        elif (version := _version(name)) is not None:
            yield Finding(name, "ok", version)
        elif name == "vidinfer":
            yield Finding(name, "note", "run from its folder, not installed")
        else:
            yield Finding(name, "problem", "not installed", f"pip install {name}")


def _opencv() -> Finding:
    present = [f"{name} {version}" for name in _OPENCVS if (version := _version(name)) is not None]
    if len(present) == 1:
        return Finding("opencv", "ok", present[0])
    if not present:
        return Finding("opencv", "problem", "not installed", "pip install opencv-python")
    names = " ".join(name.split()[0] for name in present)
    return Finding(
        "opencv",
        "problem",
        f"{' and '.join(present)}: they overwrite each other's files",
        f"pip uninstall -y {names} && pip install opencv-python",
    )


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _ffmpeg() -> Iterator[Finding]:
    import av

    libraries = ", ".join(
        f"{name} {'.'.join(map(str, av.library_versions[name]))}" for name in ("libavcodec", "libavformat")
    )
    yield Finding("ffmpeg", "ok", libraries)
    kinds: tuple[tuple[str, _Mode, tuple[str, ...]], ...] = (
        ("decoders", "r", _DECODERS),
        ("encoders", "w", _ENCODERS),
    )
    for kind, mode, wanted in kinds:
        missing = [name for name in wanted if not _has_codec(name, mode)]
        yield Finding(
            kind,
            "problem" if missing else "ok",
            f"missing: {', '.join(missing)}" if missing else ", ".join(wanted),
            "install PyAV's own wheel, which has them: pip install --force-reinstall --only-binary av av"
            if missing
            else "",
        )


def _has_codec(name: str, mode: _Mode) -> bool:
    import av

    try:
        av.Codec(name, mode)
    except av.codec.codec.UnknownCodecError:
        return False
    return True


def _video() -> Iterator[Finding]:
    """A tiny video, written and read back."""
    import av
    import numpy as np

    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as output:
        stream = output.add_stream("libx264", rate=30)
        stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
        for i in range(5):
            frame = av.VideoFrame.from_ndarray(np.full((64, 64, 3), 40 * i + 40, np.uint8), format="rgb24")
            frame.pts, frame.time_base = i, Fraction(1, 30)
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    file.seek(0)
    with av.open(file, "r") as source:
        values = [float(frame.to_ndarray(format="rgb24").mean()) for frame in source.decode(video=0)]
    wrong = len(values) != 5 or any(abs(value - 40 * i - 40) > 4 for i, value in enumerate(values))
    yield Finding(
        "write and read",
        "problem" if wrong else "ok",
        f"{len(values)} of 5 frames of H.264 came back" + (", changed" if wrong else ""),
        "reinstall PyAV: pip install --force-reinstall av" if wrong else "",
    )


def _model() -> Iterator[Finding]:
    from vidinfer.model.doctor import examine_model

    for name, problem, found, todo in examine_model():
        yield Finding(name, "problem" if problem else "ok", found, todo)


CHECKS: dict[str, Check] = {
    "system": _system,
    "packages": _packages,
    "ffmpeg": _ffmpeg,
    "write and read": _video,
    "model": _model,
}
"""In the order of the report."""
