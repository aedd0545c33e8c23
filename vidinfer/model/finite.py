"""Seeing values that are not finite before post-processing makes them vanish."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from vidinfer.errors import ModelError
from vidinfer.model.engine import Outputs

__all__ = ["FiniteGuard"]


class FiniteGuard:
    """Watches what the dense parts of a network give out.

    A threshold or a top-k drops NaN silently, so that a broken network looks like one that finds nothing. The sums of
    the outputs are kept on the device and looked at once per batch: one wait, not one per output.

    Thread rule: the thread that runs the network.
    """

    def __init__(self) -> None:
        self._sums: list[Tensor] = []

    def reset(self) -> None:
        """Forget the last batch."""
        self._sums.clear()

    def watch(self, module: nn.Module) -> None:
        """Take note of all that ``module`` gives out, from now on."""
        module.register_forward_hook(lambda _module, _given, output: self.look(tuple(_tensors(output))))

    def look(self, outputs: Outputs) -> None:
        """Take note of one part's outputs."""
        self._sums.extend(
            t.sum(dtype=torch.float32) for t in outputs if isinstance(t, Tensor) and t.is_floating_point()
        )

    def check(self) -> None:
        """Look at what was seen since ``reset``.

        Raises:
            ModelError: something was not finite.
        """
        sums, self._sums = self._sums, []
        if sums and not bool(torch.isfinite(torch.stack(sums)).all()):
            raise ModelError(
                "the network gave values that are not finite (NaN or infinity): its weights are damaged, "
                "or do not suit this precision"
            )


def _tensors(value: Any) -> Iterable[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, Mapping):
        for part in value.values():
            yield from _tensors(part)
    elif isinstance(value, list | tuple):
        for part in value:
            yield from _tensors(part)
