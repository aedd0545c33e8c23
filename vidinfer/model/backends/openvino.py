"""OpenVINO on the CPU: the part as one compiled graph, several batches at once, one stream of work per core."""

from __future__ import annotations

import sys
import warnings
from collections import deque
from contextlib import suppress
from typing import Any

import torch
from torch import Tensor

from vidinfer.errors import BackendUnavailable
from vidinfer.model.backends import Supplies
from vidinfer.model.backends.quantise import digest_of, quantised
from vidinfer.model.engine import DensePart, Engine, Outputs, Pending
from vidinfer.model.graphs import GraphStore

__all__ = ["OpenVinoFactory", "cpu_precisions"]

_HINTS = {"fp32": "f32", "bf16": "bf16", "int8": "f32"}


def cpu_precisions() -> tuple[str, ...]:
    """What the processor computes in by itself, fastest first, fp32 last.

    Raises:
        BackendUnavailable: OpenVINO is not installed, or does not work here.
    """
    able = _openvino().Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    return ("bf16", "fp32") if "BF16" in able else ("fp32",)


class OpenVinoFactory:
    """An :class:`~vidinfer.model.engine.EngineFactory`.

    In ``bf16`` only the inputs and weights of the heavy operations are rounded: sums and outputs are float32.
    """

    backend = "openvino"
    in_torch = False

    def __init__(
        self,
        precision: str,
        threads: int,
        supplies: Supplies | None = None,
        *,
        side_by_side: int | None = None,
    ) -> None:
        """``threads``: of one engine, shared out among ``side_by_side`` streams of work; ``None``: a stream each.

        ``int8`` is calibrated with ``supplies.frames``. With a single stream batches may be of any size, as what counts
        then is how long each takes, and the graph is compiled once for all sizes.

        Raises:
            BackendUnavailable: not installed, or a precision that the processor lacks.
        """
        if precision == "bf16" and precision not in cpu_precisions():
            raise BackendUnavailable("openvino bf16: this processor does not compute in bf16; use fp32")
        self.precision = precision
        # One batch more than streams: a stream that ends finds its next work waiting.
        self._streams = threads if side_by_side is None else side_by_side
        self.in_flight = 1 if side_by_side == 1 else self._streams + 1
        self.fixed_rows = side_by_side != 1
        self._threads = threads
        self._supplies = supplies or Supplies()
        self._graphs = self._supplies.graphs or GraphStore(None, {})
        self._ov = _openvino()
        self._core = self._ov.Core()

    def engine(self, part: DensePart, example: Tensor, *, rows_vary: bool = False) -> Engine:
        """Convert and compile ``part``.

        Raises:
            BackendUnavailable: OpenVINO cannot take it.
        """
        of_regions, rows_vary = rows_vary, rows_vary or not self.fixed_rows
        streams = 1 if rows_vary else self._streams
        settings = {
            "PERFORMANCE_HINT": "LATENCY" if rows_vary else "THROUGHPUT",
            "INFERENCE_PRECISION_HINT": _HINTS[self.precision],
            "NUM_STREAMS": streams,
            "INFERENCE_NUM_THREADS": self._threads,
            "ENABLE_CPU_PINNING": False,  # decoding shares these cores: the system places threads better
        }
        try:
            graph = self._graph(part, example, quantise=self.precision == "int8" and not of_regions)
            graph.reshape([-1 if rows_vary else len(example), *example.shape[1:]])
            compiled = self._core.compile_model(graph, "CPU", settings)
            return _OpenVinoEngine(self._ov, compiled, 1 if rows_vary else self.in_flight)
        except Exception as error:  # tracing and converting fail in as many ways as there are networks
            raise BackendUnavailable(f"openvino cannot take this network: {_first_line(error)}") from error

    def _graph(self, part: DensePart, example: Tensor, *, quantise: bool) -> Any:
        """Kept from an earlier run, or converted and kept."""
        frames = self._supplies.frames if self._supplies.frames is not None else example
        path = self._graphs.path_for(part, example, digest_of(frames) if quantise else "")
        if path is not None and path.exists():
            with suppress(Exception):  # damaged, or of another version: it is made anew
                return self._core.read_model(path)
        graph = convert(part, example)
        if quantise:
            graph = quantised(graph, frames)
        if path is not None:
            self._graphs.keep(path, lambda to: self._ov.save_model(graph, to, compress_to_fp16=False))
        return graph


def convert(part: DensePart, example: Tensor) -> Any:
    """``part`` as an ``openvino.Model``, for any number of rows.

    Through OpenVINO's own front end for torch: its tool ``convert_model`` does the same in several times the time.
    """
    from openvino.frontend import FrontEndManager
    from openvino.frontend.pytorch.ts_decoder import TorchScriptPythonDecoder

    trace: Any = torch.jit.trace
    # Batch size 1 would be taken for a constant in places.
    rows = torch.cat([example, example]) if len(example) == 1 else example
    with warnings.catch_warnings(), torch.inference_mode(mode=False), torch.no_grad():
        warnings.simplefilter(
            "ignore"
        )  # of tracing: constants in torchvision's code that depend on sizes only
        traced = trace(part, rows.clone(), check_trace=False, strict=False)
        front_end = FrontEndManager().load_by_framework("pytorch")
        decoder = TorchScriptPythonDecoder(traced)  # must outlive what is loaded through it
        return front_end.convert(front_end.load(decoder))


class _OpenVinoEngine:
    def __init__(self, ov: Any, compiled: Any, requests: int) -> None:
        self._ov = ov
        self._outputs = len(compiled.outputs)
        self._free = deque(compiled.create_infer_request() for _ in range(requests))

    def submit(self, places: Tensor) -> Pending:
        """Begin; the memory of ``places`` is read in place."""
        request = self._free.popleft()
        pending = _Request(request, self._free, self._outputs, places.contiguous())
        request.set_input_tensor(self._ov.Tensor(pending.places.numpy(), shared_memory=True))
        request.start_async()
        return pending


class _Request:
    def __init__(self, request: Any, free: deque[Any], outputs: int, places: Tensor) -> None:
        self.places = places  # kept alive while it is read
        self._request = request
        self._free = free
        self._outputs = outputs

    def result(self) -> Outputs:
        """Views of the request's own memory."""
        try:
            self._request.wait()
        finally:
            self._free.append(self._request)
        return tuple(torch.from_numpy(self._request.get_output_tensor(i).data) for i in range(self._outputs))


def _openvino() -> Any:
    # Importing openvino would start a thread that reports its use over the network; without this package it does not.
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    try:
        import openvino
    except Exception as error:  # a broken installation fails in any way it likes
        raise BackendUnavailable(
            f"openvino is not installed or does not load ({_first_line(error)}): pip install openvino"
        ) from error
    return openvino


def _first_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[-1] if lines else 'no message'}"
