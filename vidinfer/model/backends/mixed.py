"""Two precisions in one network: exact up to the regions, rounded in the heads on them.

Which regions a two-stage detector looks at hangs on differences as small as those that rounding makes; what its heads
then say of a region does not. They do half of the arithmetic.
"""

from __future__ import annotations

from torch import Tensor

from vidinfer.model.engine import DensePart, Engine, EngineFactory

__all__ = ["MIXED", "MixedFactory"]

MIXED = "mixed"


class MixedFactory:
    """An :class:`~vidinfer.model.engine.EngineFactory` of two of one backend."""

    precision = MIXED

    def __init__(self, exact: EngineFactory, rounded: EngineFactory) -> None:
        """``rounded`` runs what has any number of rows, which the heads on regions have; ``exact`` the rest."""
        self.backend = exact.backend
        self.fixed_rows = exact.fixed_rows
        self.in_torch = exact.in_torch
        self.in_flight = exact.in_flight
        self._exact = exact
        self._rounded = rounded

    def engine(self, part: DensePart, example: Tensor, *, rows_vary: bool = False) -> Engine:
        """Of one of the two."""
        return (self._rounded if rows_vary else self._exact).engine(part, example, rows_vary=rows_vary)
