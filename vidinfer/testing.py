"""Scripted sources, models and sinks: what our own tests use, for yours.

None of them needs torch, FFmpeg or a file.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vidinfer.detections import Objects, Results
from vidinfer.errors import SinkError
from vidinfer.frame import Frame, FrameStamp, Gap, Passed, SourceInfo
from vidinfer.record import Entry, LabelledBatch
from vidinfer.stages import ModelInfo, ModelInput, Window

__all__ = [
    "ArrayPicture",
    "CollectSink",
    "FakeModel",
    "ScriptedSource",
    "VirtualClock",
    "make_frames",
]

TIME_BASE = Fraction(1, 15360)
TICKS = 512
"""Ticks of ``TIME_BASE`` per frame: 30 frames a second."""


class VirtualClock:
    """A clock that stands still until it is told. Thread rule: share freely."""

    def __init__(self, start: float = 0.0) -> None:
        self._now = start

    def now(self) -> float:
        """Seconds."""
        return self._now

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self._now += seconds


@dataclass(frozen=True, slots=True)
class ArrayPicture:
    """A picture that is an array already."""

    array: NDArray[np.uint8]
    """``(height, width, 3)`` RGB."""

    @property
    def nbytes(self) -> int:
        """Bytes kept alive."""
        return int(self.array.nbytes)

    def rgb(self) -> NDArray[np.uint8]:
        """A copy, free to be drawn on."""
        return self.array.copy()

    def rgb_scaled(self, width: int, height: int, *, smooth: bool) -> NDArray[np.uint8]:
        """The nearest pixels."""
        ys, xs = (
            (2 * np.arange(new) + 1) * old // (2 * new)
            for new, old in zip((height, width), self.array.shape, strict=False)
        )
        scaled: NDArray[np.uint8] = self.array[ys[:, None], xs]
        return scaled


def make_frames(count: int, *, width: int = 32, height: int = 24, first: int = 0) -> Iterator[Frame]:
    """``count`` frames at 30 a second; frame ``i`` has the value ``i % 251`` in every pixel."""
    for i in range(first, first + count):
        stamp = FrameStamp(i, i * TICKS, TIME_BASE, TICKS, keyframe=i % 12 == 0)
        yield Frame(stamp, ArrayPicture(np.full((height, width, 3), i % 251, np.uint8)))


class ScriptedSource:
    """Yields what it is given; an exception in the script is raised, a callable is called, in its place.

    Thread rule: as every source.
    """

    def __init__(
        self,
        script: Iterable[Frame | Gap | Passed | Exception | Callable[[], object]],
        *,
        width: int = 32,
        height: int = 24,
        name: str = "scripted",
    ) -> None:
        self._script = script
        self._interrupted = threading.Event()
        self.closed = False
        self._info = SourceInfo(name=name, width=width, height=height, time_base=TIME_BASE, rate=Fraction(30))

    @property
    def info(self) -> SourceInfo:
        """As given."""
        return self._info

    def __iter__(self) -> Iterator[Frame | Gap | Passed]:
        for item in self._script:
            if self._interrupted.is_set():
                return
            if isinstance(item, Exception):
                raise item
            if isinstance(item, Frame | Gap | Passed):
                yield item
            else:
                item()

    def facts(self) -> dict[str, object]:
        """None."""
        return {}

    def interrupt(self) -> None:
        """End before the next item."""
        self._interrupted.set()

    def close(self) -> None:
        """Remembers that it was closed."""
        self.closed = True


class FakeModel:
    """Finds one box per frame whose x1 is the frame's pixel value: results that tell which frame they saw.

    ``before(batch_number)`` runs first in every ``predict`` and may raise or wait. With ``window`` it looks at several
    frames at once, and tells of the last of them.
    """

    def __init__(
        self, before: Callable[[int], object] | None = None, *, window: Window | None = None
    ) -> None:
        self._before = before
        self._window = window
        self.batch_sizes: list[int] = []
        self.closed = False
        self._info = ModelInfo(name="fake", task="detection", categories=("__background__", "thing"))

    @property
    def info(self) -> ModelInfo:
        """Constant."""
        return self._info

    def input_for(self, width: int, height: int) -> ModelInput:
        """The whole picture, unchanged."""

        def prepare(rgb: NDArray[np.uint8], place: NDArray[Any]) -> None:
            np.copyto(place, rgb)

        return ModelInput((height, width, 3), np.dtype(np.uint8), prepare, window=self._window)

    def allocate(self, frames: int, spec: ModelInput) -> NDArray[Any]:
        """Plain memory."""
        return np.zeros((frames, *spec.place), spec.dtype)

    def predict(self, batch: NDArray[Any], width: int, height: int) -> Results:
        """One ``thing`` per frame at x1 = pixel value."""
        if self._before is not None:
            self._before(len(self.batch_sizes))
        n = len(batch)
        self.batch_sizes.append(n)
        frames = batch if self._window is None else batch[:, -1]
        x1 = frames[:, 0, 0, 0].astype(np.float32)
        boxes = np.stack([x1, np.zeros(n), np.full(n, width), np.full(n, height)], axis=1).astype(np.float32)
        objects = Objects(
            np.arange(n + 1, dtype=np.int64), boxes, np.ones(n, np.float32), np.ones(n, np.int64)
        )
        return Results(n, self.info.categories, objects=objects)

    def close(self) -> None:
        """Remembers that it was closed."""
        self.closed = True


class CollectSink:
    """Keeps what it is given. ``before(batch_number)`` runs first in every ``write`` and may raise or wait."""

    def __init__(
        self, before: Callable[[int], object] | None = None, *, needs_pictures: bool = False
    ) -> None:
        self.needs_pictures = needs_pictures
        self._before = before
        self.batches: list[LabelledBatch] = []
        self.state = "new"

    @property
    def paths(self) -> tuple[Path, ...]:
        """No files."""
        return ()

    @property
    def entries(self) -> list[Entry]:
        """All entries, in order."""
        return [entry for batch in self.batches for entry in batch.entries]

    def open(self, source: SourceInfo, model: ModelInfo) -> None:
        """Remembers that it was opened."""
        self.state = "open"

    def write(self, batch: LabelledBatch) -> None:
        """Keep the batch."""
        if self.state != "open":
            raise SinkError(f"write to a sink that is {self.state}")
        if self._before is not None:
            self._before(len(self.batches))
        self.batches.append(batch)

    def close(self) -> None:
        """Remembers that it was closed."""
        self.state = "closed"

    def abort(self) -> None:
        """Remembers that it was aborted."""
        self.state = "aborted"

    def facts(self) -> Mapping[str, object]:
        """None."""
        return {}
