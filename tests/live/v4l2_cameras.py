"""Cameras of this machine, for processes: a device that is not there, preloaded (``v4l2_device.h``)."""

from __future__ import annotations

import shutil
import struct
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import cv2
from av.video.frame import VideoFrame

from tests.live.conftest import SIZE
from tests.media import draw_number

__all__ = ["PICTURES", "Device", "Taken", "build_device", "draw_pictures"]

PICTURES = 500
"""Numbers that are drawn; then they begin again."""


class Taken(NamedTuple):
    """A picture that the camera gave to the driver."""

    number: int
    stamp: int
    """Microseconds, by whatever clock it was told to use."""
    unix: float
    """Seconds on the wall clock."""


class Device:
    """Camera 7, as one process sees it; what it is like can be changed at any moment."""

    def __init__(self, library: Path, folder: Path) -> None:
        """``folder`` holds the pictures already."""
        self._library, self._folder = library, folder
        self._file = folder / "video7"

    @property
    def variables(self) -> Mapping[str, str]:
        """What the process must have in its environment."""
        return {"LD_PRELOAD": str(self._library), "V4L2_DEVICES": str(self._folder)}

    def plugged_in(self, **words: object) -> None:
        """There, and as ``words`` say (``Config`` in ``v4l2_device.h``)."""
        new = self._folder / "new"
        new.write_text(" ".join(f"{name}={value}" for name, value in words.items()) + "\n")
        new.replace(self._file)

    def unplugged(self) -> None:
        """There no more."""
        self._file.unlink()

    @property
    def asked(self) -> list[str]:
        """What it was asked for so far, by whoever has opened it."""
        return [line for line in self._log() if line.split()[0] not in ("picture", "lost")]

    @property
    def taken(self) -> list[Taken]:
        """Its pictures so far, those that were lost left out."""
        found = []
        for line in self._log():
            word, *numbers = line.split()
            if word == "picture":
                found.append(Taken(int(numbers[0]) % PICTURES, int(numbers[1]), float(numbers[2])))
        return found

    def _log(self) -> list[str]:
        log = self._folder / "video7.log"
        return log.read_text().splitlines() if log.exists() else []


def build_device(folder: Path) -> Path:
    """The library to preload."""
    compiler = shutil.which("gcc")
    assert compiler is not None, "no gcc; `make test` installs it (scripts/system-packages.sh gcc)"
    library = folder / "v4l2_device.so"
    here = Path(__file__).parent
    sources = [str(here / f"v4l2_{part}.c") for part in ("folder", "device", "preload")]
    flags = ["-shared", "-fPIC", "-fvisibility=hidden", "-O1", "-Wall", "-Wextra"]
    subprocess.run([compiler, *flags, "-o", str(library), *sources, "-ldl", "-lpthread"], check=True)
    return library


def draw_pictures(folder: Path) -> None:
    """Numbered ones, in both formats."""
    with (folder / "pictures.YUYV").open("wb") as raw, (folder / "pictures.MJPG").open("wb") as coded:
        for number in range(PICTURES):
            rgb = draw_number(number, *SIZE)
            packed = VideoFrame.from_ndarray(rgb, format="rgb24").reformat(format="yuyv422")
            jpeg = cv2.imencode(".jpg", rgb)[1]
            for file, data in ((raw, bytes(packed.planes[0])), (coded, jpeg.tobytes())):
                file.write(struct.pack("=I", len(data)) + data)
