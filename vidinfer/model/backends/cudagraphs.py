"""CUDA graphs: the part's kernels recorded once for one batch size, and replayed with a single call.

A small network has hundreds of kernels that each take less time than Python needs to queue them; a replay costs next to
nothing. It runs on a stream of its own, so post-processing of one batch, on the current stream, does not wait for the
network of the next.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from vidinfer.errors import BackendUnavailable
from vidinfer.model.backends.eager import EagerFactory
from vidinfer.model.engine import DensePart, Engine, Outputs, Pending

__all__ = ["CudaGraphsFactory"]

WARM_UPS = 3
"""Runs before the recording, in which libraries choose their ways and take their memory."""


class CudaGraphsFactory:
    """An :class:`~vidinfer.model.engine.EngineFactory`."""

    backend = "cudagraphs"
    fixed_rows = True
    in_torch = True

    def __init__(self, device: torch.device, precision: str) -> None:
        """``precision``: as of eager.

        Raises:
            BackendUnavailable: ``device`` is no GPU.
        """
        if device.type != "cuda":
            raise BackendUnavailable(
                f"cudagraphs needs a CUDA device, and this is {device}; use --backend eager"
            )
        self.precision = precision
        self._device = device
        self._eager = EagerFactory(device, precision)
        self.in_flight = self._eager.in_flight

    def engine(self, part: DensePart, example: Tensor, *, rows_vary: bool = False) -> Engine:
        """Record ``part`` for batches like ``example``; heads on regions stay eager.

        Raises:
            BackendUnavailable: it cannot be recorded: it waits for the device, say.
        """
        if rows_vary:
            return self._eager.engine(part, example)
        try:
            return _GraphEngine(part, example, self._eager, self._device)
        except torch.OutOfMemoryError:
            raise
        except Exception as error:  # recording fails in as many ways as there are networks
            reason = next(iter(str(error).strip().splitlines()), "no message")
            raise BackendUnavailable(f"cudagraphs cannot record this network: {reason}") from error


class _GraphEngine:
    def __init__(self, part: DensePart, example: Tensor, eager: EagerFactory, device: torch.device) -> None:
        self._device = device
        self._stream: Any = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
        self._stream.wait_stream(torch.cuda.current_stream(device))
        with torch.cuda.stream(self._stream):
            self._given = example.clone()
            for _ in range(WARM_UPS):
                _run(part, self._given, eager)
        self._graph = torch.cuda.CUDAGraph()
        # Other threads, a decoder's say, may call CUDA meanwhile.
        with torch.cuda.graph(self._graph, stream=self._stream, capture_error_mode="thread_local"):
            self._outputs = _run(part, self._given, eager)

    def submit(self, places: Tensor) -> Pending:
        """Queue a copy of ``places``, the recorded kernels, and a copy of what they give."""
        self._stream.wait_stream(torch.cuda.current_stream(self._device))
        with torch.cuda.stream(self._stream):
            self._given.copy_(places)
            self._graph.replay()
            outputs = tuple(output.clone() for output in self._outputs)  # the next replay overwrites its own
            done = torch.cuda.Event()  # type: ignore[no-untyped-call]
            done.record(self._stream)
        places.record_stream(self._stream)  # its memory is not given out anew before it has been read
        return _Replayed(outputs, done, self._device)


@dataclass(frozen=True, slots=True)
class _Replayed:
    outputs: Outputs
    done: Any
    device: torch.device

    def result(self) -> Outputs:
        """Once; what is queued on the current stream from now on finds them ready."""
        current = torch.cuda.current_stream(self.device)
        current.wait_event(self.done)
        for output in self.outputs:
            output.record_stream(current)
        return self.outputs


def _run(part: DensePart, given: Tensor, eager: EagerFactory) -> Outputs:
    with eager.casting():
        outputs: Outputs = part(given)
    return eager.widened(outputs)
