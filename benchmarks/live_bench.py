"""What every scenario of live streams needs: simulated cameras, settings, and one policy run with them."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.live_cameras import Album, SimulatedCamera
from benchmarks.live_code import Reader
from benchmarks.live_rig import MOST_READY, Ran, Rig
from benchmarks.live_simulation import Camera
from vidinfer.clock import MonotonicClock
from vidinfer.feeder import fill_for
from vidinfer.scheduling import Settings
from vidinfer.stages import Model

__all__ = ["RATE", "SIZE", "Bench", "Effort", "checked", "reader_for"]

SIZE = (1280, 720)
RATE = 15.0
"""Frames a second of a camera among others."""
LARGEST = 16
"""Batch."""


@dataclass(frozen=True, slots=True)
class Effort:
    """Seconds that count, by scenario."""

    single: float = 80.0
    bare: float = 27.0
    multi: float = 25.0
    overload: float = 30.0

    @classmethod
    def quick(cls) -> Effort:
        return cls(single=8.0, bare=4.0, multi=6.0, overload=8.0)


@dataclass(slots=True)
class Bench:
    """What every scenario needs."""

    rig: Rig
    clock: MonotonicClock
    frames: list[NDArray[np.uint8]]
    options: argparse.Namespace
    effort: Effort
    size: tuple[int, int] = SIZE
    """Of the cameras' pictures."""

    @property
    def budget(self) -> float:
        """Milliseconds."""
        return float(self.options.latency_slo)

    @property
    def policies(self) -> tuple[str, ...]:
        """That take turns."""
        return tuple(self.options.policies)

    def cameras(
        self, scripts: Sequence[Camera], seconds: float, **more: dict[int, Any]
    ) -> list[SimulatedCamera]:
        """``more``: keyword arguments by the camera's number."""
        return [
            SimulatedCamera(
                number,
                script,
                Album(self.frames, *self.size),
                self.size,
                self.clock,
                seed=self.options.seed,
                seconds=seconds + MOST_READY,
                **{name: by[number] for name, by in more.items() if number in by},
            )
            for number, script in enumerate(scripts)
        ]

    def run(self, policy: str, scripts: Sequence[Camera], seconds: float, settings: Settings) -> Ran:
        """One policy."""
        return checked(self.rig.run(policy, self.cameras(scripts, seconds), settings, seconds=seconds))

    def settings(self, cameras: int) -> Settings:
        """Those of a run with a budget, and for the policies that have none."""
        return Settings(
            "latency",
            LARGEST,
            0.0 if cameras == 1 else 0.010,
            self.budget / 1000,
            max_queue_size=self.options.queue,
        )


def checked(ran: Ran) -> Ran:
    """Raises: a frame is unaccounted for, or has the label of another."""
    if ran.problems:
        raise RuntimeError(f"{ran.policy}: " + "; ".join(ran.problems))
    return ran


def reader_for(model: Model, frames: list[NDArray[np.uint8]], size: tuple[int, int]) -> Reader | None:
    """``None``: this model looks at several frames at once, or not at the middle."""
    spec = model.input_for(*size)
    if spec.window is not None:
        return None
    album = Album(frames[:1], *size)

    def show(squares: NDArray[np.bool_]) -> NDArray[Any]:
        place = np.zeros(spec.place, spec.dtype)
        fill_for(spec)(album.picture(squares), place)
        return place

    try:
        return Reader(show)
    except ValueError:
        return None
