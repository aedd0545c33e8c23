"""How many threads torch may use on the calling thread."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

__all__ = ["torch_threads"]


@contextmanager
def torch_threads(count: int) -> Iterator[None]:
    """Inside the block, torch operations of this thread use ``count`` threads.

    Every thread that runs torch operations has an OpenMP team of its own, so the decoding thread (``count`` 1) and
    the inference thread must each state theirs, or they fight for the cores. The setting is per thread, but a
    thread that has never set it starts with whatever was set last anywhere; hence no call relies on a default.
    """
    before = torch.get_num_threads()
    if before == count:
        yield
        return
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
