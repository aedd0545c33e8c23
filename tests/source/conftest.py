"""The independent witness: FFmpeg's own command-line tools, as packaged by the distribution."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

ProbeTimes = Callable[[Path], list[int | None]]
ConvertFirst = Callable[[Path, tuple[int, int]], NDArray[np.uint8]]


def _tool(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        pytest.fail(f"{name} is not installed; `make test` installs it (Debian package ffmpeg)")
    return found


@pytest.fixture
def ffprobe_times() -> ProbeTimes:
    """The times of all frames that ffprobe decodes, in its order."""
    tool = _tool("ffprobe")

    def times(path: Path) -> list[int | None]:
        command = [tool, "-v", "error", "-select_streams", "v:0", "-of", "csv=p=0"]
        command += ["-show_entries", "frame=best_effort_timestamp", str(path)]
        lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
        return [None if line.startswith("N/A") else int(line.strip(",")) for line in lines]

    return times


@pytest.fixture
def ffmpeg_first_picture() -> ConvertFirst:
    """The first frame of a file as the ffmpeg program displays it, ``(height, width, 3)`` RGB."""
    tool = _tool("ffmpeg")

    def convert(path: Path, size: tuple[int, int]) -> NDArray[np.uint8]:
        command = [tool, "-v", "error", "-i", str(path), "-frames:v", "1", "-vf", "scale=flags=bilinear"]
        command += ["-f", "rawvideo", "-pix_fmt", "rgb24", "-"]
        data = subprocess.run(command, capture_output=True, check=True).stdout
        return np.frombuffer(data, np.uint8).reshape(size[1], size[0], 3)

    return convert
