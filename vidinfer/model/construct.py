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
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torchvision.models import WeightsEnum, get_model_builder

from vidinfer.errors import ModelUnavailable
from vidinfer.model.weights import State

__all__ = ["build_from_file", "build_random", "build_trained", "load_into", "seeded"]

SEED = 0
RANDOM_EXTRAS: Mapping[str, Mapping[str, Any]] = {
    "googlenet": {"transform_input": True, "init_weights": True},
    "inception_v3": {"transform_input": True, "init_weights": True},
}
"""What these two builders do only when given weights; and stating ``init_weights`` spares a warning."""

_QUANTIZED = "quantized_"

_one_at_a_time = threading.Lock()  # two loads of one member must not undo each other's substitution


def build_trained(name: str, member: WeightsEnum, state: State) -> nn.Module:
    """The network that ``builder(weights=member)`` gives, with the tensors of ``state``, which are the member's own.

    Raises:
        ModelUnavailable: the tensors do not fit.
    """
    try:
        return _built_as_trained(name, member, state, None)
    except RuntimeError as error:
        raise ModelUnavailable(_misfit(name, state.origin, str(error))) from error


def build_from_file(
    name: str, member: WeightsEnum, state: State, categories: Sequence[str] | None = None
) -> nn.Module:
    """The network that a user's ``state`` comes from: built as ``builder(weights=member)``, or else without weights.

    Which one, the names of the tensors tell: a network that was trained with batch norms that learn keeps count of its
    batches, one with frozen ones does not, and torchvision's builders give the two another epsilon.

    Args:
        categories: class names of a network that was trained further; ``None``: those of the member.

    Raises:
        ModelUnavailable: the tensors fit neither.
    """
    misfit = ""
    try:
        network = _built_as_trained(name, member, state, categories)
        if state.tensors.keys() <= network.state_dict().keys():
            return network
    except RuntimeError as error:
        misfit = str(error)
    count = len(categories if categories is not None else member.meta.get("categories") or ())
    other = build_random(name, count, **_auxiliary(name, state))
    try:
        other.load_state_dict(state.tensors)
        return other
    except RuntimeError as error:
        misfit = misfit or str(error)
    if categories is not None:
        misfit += f"\nThe classes given are {len(categories)}"
    raise ModelUnavailable(_misfit(name, state.origin, misfit))


def _built_as_trained(
    name: str, member: WeightsEnum, state: State, categories: Sequence[str] | None
) -> nn.Module:
    builder = get_model_builder(name)
    quantized = {"quantize": True} if name.startswith(_QUANTIZED) else {}
    with seeded(), _one_at_a_time, _handing_out(member, state.tensors, categories), _warnings_untold():
        network: nn.Module = builder(weights=member, progress=False, **quantized)
    return network.eval()


def build_random(name: str, categories: int, **options: Any) -> nn.Module:
    """The network with random numbers, the same in every run; ``categories`` 0: it has no classes."""
    builder = get_model_builder(name)
    options |= RANDOM_EXTRAS.get(name.removeprefix(_QUANTIZED), {})
    if categories:
        options["num_classes"] = categories
    if "weights_backbone" in inspect.signature(builder).parameters:
        options["weights_backbone"] = None
    if name.startswith(_QUANTIZED):
        options["quantize"] = True
    with seeded(), _warnings_untold():
        network: nn.Module = builder(weights=None, progress=False, **options)
    return network.eval()


def _auxiliary(name: str, state: State) -> dict[str, bool]:
    """A segmentation network has the auxiliary head that its state dict has."""
    if "aux_loss" not in inspect.signature(get_model_builder(name)).parameters:
        return {}
    return {"aux_loss": any(key.startswith("aux_classifier.") for key in state.tensors)}


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
def _warnings_untold() -> Iterator[None]:
    """Of parts of torch that announce their end, and of first values that are overwritten anyway: no news to a user."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        warnings.simplefilter("ignore", FutureWarning)
        warnings.simplefilter("ignore", UserWarning)
        yield


@contextmanager
def _handing_out(
    member: Any, tensors: Mapping[str, Tensor], categories: Sequence[str] | None
) -> Iterator[None]:
    def given(*_: Any, **__: Any) -> Mapping[str, Tensor]:
        return copy.copy(tensors)  # builders may rename keys in it; its metadata comes along

    member.get_state_dict = given  # on this member alone; hides the method of its class
    named = member.meta.get("categories")
    if categories is not None:
        member.meta["categories"] = list(categories)  # builders count these
    try:
        yield
    finally:
        del member.get_state_dict
        if categories is not None:
            member.meta["categories"] = named


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
    classes = re.search(r"The classes given are (\d+)", message)
    if classes:
        parts.append(f"the classes given are {classes[1]} (with a background, for detection)")
    told = "; ".join(parts) or message.strip().splitlines()[0]
    return f"weights {origin} do not fit {name}: {told}. Expected a state_dict of that very model"


def _quoted(message: str, heading: str) -> list[str]:
    line = next((line for line in message.splitlines() if line.strip().startswith(heading)), "")
    return re.findall(r'"([^"]+)"', line)
