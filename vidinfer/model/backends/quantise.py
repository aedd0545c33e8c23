"""int8 by NNCF: weights and activations in whole numbers, their ranges taken from frames of the user's own source."""

from __future__ import annotations

import hashlib
import io
import logging
from contextlib import redirect_stderr, redirect_stdout
from typing import Any

from torch import Tensor

from vidinfer.errors import BackendUnavailable

__all__ = ["digest_of", "quantised"]


def quantised(graph: Any, frames: Tensor) -> Any:
    """An ``openvino.Model`` that computes in int8 where that is safe, by NNCF's post-training quantisation.

    Args:
        graph: in float32, for any number of rows.
        frames: real inputs ``(k, ...)``; some hundred are usual.

    Raises:
        BackendUnavailable: NNCF is not installed.
    """
    try:
        import nncf
    except Exception as error:  # a broken installation fails in any way it likes
        raise BackendUnavailable(
            f"int8 needs NNCF ({error}): pip install 'vidinfer[int8]', or use another --precision"
        ) from error
    nncf.set_log_level(logging.ERROR)
    rows = [frames[i : i + 1].contiguous().numpy() for i in range(len(frames))]
    with (
        redirect_stdout(io.StringIO()),
        redirect_stderr(io.StringIO()),
    ):  # its progress bars: stdout carries only data
        return nncf.quantize(graph, nncf.Dataset(rows), subset_size=len(rows))


def digest_of(frames: Tensor) -> str:
    """Of what was calibrated with."""
    return hashlib.sha256(frames.contiguous().numpy().tobytes()).hexdigest()[:16]
