"""How fast the processes of a run are, from what they say of each unit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from vidinfer.light import speed_of_light

__all__ = ["Pace", "WorkerPace"]


@dataclass(slots=True)
class WorkerPace:
    """Sums over the units that a process committed in this run."""

    units: int = 0
    frames: int = 0
    video: float = 0.0
    """Seconds of video, as claimed."""
    seconds: float = 0.0
    """From the start of a unit to its commit."""


@dataclass(slots=True)
class Pace:
    """Sums by process. Thread rule: one thread."""

    workers: dict[str, WorkerPace] = field(default_factory=dict)
    busy: Counter[str] = field(default_factory=Counter)
    """Seconds by stage."""

    def done(self, worker: str, receipt: Mapping[str, Any]) -> None:
        """A unit was committed."""
        one = self.workers.setdefault(worker, WorkerPace())
        timings = receipt["timings"]
        one.units += 1
        one.frames += receipt["frames"]["decoded"]
        one.video += _video_seconds(receipt)
        one.seconds += timings["seconds"]
        self.busy.update(timings["stages"])

    def total(self) -> WorkerPace:
        """Of all processes together."""
        found = self.workers.values()
        return WorkerPace(
            sum(one.units for one in found),
            sum(one.frames for one in found),
            sum(one.video for one in found),
            sum(one.seconds for one in found),
        )

    def light(self) -> tuple[float, str] | None:
        """The share, 0 to 1, that the units reached of what their slowest stage could do, and which stage that is."""
        total = self.total()
        light = speed_of_light(total.frames, total.seconds, self.busy)
        if "share" not in light:
            return None
        return min(1.0, float(str(light["share"]))), str(light["limited_by"])


def _video_seconds(receipt: Mapping[str, Any]) -> float:
    """Of a unit, as its file claims; 0 where it does not say."""
    source = receipt["source"]
    seconds = float(source["duration_claimed"] or 0)
    if receipt["start"] is None and receipt["end"] is None:
        return seconds
    frames = source["frames_claimed"] or 0
    return seconds * min(1.0, receipt["frames"]["decoded"] / frames) if frames else 0.0
