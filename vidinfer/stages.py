"""The seams: what the pipeline asks of a source, a model, an annotator and a sink.

Anyone can implement these; ``vidinfer.testing`` has scripted ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from vidinfer.arrival import Received, Shed
from vidinfer.detections import Results
from vidinfer.frame import Frame, Gap, Passed, Picture, SourceInfo
from vidinfer.record import Entry, LabelledBatch

__all__ = [
    "RATE_WHEN_CHOSEN",
    "Annotator",
    "AsyncModel",
    "BoundedAnnotator",
    "InterruptibleSink",
    "LiveSource",
    "Model",
    "ModelInfo",
    "ModelInput",
    "PendingResults",
    "ScaledInput",
    "Sink",
    "Source",
    "Window",
]

RATE_WHEN_CHOSEN = "frames_per_second_when_chosen"
"""In the details of a model: of itself alone, perhaps in an earlier run."""


class Source(Protocol):
    """Something that yields frames in presentation order, with gaps where something was lost.

    Thread rule: iterate and ``close`` on one thread; ``interrupt`` from any.
    """

    @property
    def info(self) -> SourceInfo:
        """Facts known since opening; constant."""
        ...

    def __iter__(self) -> Iterator[Frame | Gap | Passed]:
        """Yield every displayed frame once, in presentation order, and a gap where packets were lost.

        A source that was told the sampling may yield :class:`~vidinfer.frame.Passed` for a frame that it leaves out.

        Ends at the end of the source or soon after ``interrupt``. Damage is told by ``Frame.corrupt`` and
        :class:`Gap`, not raised; a fault that ends the source early is a last ``Gap``.

        Raises:
            SourceError: the source cannot be read at all (e.g. it vanished).
        """
        ...

    def facts(self) -> dict[str, object]:
        """What was found while reading, for ``run.json``: frame count, timestamps missing, size changes, …"""
        ...

    def interrupt(self) -> None:
        """Make the iterator end after the frame it is at. Idempotent; any thread."""
        ...

    def close(self) -> None:
        """Free the decoder. Idempotent; never while another thread iterates."""
        ...


class LiveSource(Protocol):
    """One connection to a camera or stream. Its end, for whatever reason, is the end of an epoch.

    Thread rule: iterate and ``close`` on one thread; ``interrupt`` and ``shed`` from any.
    """

    @property
    def info(self) -> SourceInfo:
        """Facts known since opening; constant."""
        ...

    def __iter__(self) -> Iterator[Received | Gap]:
        """Yield frames as they come, and a gap where packets were lost or a decoder refused them.

        The first frame is whole: nothing is given out before a keyframe. Ends when the stream does, when nothing came
        for too long (``facts()["ended"]`` says why), or soon after ``interrupt``.
        """
        ...

    def shed(self, level: Shed) -> None:
        """Leave out so much before decoding, from the next packet on."""
        ...

    def facts(self) -> dict[str, object]:
        """What was found so far, ready for JSON: ``ended`` (why), packets, packets shed by level, clock, …"""
        ...

    def interrupt(self) -> None:
        """Make the iterator end soon: within two seconds, whatever the other end does. Idempotent; any thread."""
        ...

    def close(self) -> None:
        """Hang up politely and free the decoder. Idempotent; never while another thread iterates."""
        ...


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """What was loaded, for records and ``run.json``."""

    name: str
    task: str
    """``classification``, ``detection``, …"""
    categories: tuple[str, ...]
    """Names by label."""
    weights: str = "none"
    """Name of the weights, path of their file, or ``none``."""
    weights_sha256: str | None = None
    device: str = "cpu"
    backend: str = "eager"
    precision: str = "fp32"
    why: str = ""
    """One line: why this backend and precision."""
    keypoints: tuple[str, ...] = ()
    """Names of the keypoints of an object, in the order of the columns."""
    skeleton: tuple[tuple[int, int], ...] = ()
    """Pairs of keypoints that a line joins."""
    details: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Window:
    """How many frames a model looks at together, and which."""

    frames: int
    """Frames in one place."""
    rate: Fraction | None = None
    """Frames a second of true time, whatever the source has; ``None``: frames that follow one another."""
    stride: Fraction | None = None
    """Seconds from the start of one window to that of the next; ``None``: each frame closes a window."""


@dataclass(frozen=True, slots=True)
class ScaledInput:
    """How to fill about the same place from a picture that was scaled without care for exactness."""

    size: tuple[int, int]
    """``(height, width)`` of that picture."""
    smooth: bool
    """Scaled with antialiasing, if the picture can."""
    prepare: Callable[[NDArray[np.uint8], NDArray[Any]], None]
    """``prepare(rgb, frame)``, as :attr:`ModelInput.prepare`, but ``rgb`` has ``size``."""


@dataclass(frozen=True, slots=True)
class ModelInput:
    """What the model wants of each frame of a source, and how many of them it looks at together."""

    shape: tuple[int, int, int]
    """``(height, width, 3)`` of one frame in a place."""
    dtype: np.dtype[Any]
    """``uint8`` for pixels, ``float32`` for resampled pixels that torchvision does not round."""
    prepare: Callable[[NDArray[np.uint8], NDArray[Any]], None]
    """``prepare(rgb, frame)``: write the displayed ``(H, W, 3)`` uint8 picture into ``frame`` (``shape``, ``dtype``).

    Called on the decoding thread, once per frame.
    """
    window: Window | None = None
    """``None``: one frame per place."""
    batch_size: int = 8
    """Places per batch that serve this model well, where nobody says."""
    scaled: ScaledInput | None = None
    """How a place can be filled for less, but not exactly; ``None``: not at all."""
    prepare_from: Callable[[Picture, NDArray[Any]], None] | None = None
    """``prepare_from(picture, frame)``: what ``prepare(picture.rgb(), frame)`` does, to the bit, for less where the
    picture can; ``None``: there is no such way.
    """

    @property
    def place(self) -> tuple[int, ...]:
        """The shape of one place of a batch: ``shape``, or ``(window.frames, *shape)``."""
        return self.shape if self.window is None else (self.window.frames, *self.shape)


class Model(Protocol):
    """A loaded model.

    Thread rule: ``predict`` on one thread; ``ModelInput.prepare`` on one other.
    """

    @property
    def info(self) -> ModelInfo:
        """What was loaded; constant."""
        ...

    def input_for(self, width: int, height: int) -> ModelInput:
        """The input for frames displayed at ``width`` x ``height`` pixels."""
        ...

    def allocate(self, frames: int, spec: ModelInput) -> NDArray[Any]:
        """A batch slot ``(frames, *spec.place)`` of ``spec.dtype``; page-locked where the device gains by it."""
        ...

    def predict(self, batch: NDArray[Any], width: int, height: int) -> Results:
        """Label ``batch`` ``(n, *place)`` of frames displayed at ``width`` x ``height``; boxes come in those pixels.

        Returns:
            Results of exactly ``n`` places; row ``i`` depends on place ``i`` alone.

        Raises:
            ModelError: the model failed; the batch is not read any more.
        """
        ...

    def close(self) -> None:
        """Free memory. Idempotent."""
        ...


class PendingResults(Protocol):
    """A batch that was submitted."""

    def results(self) -> Results:
        """Wait for the results; once.

        Raises:
            ModelError: the model failed; the batch is not read any more.
        """
        ...


@runtime_checkable
class AsyncModel(Model, Protocol):
    """A model that gains by having several batches at once, and may choose how it runs.

    Thread rule: as ``Model``; results on the thread that submits, in the order of submission.
    """

    @property
    def in_flight(self) -> int:
        """Batches to have submitted at once, at least 1; constant after ``settle``."""
        ...

    def settle(
        self,
        places: NDArray[Any],
        width: int,
        height: int,
        batch_size: int,
        stopped: Callable[[], bool] = lambda: False,
    ) -> None:
        """Choose how to run, by trying on a few real frames.

        Args:
            places: ``(k, *place)``, prepared.
            width: of the frames, in displayed pixels.
            height: of the frames, in displayed pixels.
            batch_size: of the run to come.
            stopped: looked at now and then; true ends it.

        Raises:
            Interrupted: ``stopped()`` became true; the model runs as it did.
            BackendUnavailable: what was asked for by name is not there, fails, or is not exact.
        """
        ...

    def submit(self, batch: NDArray[Any], width: int, height: int) -> PendingResults:
        """Begin what ``predict`` does; ``batch`` is read until the results are there."""
        ...


class Annotator(Protocol):
    """Draws results onto a picture.

    Thread rule: one thread at a time.
    """

    def open(self, source: SourceInfo, model: ModelInfo) -> None:
        """Choose sizes and colours for this source's picture size and this model's categories."""
        ...

    def draw(self, rgb: NDArray[np.uint8], entry: Entry, results: Results) -> None:
        """Draw in place on ``rgb`` ``(height, width, 3)``, contiguous in its last two dimensions.

        ``results`` holds the one frame of ``entry`` (``frames == 1``), or none (``frames == 0``) where the
        outcome is not ``LABELLED``.
        """
        ...


@runtime_checkable
class BoundedAnnotator(Annotator, Protocol):
    """An annotator that knows beforehand what it will draw on; optional. The rest of a picture is not converted."""

    def touches(self, entry: Entry, results: Results) -> NDArray[np.int64] | None:
        """The parts of the picture that ``draw``, called next with the same arguments, reads or changes.

        Outside of them the pixels given to ``draw`` are meaningless, and what it writes there is lost.

        Returns:
            ``(k, 4)`` x1, y1, x2, y2 in pixels, x2 and y2 exclusive; they may overlap and be empty. ``None``:
            everything.
        """
        ...


class Sink(Protocol):
    """Where labelled batches go; a file appears under its final name only when complete.

    Receives every entry of one source, in order. One sink object serves one source.

    Thread rule: all calls on one thread, except ``abort`` after that thread has ended.
    """

    needs_pictures: bool
    """Entries must carry their pictures."""

    @property
    def paths(self) -> tuple[Path, ...]:
        """Final names of the files this sink makes, known before ``open``."""
        ...

    def open(self, source: SourceInfo, model: ModelInfo) -> None:
        """Create the files under temporary names beside the final ones.

        Raises:
            SinkError: not writable.
        """
        ...

    def write(self, batch: LabelledBatch) -> None:
        """Write the entries of ``batch``.

        Raises:
            SinkError: disk full, encoder failure, …; the sink must then be aborted.
        """
        ...

    def close(self) -> None:
        """Finish the files and give them their final names. Idempotent."""
        ...

    def abort(self) -> None:
        """Remove what was written. Idempotent; never raises for a missing file."""
        ...

    def facts(self) -> Mapping[str, object]:
        """For ``run.json``: warnings, counts, what was re-encoded or left out."""
        ...


@runtime_checkable
class InterruptibleSink(Sink, Protocol):
    """A sink whose ``write`` may wait for somebody else (a reader of a pipe), and can be told to stop waiting."""

    def interrupt(self) -> None:
        """Make a ``write`` that waits raise, and every later one that would wait. Idempotent; any thread."""
        ...
