"""Packages that the benchmarks need and vidinfer does not: below the benchmarks' own folder, never in the environment.

What is compared with vidinfer may ask for another OpenCV, NumPy or PyAV than the one that vidinfer was installed with.
So these are installed without their dependencies but those named here, and only a process that asks for them sees them.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from benchmarks.clips import FOLDER

WANTED: Mapping[str, tuple[str, ...]] = {
    "supervision": (
        "supervision==0.31.2",
        *("pydeprecate<0.14", "defusedxml", "scipy"),
        *("requests", "certifi", "charset-normalizer", "idna", "urllib3"),
    ),
    "py-spy": ("py-spy==0.4.3",),
}


class NotInstalled(Exception):
    """In one line, why."""


def folder_of(name: str) -> Path:
    """Where ``name``, one of ``WANTED``, is installed; done when first asked for.

    Raises:
        NotInstalled: pip could not.
    """
    folder = FOLDER / "packages" / "-".join(WANTED[name][0].split("=="))
    if not folder.exists():
        partial = folder.with_name(folder.name + ".partial")
        command = [sys.executable, "-m", "pip", "install", "-q", "--disable-pip-version-check", "--no-deps"]
        done = subprocess.run(
            [*command, "--upgrade", "--target", str(partial), *WANTED[name]], capture_output=True, text=True
        )
        if done.returncode:
            reason = next(iter(reversed(done.stderr.strip().splitlines())), "pip failed")
            raise NotInstalled(f"{WANTED[name][0]} could not be installed: {reason}")
        partial.rename(folder)
    return folder


def environment_with(name: str) -> dict[str, str]:
    """The environment of a process that shall see ``name``.

    Raises:
        NotInstalled: pip could not install it.
    """
    paths = [str(folder_of(name)), os.environ.get("PYTHONPATH", "")]
    return os.environ | {"PYTHONPATH": os.pathsep.join(path for path in paths if path)}
