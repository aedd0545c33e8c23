"""torch.compile: the part as machine code made for one batch size; opt-in, as making it takes a minute or more."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from vidinfer.errors import BackendUnavailable
from vidinfer.model.backends.eager import EagerFactory
from vidinfer.model.engine import DensePart, Engine, Outputs, Pending, Ready

__all__ = ["CompiledFactory"]


class CompiledFactory:
    """An :class:`~vidinfer.model.engine.EngineFactory`.

    What is compiled is kept by torch in ``TORCHINDUCTOR_CACHE_DIR`` (a folder of the user's), for the next run.
    """

    backend = "compile"
    fixed_rows = True
    in_torch = True

    def __init__(self, device: torch.device, precision: str) -> None:
        """``precision``: as of eager.

        Raises:
            BackendUnavailable: there is no C++ compiler (no Triton, on CUDA).
        """
        _require_compiler(device)
        self.precision = precision
        self._device = device
        self._eager = EagerFactory(device, precision)
        self.in_flight = self._eager.in_flight

    def engine(self, part: DensePart, example: Tensor, *, rows_vary: bool = False) -> Engine:
        """Compile ``part`` for batches like ``example``, at once; heads on regions stay eager.

        Raises:
            BackendUnavailable: torch cannot compile it.
        """
        if rows_vary:
            return self._eager.engine(part, example)
        engine = _CompiledEngine(part, self._eager)
        try:
            engine.submit(example).result()
        except Exception as error:  # compilers fail in as many ways as there are networks
            reason = next(iter(str(error).strip().splitlines()), "no message")
            raise BackendUnavailable(f"torch cannot compile this network: {reason}") from error
        return engine


class _CompiledEngine:
    def __init__(self, part: DensePart, eager: EagerFactory) -> None:
        self._run: Any = torch.compile(part, dynamic=False)
        self._eager = eager

    def submit(self, places: Tensor) -> Pending:
        """As eager does it, with compiled code."""
        with self._eager.casting():
            outputs: Outputs = self._run(places)
        return Ready(self._eager.widened(outputs))


def _require_compiler(device: torch.device) -> None:
    if device.type == "cuda":
        from torch.utils._triton import has_triton

        if not has_triton():
            raise BackendUnavailable(
                "compile needs Triton on CUDA: pip install triton, or use --backend eager"
            )
        return
    from torch._inductor.cpp_builder import get_cpp_compiler

    try:
        get_cpp_compiler()
    except Exception as error:
        raise BackendUnavailable(
            "compile needs a C++ compiler, and none is found: install one (apt-get install g++), "
            "or use --backend openvino or eager"
        ) from error
