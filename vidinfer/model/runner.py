"""A loaded model as the pipeline sees it: one class for every task; the tasks differ in what they plug in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vidinfer.detections import Results
from vidinfer.errors import ModelError
from vidinfer.model.execution import Execution
from vidinfer.model.finite import FiniteGuard
from vidinfer.model.threads import torch_threads
from vidinfer.stages import ModelInfo, ModelInput

__all__ = ["Task", "TorchModel"]


class Task(Protocol):
    """What a kind of model plugs in."""

    def input_for(self, width: int, height: int) -> ModelInput:
        """The input for frames displayed at ``width`` x ``height``."""
        ...

    def run(self, batch: Tensor, width: int, height: int) -> Results:
        """Label ``batch`` ``(n, *place)``, already on the device; called in inference mode."""
        ...


class TorchModel:
    """A model on one device.

    Thread rule: ``predict`` on one thread; ``ModelInput.prepare`` on one other.
    """

    def __init__(self, info: ModelInfo, task: Task, execution: Execution, guard: FiniteGuard) -> None:
        self._info = info
        self._task: Task | None = task
        self._execution = execution
        self._guard = guard

    @property
    def info(self) -> ModelInfo:
        """What was loaded; constant."""
        return self._info

    def input_for(self, width: int, height: int) -> ModelInput:
        """The input for frames displayed at ``width`` x ``height`` pixels."""
        if width < 1 or height < 1:
            raise ModelError(f"a frame of {width}x{height} pixels has nothing to look at")
        return self._open().input_for(width, height)

    def allocate(self, frames: int, spec: ModelInput) -> NDArray[Any]:
        """A batch slot ``(frames, *spec.place)``, zeroed; page-locked when the model runs on CUDA."""
        shape = (frames, *spec.place)
        if self._execution.device.type != "cuda":
            return np.zeros(shape, spec.dtype)
        dtype = {"uint8": torch.uint8, "float32": torch.float32}[spec.dtype.name]
        slot: NDArray[Any] = torch.zeros(shape, dtype=dtype, pin_memory=True).numpy()
        return slot

    def predict(self, batch: NDArray[Any], width: int, height: int) -> Results:
        """Label ``batch`` of frames displayed at ``width`` x ``height``; when it returns, ``batch`` is free.

        Raises:
            ModelError: the network raised, ran out of memory, or gave values that are not finite.
        """
        task = self._open()
        self._check(task, batch, width, height)
        if len(batch) == 0:
            raise ModelError("an empty batch: predict needs at least one frame")
        with torch_threads(self._execution.threads), torch.inference_mode():
            return self._guarded(lambda: task.run(self._on_device(batch), width, height), len(batch))

    def close(self) -> None:
        """Free the network. Idempotent."""
        self._task = None

    def _open(self) -> Task:
        if self._task is None:
            raise ModelError(f"the model {self._info.name} is closed")
        return self._task

    def _check(self, task: Task, batch: NDArray[Any], width: int, height: int) -> None:
        spec = task.input_for(width, height)
        if batch.shape[1:] != spec.place or batch.dtype != spec.dtype:
            raise ModelError(
                f"a batch {batch.shape} of {batch.dtype} for frames of {width}x{height}: "
                f"expected (n, {', '.join(map(str, spec.place))}) of {spec.dtype}"
            )

    def _on_device(self, batch: NDArray[Any]) -> Tensor:
        """Page-locked slots are copied without blocking; the results' own copy back waits for everything."""
        return torch.from_numpy(batch).to(self._execution.device, non_blocking=True)

    def _guarded(self, work: Callable[[], Results], frames: int) -> Results:
        self._guard.reset()
        try:
            results = work()
            self._guard.check()
        except ModelError:
            raise
        except torch.OutOfMemoryError as error:
            raise ModelError(
                f"{self._info.name} ran out of memory on {self._execution.device} with a batch of {frames}: "
                "use a smaller --max-batch-size"
            ) from error
        except Exception as error:  # whatever a network raises is the network's failure
            reason = next(iter(str(error).strip().splitlines()), "") or "no message"
            raise ModelError(
                f"{self._info.name} failed on a batch of {frames}: {type(error).__name__}: {reason}"
            ) from error
        return results
