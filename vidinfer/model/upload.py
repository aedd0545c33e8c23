"""Batches on their way to a device: on CUDA they are copied while the batch before them is computed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import torch
from numpy.typing import NDArray
from torch import Tensor

__all__ = ["CudaUpload", "Upload", "upload_to"]


class Upload(Protocol):
    """Copies host memory to a device. Thread rule: the thread that runs the network."""

    def __call__(self, batch: NDArray[Any], used: Sequence[int] | None = None) -> Tensor:
        """``batch`` on the device, ready for what is queued on the current stream from now on.

        ``batch`` must not change before the results of what is queued are there.

        Args:
            batch: contiguous, page-locked for the copy to run beside anything else.
            used: of ``batch`` ``(n, bytes)``, how many bytes of each row matter; the others may not be copied.
        """
        ...


def upload_to(device: torch.device) -> Upload:
    """The way to ``device``."""
    return CudaUpload(device) if device.type == "cuda" else _shared


def _shared(batch: NDArray[Any], used: Sequence[int] | None = None) -> Tensor:  # noqa: ARG001
    """On the CPU the memory is used where it is."""
    return torch.from_numpy(batch)


class CudaUpload:
    """Copies on a stream of its own, which the current stream waits for. An :class:`Upload`.

    The memory there comes from torch's allocator, which gives the same few blocks again and again.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._stream: Any = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]

    def __call__(self, batch: NDArray[Any], used: Sequence[int] | None = None) -> Tensor:
        """As the protocol says."""
        host = torch.from_numpy(batch)
        with torch.cuda.stream(self._stream):
            there = torch.empty(host.shape, dtype=host.dtype, device=self._device)
            if used is None:
                there.copy_(host, non_blocking=True)
            else:
                for row, count in enumerate(used):
                    there[row, :count].copy_(host[row, :count], non_blocking=True)
        current = torch.cuda.current_stream(self._device)
        current.wait_stream(self._stream)
        there.record_stream(current)  # its memory is not given out anew before what is queued there has run
        return there
