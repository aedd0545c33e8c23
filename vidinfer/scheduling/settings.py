"""What a person may choose about batching live streams."""

from __future__ import annotations

import math
from dataclasses import dataclass

from vidinfer.errors import UsageError

__all__ = ["POLICIES", "Settings"]

POLICIES = ("latency", "throughput", "fixed")


@dataclass(frozen=True, slots=True)
class Settings:
    """Times in seconds. The words are Triton's, but for DeepStream's ``max_same_source_frames``.

    Raises:
        UsageError: a value makes no sense.
    """

    policy: str = "latency"
    """``latency``: wait only as far as predicted arrivals make the slowest label come sooner. ``throughput``: wait for
    a full batch as long as it is allowed, if anybody is expected. ``fixed``: wait so, whoever is expected."""
    max_batch_size: int = 8
    max_queue_delay: float = 0.010
    """A ceiling: longest that a frame waits for company while the model is free, from when it was queued."""
    latency_slo: float | None = None
    """Budget from when a frame was received to its label."""
    max_queue_size: int | None = None
    """Frames that wait for each stream; ``None``: twice ``max_batch_size``."""
    max_staleness: float = 0.5
    """Age from which a frame is not worth a label, where there is no ``latency_slo``."""
    max_same_source_frames: int = 2
    """Of one stream in a batch, while frames of others wait."""

    def __post_init__(self) -> None:
        if self.policy not in POLICIES:
            raise UsageError(f"policy {self.policy!r}: choose {', '.join(POLICIES)}")
        for name in ("max_batch_size", "max_queue_size", "max_same_source_frames"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise UsageError(f"{name} is at least 1, got {value}")
        if not 0 <= self.max_queue_delay < math.inf:
            raise UsageError(f"max_queue_delay is 0 or more seconds, got {self.max_queue_delay}")
        for name in ("latency_slo", "max_staleness"):
            value = getattr(self, name)
            if value is not None and not 0 < value < math.inf:
                raise UsageError(f"{name} is more than 0 seconds, got {value}")

    @property
    def queue_size(self) -> int:
        """Frames that may wait for each stream."""
        return 2 * self.max_batch_size if self.max_queue_size is None else self.max_queue_size
