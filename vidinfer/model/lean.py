"""Importing torchvision without torch's compiler.

``torchvision.ops.roi_align`` imports ``torch._dynamo`` for one function, which only deterministic algorithms ask for.
That takes as long as importing all of torch, at each start of the program.
"""

from __future__ import annotations

import gc
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import ModuleType

__all__ = ["import_torchvision"]

_PACKAGE, _MODULE = "torch._dynamo", "torch._dynamo.utils"


def import_torchvision() -> None:
    """Import it, and leave the compiler for whoever asks for it first; does nothing where that is too late.

    While other threads run it is an ordinary import: one of them might want the compiler meanwhile.
    """
    with _without_collecting():
        _import_lean()


@contextmanager
def _without_collecting() -> Iterator[None]:
    """Modules make some 100,000 objects that all stay: looking through them again and again takes a quarter second."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _import_lean() -> None:
    import torch  # noqa: F401

    if "torchvision" not in sys.modules and _PACKAGE not in sys.modules and threading.active_count() == 1:
        package, module = ModuleType(_PACKAGE), ModuleType(_MODULE)
        package.__path__ = []
        module.is_compile_supported = _is_compile_supported  # type: ignore[attr-defined]
        sys.modules |= {_PACKAGE: package, _MODULE: module}
        with suppress(
            ImportError, AttributeError
        ):  # another torchvision, which asks for more: once more below
            _import()
        for name in [_PACKAGE, _MODULE]:
            del sys.modules[name]
    _import()


def _import() -> None:
    before = set(sys.modules)
    try:
        import torchvision  # noqa: F401
    except BaseException:
        for name in set(sys.modules) - before:  # or half of it would be taken for the whole
            if name.partition(".")[0] == "torchvision":
                del sys.modules[name]
        raise


def _is_compile_supported(device_type: str) -> bool:
    from torch._dynamo.utils import is_compile_supported

    supported: bool = is_compile_supported(device_type)
    return supported
