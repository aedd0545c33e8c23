"""How the machine is shared out: threads for each stage, frames for each batch, bytes for the ring."""

from __future__ import annotations

import os
from dataclasses import dataclass

__all__ = [
    "BATCH_SIZE",
    "GPU_MEMORY_BYTES",
    "MEMORY_BYTES",
    "PICTURE_BATCHES",
    "SHARED_ENTRIES",
    "SLOTS",
    "ThreadPlan",
    "batch_size_for",
    "thread_plan",
]

BATCH_SIZE = 8
"""Detectors gain little beyond 8 frames, and 8 keeps the first label near."""
MEMORY_BYTES = 384 * 2**20
"""Most memory that batch slots and pictures kept for drawing may take together."""
GPU_MEMORY_BYTES = 2 * 2**30
"""The same for a model on a GPU, which wants larger batches, of whole pictures."""
SHARED_ENTRIES = 128
"""Most records in a batch where many frames share a place (clips): they are small without their pictures."""
SLOTS = 2
"""One being filled, one waiting; and one for each batch that is with the model."""
PICTURE_BATCHES = 3
"""Batches whose pictures live besides those of the slots: leaving the model, in the channel, and being drawn."""


@dataclass(frozen=True, slots=True)
class ThreadPlan:
    """Threads per stage. No library is left to take all cores."""

    cores: int
    decoder: int
    model: int
    encoder: int


def thread_plan(cores: int | None = None) -> ThreadPlan:
    """Share out ``cores``, by default all that this process may use. The model is nearly always the limit, so it may
    use all of them; the decoder gets half and yields to it by waiting on the ring. x264's threads wait for rows of
    each other's pictures, so it gets two more than there are cores."""
    if cores is None:
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    half = max(1, cores // 2)
    return ThreadPlan(cores=cores, decoder=min(half, 8), model=cores, encoder=min(cores + 2, 8))


def batch_size_for(
    wanted: int | None,
    frame_bytes: int,
    picture_bytes: int = 0,
    *,
    usual: int = BATCH_SIZE,
    in_flight: int = 1,
    memory: int = MEMORY_BYTES,
) -> int:
    """Places per batch: as asked for, else ``usual`` or what fits into ``MEMORY_BYTES``.

    Args:
        wanted: ``None`` for automatic.
        frame_bytes: bytes of one place in the ring.
        picture_bytes: bytes of one picture that is kept to be drawn on; 0 if none is.
        usual: what serves the model well.
        in_flight: batches with the model at one time.
        memory: bytes that all of them may take.
    """
    if wanted is not None:
        return wanted
    slots = SLOTS + in_flight
    one = slots * frame_bytes + (slots + PICTURE_BATCHES) * picture_bytes
    return max(1, min(usual, memory // max(1, one)))
