"""From ``--model``, ``--weights`` and ``--labels-file`` to a network with its weights in it."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from torch import nn
from torchvision.models import get_model_weights

from vidinfer.errors import ModelUnavailable, UsageError
from vidinfer.model.construct import build_from_file, build_random, build_trained, load_into, seeded
from vidinfer.model.names import with_background
from vidinfer.model.registry import DEMO, task_of
from vidinfer.model.weights import State, choose_weights, obtain, read_state

__all__ = ["Loaded", "network_for"]


@dataclass(frozen=True, slots=True)
class Loaded:
    """A network in evaluation mode, on the CPU."""

    name: str
    task: str
    """One of the adapters of ``assemble``."""
    network: nn.Module = field(repr=False)
    categories: tuple[str, ...]
    """Names by label; none for optical flow."""
    weights: str
    """As in ``ModelInfo``."""
    sha256: str | None
    preset: Any
    """The ``transforms()`` of the weights, or a user's own; ``None`` where the network prepares its own input."""
    meta: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """What torchvision says of the weights."""
    precision: str = "fp32"
    input_size: tuple[int, int] | None = None
    """``(height, width)`` where the network takes no other and has no preset."""
    portable: bool = True
    """May be moved to another device and memory format."""


def network_for(
    name: str,
    weights: str,
    *,
    task: str | None = None,
    names: Sequence[str] | None = None,
    progress: bool = False,
) -> Loaded:
    """Build and fill a network.

    Args:
        name: a torchvision builder, ``demo``, ``package.module:factory`` or ``FILE.pt2``.
        weights: for a builder: see ``choose_weights``.
        task: of a network that is not torchvision's; ``None``: found out.
        names: class names, of a network trained further.

    Raises:
        ModelUnavailable: no such model, or its weights cannot be had or do not fit.
        UsageError: options that make no sense for this model.
    """
    if name.endswith(".pt2") or ":" in name:
        if weights != "DEFAULT":
            raise UsageError(f"--weights {weights}: {name} brings its own; leave --weights out")
        from vidinfer.model.exported import from_file
        from vidinfer.model.own import from_factory

        return (from_file if name.endswith(".pt2") else from_factory)(name, task, names)
    if name == DEMO:
        if task not in (None, "detection"):
            raise UsageError(f"--task {task}: {DEMO} is for detection; leave --task out")
        return _demo(weights, names)
    found = task_of(name)
    if task not in (None, found):
        raise UsageError(f"--task {task}: {name} is for {found}; leave --task out")
    return _from_torchvision(name, found, weights, names, progress)


def _from_torchvision(
    name: str, task: str, weights: str, names: Sequence[str] | None, progress: bool
) -> Loaded:
    known = get_model_weights(name)
    choice = choose_weights(weights, known, name)
    # A file and random numbers get the default's architecture, class names and preprocessing.
    member: Any = choice if isinstance(choice, known) else known["DEFAULT"]
    own = _own_names(name, task, names, trained=isinstance(choice, known))
    categories = own or tuple(member.meta.get("categories") or ())
    preset = member.transforms()
    if choice is None:
        network, label, sha256 = build_random(name, len(categories)), "none", None
        if _side(network) not in (None, _crop(preset)):
            network = build_random(name, len(categories), image_size=_crop(preset))
    else:
        if isinstance(choice, Path):
            state = read_state(choice)
            (network, member), label = _from_file(name, known, member, state, own), state.origin
        else:
            state = obtain(member, progress=progress)
            network, label = build_trained(name, member, state), str(member)
        sha256, preset = state.sha256, member.transforms()
    quantized = task == "quantization"
    return Loaded(
        name,
        "classification" if quantized else task,
        network,
        categories,
        label,
        sha256,
        preset,
        member.meta,
        precision="int8" if quantized else "fp32",
        portable=not quantized,
    )


def _side(network: nn.Module) -> int | None:
    """Of the one size of picture that a vision transformer takes; ``None`` for networks that take any."""
    side = getattr(network, "image_size", None)
    return side if isinstance(side, int) else None


def _crop(preset: Any) -> int | None:
    crop = getattr(preset, "crop_size", None)
    return int(crop[0]) if crop else None


def _from_file(
    name: str, known: Any, member: Any, state: State, names: Sequence[str] | None
) -> tuple[nn.Module, Any]:
    """The network of a user's file, and the weights whose preset it takes: the default's, or others' of another size.

    Raises:
        ModelUnavailable: the tensors fit none of them.
    """
    network, misfit = None, None
    try:
        network = build_from_file(name, member, state, names)
    except ModelUnavailable as error:
        misfit = error
    if network is not None and _side(network) in (None, _crop(member.transforms())):
        return network, member
    for other in known:
        if other.meta.get("min_size") != member.meta.get("min_size"):
            with contextlib.suppress(ModelUnavailable):
                network = build_from_file(name, other, state, names)
                if _side(network) == _crop(other.transforms()):
                    return network, other
    raise misfit or ModelUnavailable(
        f"{name} with these weights takes pictures of {_side(cast(nn.Module, network))} pixels a side, and no preset "
        "of torchvision's for it cuts them so; give it as --model package.module:factory with transforms of its own"
    )


def _own_names(name: str, task: str, names: Sequence[str] | None, *, trained: bool) -> tuple[str, ...] | None:
    if names is None:
        return None
    if task == "optical_flow":
        raise UsageError(f"--labels-file: {name} finds motion, not classes; leave it out")
    if trained:
        raise UsageError(
            f"--labels-file: {name} with torchvision's own weights has its own class names; "
            "it goes with --weights FILE or --weights none"
        )
    return with_background(names) if task == "detection" else tuple(names)


def _demo(weights: str, names: Sequence[str] | None) -> Loaded:
    from vidinfer.model.demo import CATEGORIES, WEIGHTS, build_demo

    if names is not None:
        raise UsageError(f"--labels-file: {DEMO} has its own class names; leave it out")
    with seeded():
        network = build_demo(weights=None)
    path = WEIGHTS if weights == "DEFAULT" else Path(weights).expanduser()
    if weights.lower() == "none":
        return Loaded(DEMO, "detection", network.eval(), tuple(CATEGORIES), "none", None, None)
    if not path.is_file():
        hint = "reinstall vidinfer" if path == WEIGHTS else "the bundled model takes DEFAULT, none or a file"
        raise ModelUnavailable(f"no weights {str(path)!r} for the model {DEMO}: {hint}")
    state = read_state(path)
    load_into(network, DEMO, state)
    label = "bundled" if path == WEIGHTS else state.origin
    return Loaded(DEMO, "detection", network.eval(), tuple(CATEGORIES), label, state.sha256, None)
