"""Seeing values that are not finite before post-processing makes them vanish."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from vidinfer.errors import ModelError

__all__ = ["FiniteGuard"]


class FiniteGuard:
    """Watches what parts of a network give out.

    A threshold or a top-k drops NaN silently, so that a broken network looks like one that finds nothing. The sums of
    the watched outputs are kept on the device and looked at once per batch: one wait, not one per layer.

    Thread rule: the thread that runs the network.
    """

    def __init__(self, parts: Iterable[nn.Module]) -> None:
        self._sums: list[Tensor] = []
        for part in parts:
            part.register_forward_hook(self._look)

    def reset(self) -> None:
        """Forget the last batch."""
        self._sums.clear()

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

    def _look(self, _module: nn.Module, _args: object, output: Any) -> None:
        self._sums.extend(t.sum(dtype=torch.float32) for t in _tensors(output) if t.is_floating_point())


def _tensors(value: Any) -> Iterable[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, Mapping):
        for part in value.values():
            yield from _tensors(part)
    elif isinstance(value, list | tuple):
        for part in value:
            yield from _tensors(part)
