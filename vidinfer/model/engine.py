"""The seam between a task and what computes its network: the dense part, and the engine that runs it.

A task splits its network in two. The **dense part** is a static graph from a batch of places to tensors, nearly all of
the arithmetic; an engine of any backend runs it. What depends on the data (boxes, suppression, the best classes) stays
with the task, in torch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, TypeAlias

from torch import Tensor, nn

__all__ = ["DensePart", "Engine", "EngineFactory", "Outputs", "Pending", "Ready"]

Outputs: TypeAlias = tuple[Tensor, ...]

DensePart: TypeAlias = nn.Module
"""``forward(places)`` from ``(n, *place)`` to a tuple of tensors ``(n, ...)``, row ``i`` from place ``i`` alone; no
branch that depends on the values."""


class Pending(Protocol):
    """A batch on its way."""

    def result(self) -> Outputs:
        """Wait for the outputs. They may be read until the next ``submit`` of the same engine; once only.

        Raises:
            Exception: whatever the backend raises.
        """
        ...


class Engine(Protocol):
    """A dense part made ready for batches of one size.

    Thread rule: all calls on one thread.
    """

    def submit(self, places: Tensor) -> Pending:
        """Begin ``(n, *place)``; ``places`` must not change before ``result`` has returned."""
        ...


class EngineFactory(Protocol):
    """One backend at one precision."""

    backend: str
    precision: str
    fixed_rows: bool
    """An engine takes batches of its own size only."""
    in_torch: bool
    """torch computes, with all its threads; else it only works on what comes out, and one thread is enough."""
    in_flight: int
    """Batches that must be on their way at once to keep the device busy, at least 1."""

    def engine(self, part: DensePart, example: Tensor, *, rows_vary: bool = False) -> Engine:
        """Make ``part`` ready for inputs like ``example``; ``rows_vary``: of any number of rows.

        Raises:
            BackendUnavailable: the backend is not there, or cannot take this network.
        """
        ...


@dataclass(frozen=True, slots=True)
class Ready:
    """A :class:`Pending` that waits for nothing."""

    outputs: Outputs

    def result(self) -> Outputs:
        """At once."""
        return self.outputs
