"""Networks, built the way torchvision builds them for trained weights, with the tensors that we give.

A builder changes more than numbers when it is given weights: frozen batch norms, another epsilon, auxiliary heads,
renamed keys. The one way to get all of it right is to let the builder run with its own enum member. While it runs,
that one member hands out our (hashed, safely read) tensors instead of fetching its URL; nothing else is replaced.
"""

from __future__ import annotations

import copy
import inspect
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torchvision.models import WeightsEnum, get_model_builder

from vidinfer.errors import ModelUnavailable
from vidinfer.model.weights import State

__all__ = ["build_random", "build_trained", "load_into", "seeded"]

SEED = 0
RANDOM_EXTRAS: Mapping[str, Mapping[str, Any]] = {
    "googlenet": {"transform_input": True, "init_weights": True},
    "inception_v3": {"transform_input": True, "init_weights": True},
}
"""What these two builders do only when given weights; and stating ``init_weights`` spares a warning."""

_one_at_a_time = threading.Lock()  # two loads of one member must not undo each other's substitution


def build_trained(name: str, member: WeightsEnum, state: State) -> nn.Module:
    """The network that ``builder(weights=member)`` gives, with the tensors of ``state``.

    Raises:
        ModelUnavailable: the tensors do not fit.
    """
    builder = get_model_builder(name)
    with seeded(), _one_at_a_time, _handing_out(member, state.tensors):
        try:
            network: nn.Module = builder(weights=member, progress=False)
        except RuntimeError as error:
            raise ModelUnavailable(_misfit(name, state.origin, str(error))) from error
    return network.eval()


def build_random(name: str, categories: int) -> nn.Module:
    """The network with random numbers, the same in every run."""
    builder = get_model_builder(name)
    options: dict[str, Any] = {"num_classes": categories, **RANDOM_EXTRAS.get(name, {})}
    if "weights_backbone" in inspect.signature(builder).parameters:
        options["weights_backbone"] = None
    with seeded():
        network: nn.Module = builder(weights=None, progress=False, **options)
    return network.eval()


def load_into(network: nn.Module, name: str, state: State) -> None:
    """Give ``network`` the tensors of ``state``.

    Raises:
        ModelUnavailable: they do not fit.
    """
    try:
        network.load_state_dict(state.tensors)
    except RuntimeError as error:
        raise ModelUnavailable(_misfit(name, state.origin, str(error))) from error


@contextmanager
def seeded() -> Iterator[None]:
    """Random numbers from a fixed seed inside the block; the generator outside does not notice."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED)
        yield


@contextmanager
def _handing_out(member: Any, tensors: Mapping[str, Tensor]) -> Iterator[None]:
    def given(*_: Any, **__: Any) -> Mapping[str, Tensor]:
        return copy.copy(tensors)  # builders may rename keys in it; its metadata comes along

    member.get_state_dict = given  # on this member alone; hides the method of its class
    try:
        yield
    finally:
        del member.get_state_dict


def _misfit(name: str, origin: str, message: str) -> str:
    """torch's list of every misfit, shortened to the first few of each kind and their count."""
    missing = _quoted(message, "Missing key")
    surplus = _quoted(message, "Unexpected key")
    shapes = [
        f"{key} ({given} given, {expected} expected)"
        for key, given, expected in re.findall(
            r"size mismatch for (\S+): copying a param with shape (.+?) from checkpoint, "
            r"the shape in current model is (.+?)\.(?:\n|$)",
            message.replace("torch.Size(", "").replace("])", "]"),
        )
    ]
    parts = [
        f"{len(found)} {kind}: {', '.join(found[:3])}{', …' if len(found) > 3 else ''}"
        for kind, found in (("missing", missing), ("surplus", surplus), ("of another shape", shapes))
        if found
    ]
    told = "; ".join(parts) or message.strip().splitlines()[0]
    return f"weights {origin} do not fit {name}: {told}. Expected a state_dict of that very model"


def _quoted(message: str, heading: str) -> list[str]:
    line = next((line for line in message.splitlines() if line.strip().startswith(heading)), "")
    return re.findall(r'"([^"]+)"', line)
