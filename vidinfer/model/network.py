"""From a model's name and ``--weights`` to a network with its weights in it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import nn
from torchvision.models import get_model_weights

from vidinfer.errors import ModelUnavailable
from vidinfer.model.construct import build_random, build_trained, load_into, seeded
from vidinfer.model.registry import DEMO, task_of
from vidinfer.model.weights import choose_weights, obtain, read_state

__all__ = ["Loaded", "network_for"]


@dataclass(frozen=True, slots=True)
class Loaded:
    """A network in evaluation mode, on the CPU."""

    name: str
    task: str
    network: nn.Module = field(repr=False)
    categories: tuple[str, ...]
    weights: str
    """As in ``ModelInfo``."""
    sha256: str | None
    preset: Any
    """The ``transforms()`` of the weights; ``None`` where the network prepares its own input."""


def network_for(name: str, weights: str, *, progress: bool = False) -> Loaded:
    """Build and fill a network.

    Raises:
        ModelUnavailable: no such model, or its weights cannot be had or do not fit.
    """
    return _demo(weights) if name == DEMO else _from_torchvision(name, weights, progress)


def _from_torchvision(name: str, weights: str, progress: bool) -> Loaded:
    task = task_of(name)
    known = get_model_weights(name)
    choice = choose_weights(weights, known, name)
    # A file and random numbers get the default's architecture, class names and preprocessing.
    member: Any = choice if isinstance(choice, known) else known["DEFAULT"]
    categories = tuple(member.meta["categories"])
    if choice is None:
        network, label, sha256 = build_random(name, len(categories)), "none", None
    else:
        file = isinstance(choice, Path)
        state = read_state(choice) if isinstance(choice, Path) else obtain(member, progress=progress)
        network = build_trained(name, member, state)
        label, sha256 = (state.origin if file else str(member)), state.sha256
    return Loaded(name, task, network, categories, label, sha256, member.transforms())


def _demo(weights: str) -> Loaded:
    from vidinfer.model.demo import CATEGORIES, WEIGHTS, build_demo

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
