"""A user's own model: ``--model package.module:factory``.

The factory takes no arguments and returns a ``torch.nn.Module``, or a tuple: the module, then its transforms (one of
torchvision's presets, or anything that makes a ``(3, h, w)`` float tensor from a ``(3, H, W)`` uint8 one), then its
class names. What is left out or ``None`` is found out or done without.
"""

from __future__ import annotations

import difflib
import importlib
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from torch import nn

from vidinfer.errors import ModelUnavailable
from vidinfer.model.infer_task import Inferred, infer_task
from vidinfer.model.names import with_background
from vidinfer.model.network import Loaded

__all__ = ["from_factory", "named"]


def from_factory(spec: str, task: str | None, names: Sequence[str] | None) -> Loaded:
    """Call the factory and find out what it made.

    Args:
        spec: ``package.module:factory``; modules in the working folder are found, too.
        task: as stated by the user; ``None``: found out.
        names: class names as stated by the user; they win over the factory's.

    Raises:
        ModelUnavailable: no such module or factory, one that raises or returns something else, or names that do not
            fit the network.
    """
    made = _call(spec)
    network, transforms, own = _parts(spec, made)
    inferred = infer_task(spec, network.eval(), transforms, task)
    return Loaded(
        spec,
        inferred.task,
        network,
        named(spec, inferred, names if names is not None else own),
        weights="of the factory",
        sha256=None,
        preset=transforms,
    )


def named(spec: str, inferred: Inferred, names: Sequence[str] | None) -> tuple[str, ...]:
    """Class names by label, made up where nobody gives any.

    Raises:
        ModelUnavailable: not as many as the network has.
    """
    if inferred.task == "optical_flow":
        return ()
    if names is None:
        if inferred.classes is None:
            raise ModelUnavailable(
                f"{spec}: how many classes it has cannot be told; give their names with --labels-file, "
                "or as the third value of the factory"
            )
        return tuple(f"class {i}" for i in range(inferred.classes))
    given = with_background(names) if inferred.task == "detection" else tuple(names)
    if inferred.classes is not None and len(given) != inferred.classes:
        counted = " (with a background)" if inferred.task == "detection" else ""
        raise ModelUnavailable(
            f"{spec} has {inferred.classes} classes, {len(given)} names{counted} are given; expected one for each"
        )
    return given


def _call(spec: str) -> Any:
    module_name, _, name = spec.partition(":")
    if not module_name or not name:
        raise ModelUnavailable(f"--model {spec}: expected package.module:factory")
    module = _imported(spec, module_name)
    factory = module
    for part in name.split("."):
        factory = getattr(factory, part, None)  # type: ignore[assignment]
    if factory is None:
        near = difflib.get_close_matches(name, dir(module), n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise ModelUnavailable(f"--model {spec}: {module_name} has no {name}{hint}")
    if not callable(factory):
        raise ModelUnavailable(
            f"--model {spec}: a {type(factory).__name__}, expected a function that returns a torch module"
        )
    try:
        return factory()
    except Exception as error:  # a user's own code fails in any way it likes
        raise ModelUnavailable(f"--model {spec}: the factory raised {_told(error)}") from error


def _imported(spec: str, name: str) -> ModuleType:
    with _working_folder_importable():
        try:
            return importlib.import_module(name)
        except ModuleNotFoundError as error:
            if error.name is not None and (name == error.name or name.startswith(f"{error.name}.")):
                raise ModelUnavailable(
                    f"--model {spec}: no module {name!r} is installed or in {Path.cwd()}; check the name"
                ) from error
            raise ModelUnavailable(f"--model {spec}: importing {name} raised {_told(error)}") from error
        except Exception as error:  # as above
            raise ModelUnavailable(f"--model {spec}: importing {name} raised {_told(error)}") from error


@contextmanager
def _working_folder_importable() -> Iterator[None]:
    """As with ``python -m``; a console script leaves the working folder out."""
    folder = str(Path.cwd())
    sys.path.insert(0, folder)
    try:
        yield
    finally:
        sys.path.remove(folder)


def _parts(spec: str, made: Any) -> tuple[nn.Module, Any, Sequence[str] | None]:
    parts = made if isinstance(made, tuple) else (made,)
    if not 1 <= len(parts) <= 3 or not isinstance(parts[0], nn.Module):
        got = (
            f"({', '.join(type(p).__name__ for p in parts)})"
            if isinstance(made, tuple)
            else type(made).__name__
        )
        raise ModelUnavailable(
            f"--model {spec}: the factory returned {got}, expected a torch.nn.Module, "
            "or (module, transforms, class names)"
        )
    network, transforms, names = (*parts, None, None)[:3]
    if transforms is not None and not callable(transforms):
        raise ModelUnavailable(
            f"--model {spec}: the factory's transforms are a {type(transforms).__name__}, expected a callable or None"
        )
    if names is not None and (
        isinstance(names, str)
        or not isinstance(names, Sequence)
        or not all(isinstance(n, str) for n in names)
    ):
        raise ModelUnavailable(f"--model {spec}: the factory's class names are no list of text")
    return network, transforms, names


def _told(error: BaseException) -> str:
    first = next(iter(str(error).strip().splitlines()), "")
    return f"{type(error).__name__}: {first}" if first else type(error).__name__
