"""Networks whose numbers are all given: built without drawing random ones for them first.

torchvision draws them for every layer, whatever comes next. Of large layers that takes up to a second.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor
from torch.nn import init
from torch.overrides import TorchFunctionMode

__all__ = ["undrawn"]

_DRAW: frozenset[Callable[..., Any]] = frozenset(
    {
        Tensor.normal_,
        Tensor.uniform_,
        Tensor.erfinv_,  # of what was drawn, for truncated normal distributions
        init.kaiming_normal_,
        init.kaiming_uniform_,
        init.normal_,
        init.trunc_normal_,
        init.uniform_,
        init.xavier_normal_,
        init.xavier_uniform_,
    }
)


class undrawn(TorchFunctionMode):
    """Inside the block, tensors that random numbers would be drawn into keep whatever their memory holds.

    Only for networks that every tensor is given to afterwards, which ``load_state_dict`` checks.
    """

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        if func in _DRAW:
            return args[0] if args else (kwargs or {})["tensor"]
        return func(*args, **(kwargs or {}))
