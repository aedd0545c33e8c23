"""A loaded model as the pipeline sees it: one class for every task and every backend."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from vidinfer.detections import Results
from vidinfer.errors import DeviceLost, ModelError, VidinferError
from vidinfer.model.backends.eager import EagerFactory
from vidinfer.model.choose import Choice, Chooser, Sample
from vidinfer.model.engine import Pending
from vidinfer.model.engines import Engines, Task
from vidinfer.model.execution import Execution
from vidinfer.model.fed import rgb_on
from vidinfer.model.finite import FiniteGuard
from vidinfer.model.inputs import copy_picture
from vidinfer.model.packed import packed_input, unpacked
from vidinfer.model.threads import torch_threads
from vidinfer.model.tuning import survey
from vidinfer.model.upload import upload_to
from vidinfer.service import Curve, Effort
from vidinfer.stages import ModelInfo, ModelInput, PendingResults
from vidinfer.tuned import Tuned

__all__ = ["TorchModel", "of_device"]

T = TypeVar("T")


class TorchModel:
    """A model on one device, a :class:`~vidinfer.tuned.Tunable`.

    It runs as the reference does, in eager fp32, until ``settle`` has found something better.

    Thread rule: ``settle``, ``submit``, ``predict`` and the results on one thread at a time;
    ``ModelInput.prepare`` on one other.
    """

    def __init__(
        self,
        info: ModelInfo,
        task: Task,
        execution: Execution,
        chooser: Chooser,
        watched: Iterable[nn.Module] = (),
    ) -> None:
        """``watched``: modules whose outputs the guard must see, where the task has no dense part."""
        self._info = info
        self._task: Task | None = task
        self._execution = execution
        self._chooser = chooser
        self._upload = upload_to(execution.device)
        self._guard = FiniteGuard()
        for module in watched:
            self._guard.watch(module)
        reference = EagerFactory(execution.device, execution.precision)
        self._engines: Engines | None = Engines(task, reference, self._guard)
        self._largest: int | None = None
        """Frames that fit the device's memory, once it has run out."""
        self._tuned: dict[tuple[int, int], Tuned | None] = {}

    @property
    def info(self) -> ModelInfo:
        """What was loaded, and how it runs since ``settle``."""
        return self._info

    @property
    def in_flight(self) -> int:
        """Batches that keep the backend busy when they are on their way together."""
        return 1 if self._engines is None else self._engines.factory.in_flight

    def input_for(self, width: int, height: int) -> ModelInput:
        """The input for frames displayed at ``width`` x ``height`` pixels."""
        if width < 1 or height < 1:
            raise ModelError(f"a frame of {width}x{height} pixels has nothing to look at")
        spec = self._open().input_for(width, height)
        if (tuned := self.tuned(width, height)) is not None:
            spec = replace(spec, batch_size=tuned.batch_size)
        return packed_input(spec) if self._whole(spec) else spec

    def takes_pictures(self, width: int, height: int) -> bool:
        """Whether batches may also hold pictures, ``(n, 1, 1, 1)`` of dtype ``object``: see ``DeviceFed``."""
        return self._whole(self._open().input_for(width, height))

    def allocate(self, frames: int, spec: ModelInput) -> NDArray[Any]:
        """A batch slot ``(frames, *spec.place)``, zeroed; page-locked when the model runs on CUDA."""
        shape = (frames, *spec.place)
        if self._execution.device.type == "cuda":
            dtype = {"uint8": torch.uint8, "float32": torch.float32}[spec.dtype.name]
            with suppress(RuntimeError):  # the system locks no more pages: it goes without, slower
                slot: NDArray[Any] = torch.zeros(shape, dtype=dtype, pin_memory=True).numpy()
                return slot
        return np.zeros(shape, spec.dtype)

    def settle(
        self,
        places: NDArray[Any],
        width: int,
        height: int,
        batch_size: int,
        stopped: Callable[[], bool] = lambda: False,
    ) -> None:
        """Choose backend and precision: the fastest of those asked for that labels these frames as the reference does.

        Args:
            places: ``(k, *place)``: a few real frames, prepared.
            batch_size: of the run.
            stopped: looked at between batches; true ends it, and the model runs as it did.

        Raises:
            Interrupted: ``stopped()`` became true.
            BackendUnavailable: what was asked for by name is not there, fails, or gives other results.
            ModelError: the reference itself fails.
        """
        task = self._open()
        self._check(places, width, height)
        with torch_threads(self._execution.threads), torch.inference_mode():
            sample = Sample(task, self._on_device(places, width, height), width, height, batch_size, stopped)
            choice: Choice = self._guarded(lambda: self._chooser.choose(sample), len(places))
        self._engines = choice.engines or self._engines
        self._guard = choice.guard or self._guard
        self._info = replace(
            self._info,
            backend=choice.backend,
            precision=choice.precision,
            why=f"{self._execution.why}; {choice.why}",
            details={**self._info.details, **choice.details},
        )

    def tuned(self, width: int, height: int) -> Tuned | None:
        """The choice that is kept for such frames; one that may not be used in this run counts for nothing."""
        size = (width, height)
        if size not in self._tuned:
            place = self._open().input_for(width, height).place
            found = self._chooser.memory.tuned(place, width, height)
            allowed = found is not None and self._chooser.allows(found.backend, found.precision)
            self._tuned[size] = found if allowed else None
        return self._tuned[size]

    def survey(
        self, places: NDArray[Any], width: int, height: int, effort: Effort, told: Callable[[str], None]
    ) -> list[Curve]:
        """Measure every candidate, and hold each against the reference: see :class:`~vidinfer.tuned.Tunable`."""
        spec = self.input_for(width, height)

        def batches(size: int) -> Callable[[], Tensor]:
            slot = self.allocate(size, spec)
            slot[:] = places[np.arange(size) % len(places)]
            return lambda: self._on_device(slot, width, height)

        with torch_threads(self._execution.threads), torch.inference_mode():
            sample = Sample(self._open(), self._on_device(places, width, height), width, height, 1)
            return self._guarded(lambda: survey(self._chooser, sample, batches, effort, told), len(places))

    def adopt(self, curve: Curve, places: NDArray[Any], width: int, height: int) -> None:
        """Run as ``curve``, one of those of ``survey``, from now on."""
        with torch_threads(self._execution.threads), torch.inference_mode():
            sample = Sample(self._open(), self._on_device(places, width, height), width, height, 1)
            choice = self._chooser.adopt(sample, curve.backend, curve.precision)
        self._engines = choice.engines or self._engines
        self._guard = choice.guard or self._guard
        self._info = replace(self._info, backend=choice.backend, precision=choice.precision)

    def remember(self, width: int, height: int, curves: Sequence[Curve], tuned: Tuned) -> bool:
        """Keep it all for the next runs, at once; ``False``: it could not be written."""
        rates: dict[int, dict[str, float]] = {}
        for curve in curves:
            for one in curve.timed:
                rates.setdefault(one.frames, {})[curve.name] = one.frames_per_second
        place = self._open().input_for(width, height).place
        self._tuned.clear()
        return self._chooser.memory.keep_tuned(place, width, height, rates, tuned)

    def submit(self, batch: NDArray[Any], width: int, height: int) -> PendingResults:
        """Begin to label ``batch`` of frames displayed at ``width`` x ``height``.

        ``batch`` must not change until the results are there.

        Raises:
            ModelError: the network raised, or ran out of memory with a single frame.
        """
        engines = self._running()
        self._check(batch, width, height)
        if len(batch) == 0:
            raise ModelError("an empty batch: the model needs at least one frame")
        if self._largest is not None and len(batch) > self._largest:
            return _Pieces(self, batch, width, height, self._largest)
        try:
            with self._threads(), torch.inference_mode():
                pending = self._guarded(
                    lambda: engines.submit(self._on_device(batch, width, height), width, height), len(batch)
                )
        except _OutOfMemory:
            return self._halved(batch, width, height)
        return _Submitted(self, pending, batch, width, height)

    def predict(self, batch: NDArray[Any], width: int, height: int) -> Results:
        """Label ``batch``; when it returns, ``batch`` is free.

        Raises:
            ModelError: the network raised, ran out of memory, or gave values that are not finite.
        """
        return self.submit(batch, width, height).results()

    def close(self) -> None:
        """Free the network. Idempotent."""
        self._task = None
        self._engines = None

    def collect(self, pending: Pending, batch: NDArray[Any], width: int, height: int) -> Results:
        """The results of a submitted batch; called by what ``submit`` returned."""
        engines = self._running()

        def finish() -> Results:
            self._guard.reset()
            outputs = pending.result()
            self._guard.check()
            results = engines.finish(outputs, len(batch), width, height)
            self._guard.check()  # of heads that ran in the midst
            return results

        try:
            with self._threads(), torch.inference_mode():
                return self._guarded(finish, len(batch))
        except _OutOfMemory:
            return self._halved(batch, width, height).results()

    def _threads(self) -> AbstractContextManager[None]:
        """torch's, in the block: small operations beside another backend gain nothing by waking more."""
        return torch_threads(self._execution.threads if self._running().factory.in_torch else 1)

    def _open(self) -> Task:
        if self._task is None:
            raise ModelError(f"the model {self._info.name} is closed")
        return self._task

    def _running(self) -> Engines:
        if self._engines is None:
            raise ModelError(f"the model {self._info.name} is closed")
        return self._engines

    def _whole(self, spec: ModelInput) -> bool:
        """A place holds a whole picture that the device prepares."""
        return self._execution.whole_pictures and spec.window is None and spec.prepare is copy_picture

    def _check(self, batch: NDArray[Any], width: int, height: int) -> None:
        if batch.dtype == object and self.takes_pictures(width, height):
            return
        spec = self.input_for(width, height)
        if batch.shape[1:] != spec.place or batch.dtype != spec.dtype:
            raise ModelError(
                f"a batch {batch.shape} of {batch.dtype} for frames of {width}x{height}: "
                f"expected (n, {', '.join(map(str, spec.place))}) of {spec.dtype}"
            )

    def _on_device(self, batch: NDArray[Any], width: int, height: int) -> Tensor:
        """What the task calls places."""
        if batch.dtype == object:
            return rgb_on(self._execution.device, batch[:, 0, 0, 0].tolist(), width, height)
        if self._whole(self._open().input_for(width, height)):
            return unpacked(batch, self._upload)
        return self._upload(batch)

    def _halved(self, batch: NDArray[Any], width: int, height: int) -> PendingResults:
        """The device is too small for so many frames: from now on half of them at a time."""
        if len(batch) == 1:
            raise ModelError(
                f"{self._info.name} ran out of memory on {self._execution.device} with a single frame of "
                f"{width}x{height}: free memory there, or use --device cpu"
            )
        if self._execution.device.type == "cuda":
            torch.cuda.empty_cache()
        self._largest = len(batch) // 2
        note = f"out of memory with {len(batch)} frames at once: {self._largest} at a time from there on"
        self._info = replace(self._info, details={**self._info.details, "memory": note})
        return _Pieces(self, batch, width, height, self._largest)

    def _no_memory(self, frames: int) -> str:
        return f"{self._info.name} ran out of memory on {self._execution.device} with {frames} frame(s)"

    def _guarded(self, work: Callable[[], T], frames: int) -> T:
        try:
            return work()
        except VidinferError:
            raise
        except torch.OutOfMemoryError as error:
            raise _OutOfMemory(self._no_memory(frames)) from error
        except Exception as error:  # whatever a network raises is the network's failure
            reason = next(iter(str(error).strip().splitlines()), "") or "no message"
            if of_device(error):
                if "out of memory" in reason:  # of the driver's own calls
                    raise _OutOfMemory(self._no_memory(frames)) from error
                raise DeviceLost(
                    f"the GPU failed while {self._info.name} ran on {self._execution.device} "
                    f"({self._execution.why}), and this process cannot use it any more: {reason}; look at "
                    "nvidia-smi and the system's log, then run again with --resume, or with --device cpu"
                ) from error
            raise ModelError(
                f"{self._info.name} failed on a batch of {frames}: {type(error).__name__}: {reason}"
            ) from error


def of_device(error: Exception) -> bool:
    """CUDA itself failed; but for a lack of memory, every later call of this process fails as well."""
    return isinstance(error, torch.AcceleratorError) or (
        isinstance(error, RuntimeError) and str(error).startswith("CUDA error:")
    )


class _OutOfMemory(ModelError):
    """A smaller batch may do."""


@dataclass(frozen=True, slots=True)
class _Submitted:
    model: TorchModel
    pending: Pending
    batch: NDArray[Any]
    width: int
    height: int

    def results(self) -> Results:
        return self.model.collect(self.pending, self.batch, self.width, self.height)


@dataclass(frozen=True, slots=True)
class _Pieces:
    """A batch that the device takes in pieces only, one after the other."""

    model: TorchModel
    batch: NDArray[Any]
    width: int
    height: int
    size: int

    def results(self) -> Results:
        pieces = [self.batch[i : i + self.size] for i in range(0, len(self.batch), self.size)]
        return Results.joined([self.model.predict(piece, self.width, self.height) for piece in pieces])
