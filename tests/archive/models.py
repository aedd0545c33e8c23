"""Factories for ``--model tests.archive.models:NAME``: quick, and deadly on pictures of certain colours."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

import torch
from torch import Tensor, nn


class Brightness(nn.Module):
    """Three classes by mean brightness."""

    def forward(self, pictures: Tensor) -> Tensor:
        mean = pictures.mean(dim=(1, 2, 3))
        return torch.stack([0.3 - mean, 0.2 - (mean - 0.5).abs(), mean - 0.7], dim=1) * 20


class Deadly(Brightness):
    """A red picture crashes the process, a blue one hangs it, a green one takes all memory there is; yellow raises."""

    def forward(self, pictures: Tensor) -> Tensor:
        means = pictures.mean(dim=(2, 3))
        red, green, blue = ((means[:, i] > 0.6) for i in range(3))
        if (red & green & ~blue).any():
            raise RuntimeError("yellow")
        if (red & ~green & ~blue).any():
            signal.raise_signal(signal.SIGSEGV)  # as from a real one: in this thread, at once
        if (blue & ~red & ~green).any():
            threading.Event().wait()
        if (green & ~red & ~blue).any():
            taken = []
            while True:
                taken.append(torch.ones(1 << 22))
        return super().forward(pictures)


class Patient(Brightness):
    """A moment for each batch, so that a run can be caught in the middle."""

    def forward(self, pictures: Tensor) -> Tensor:
        threading.Event().wait(0.2)
        return super().forward(pictures)


def endless() -> nn.Module:
    """A model that never is there; the file named in the environment says that it is being loaded."""
    Path(os.environ["VIDINFER_TEST_LOADING"]).touch()
    threading.Event().wait()
    raise AssertionError("somebody else had the event")


def late() -> nn.Module:
    """A model whose process is killed while it is loaded, as often as the file named in the environment has bytes."""
    left = Path(os.environ["VIDINFER_TEST_KILLS"])
    kills = left.stat().st_size
    if kills:
        left.write_bytes(bytes(kills - 1))
        os.kill(os.getpid(), signal.SIGKILL)
    return Brightness()


def patient() -> nn.Module:
    return Patient()


def brightness() -> nn.Module:
    return Brightness()


def deadly() -> nn.Module:
    return Deadly()
