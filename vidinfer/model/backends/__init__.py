"""Backends: what computes the dense part of a network. A new one is a module here and a line in ``BACKENDS``.

The module holds an :class:`~vidinfer.model.engine.EngineFactory`: from a dense part (a ``torch.nn.Module`` whose graph
is static) and an example of its input to an engine. TensorRT, say, would build its engine of the part
(``torch_tensorrt.dynamo.compile``), run it on a stream, and announce ``fixed_rows = True``; nothing else changes, and
the parity gate decides on it as on every other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from vidinfer.errors import BackendUnavailable, UsageError
from vidinfer.model.backends.mixed import MIXED, MixedFactory
from vidinfer.model.engine import EngineFactory
from vidinfer.model.graphs import GraphStore

__all__ = ["BACKENDS", "PRECISIONS", "Candidate", "Share", "Supplies", "candidates_for"]

PRECISIONS = ("fp32", "bf16", "fp16", "mixed", "int8")


@dataclass(frozen=True, slots=True)
class Supplies:
    """What a backend may use to make an engine."""

    graphs: GraphStore | None = None
    """Where converted networks are kept."""
    frames: Tensor | None = None
    """Real frames as the dense part is given them, ``(k, ...)``, to calibrate with."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A backend at a precision that may be used."""

    backend: str
    precision: str
    make: Callable[[Supplies], EngineFactory] = field(compare=False, repr=False)
    """Raises ``BackendUnavailable``."""

    @property
    def needs_regions(self) -> bool:
        """Of use only to networks with heads on regions."""
        return self.precision == MIXED

    def __str__(self) -> str:
        return f"{self.backend} {self.precision}"


@dataclass(frozen=True, slots=True)
class Share:
    """How an engine divides the processor."""

    threads: int
    """Of one engine."""
    side_by_side: int | None = None
    """Batches that it works on at one time: 1 for the shortest time of each; ``None``: what does most in all."""


@dataclass(frozen=True, slots=True)
class _Backend:
    precisions: Mapping[str, tuple[str, ...]]
    """By kind of device, those it has."""
    automatic: Callable[[str], tuple[str, ...]]
    """Of a kind of device: what ``auto`` may use here and now, most promising first; ``BackendUnavailable``."""
    make: Callable[[torch.device, str, Share, Supplies], EngineFactory]


def _openvino_here(kind: str) -> tuple[str, ...]:
    from vidinfer.model.backends.openvino import cpu_precisions

    able = cpu_precisions() if kind == "cpu" else ()
    return ("bf16", MIXED, "fp32") if "bf16" in able else able


def _openvino(_device: torch.device, precision: str, share: Share, supplies: Supplies) -> EngineFactory:
    from vidinfer.model.backends.openvino import OpenVinoFactory

    return OpenVinoFactory(precision, share.threads, supplies, side_by_side=share.side_by_side)


def _eager(device: torch.device, precision: str, _share: Share, _supplies: Supplies) -> EngineFactory:
    from vidinfer.model.backends.eager import EagerFactory

    return EagerFactory(device, precision)


def _compile(device: torch.device, precision: str, _share: Share, _supplies: Supplies) -> EngineFactory:
    from vidinfer.model.backends.compiled import CompiledFactory

    return CompiledFactory(device, precision)


def _cudagraphs(device: torch.device, precision: str, _share: Share, _supplies: Supplies) -> EngineFactory:
    from vidinfer.model.backends.cudagraphs import CudaGraphsFactory

    return CudaGraphsFactory(device, precision)


BACKENDS: Mapping[str, _Backend] = {
    "openvino": _Backend({"cpu": ("fp32", "bf16", MIXED, "int8")}, _openvino_here, _openvino),
    "cudagraphs": _Backend(
        {"cuda": ("fp32", "bf16", "fp16")},
        lambda kind: ("fp16", "bf16", "fp32") if kind == "cuda" else (),
        _cudagraphs,
    ),
    "compile": _Backend(
        {"cpu": ("fp32", "bf16"), "cuda": ("fp32", "bf16", "fp16")}, lambda _kind: (), _compile
    ),
    "eager": _Backend(
        {"cpu": ("fp32", "bf16"), "cuda": ("fp32", "bf16", "fp16")},
        lambda kind: ("fp16", "bf16", "fp32") if kind == "cuda" else ("fp32",),
        _eager,
    ),
}
"""By name, most promising first."""


def candidates_for(
    device: torch.device, backend: str, precision: str, share: Share
) -> tuple[list[Candidate], list[str]]:
    """What may be used, and what is passed over with its reason.

    Args:
        backend: ``auto`` or one of ``BACKENDS``.
        precision: ``auto`` or one of ``PRECISIONS``.
        share: of each engine.

    Raises:
        UsageError: no such backend or precision, or one that this device does not have.
        BackendUnavailable: asked for by name, and not there.
    """
    _one_of("backend", backend, BACKENDS)
    _one_of("precision", precision, PRECISIONS)
    found: list[Candidate] = []
    passed_over: list[str] = []
    for name, one in BACKENDS.items():
        if backend not in ("auto", name):
            continue
        able = one.precisions.get(device.type, ())
        try:
            usual = one.automatic(device.type)
        except BackendUnavailable as error:
            if backend == name:
                raise
            passed_over.append(str(error))
            continue
        if precision != "auto":
            usual = (precision,) if usual or backend == name else ()  # what is opt-in stays so
        elif backend == name:
            usual = usual or able[:1]
        found += [_candidate(name, one, device, p, share) for p in usual if p in able]
    if not found and not passed_over:
        raise UsageError(_nothing(device, backend, precision))
    return found, passed_over


def _candidate(name: str, one: _Backend, device: torch.device, precision: str, share: Share) -> Candidate:
    def make(supplies: Supplies) -> EngineFactory:
        if precision != MIXED:
            return one.make(device, precision, share, supplies)
        return MixedFactory(*(one.make(device, p, share, supplies) for p in ("fp32", "bf16")))

    return Candidate(name, precision, make)


def _one_of(option: str, value: str, choices: Mapping[str, object] | tuple[str, ...]) -> None:
    if value != "auto" and value not in choices:
        raise UsageError(f"no {option} {value!r}: this version has auto, {', '.join(choices)}")


def _nothing(device: torch.device, backend: str, precision: str) -> str:
    having = [
        f"{name} {'/'.join(one.precisions[device.type])}"
        for name, one in BACKENDS.items()
        if device.type in one.precisions
    ]
    asked = "no backend" if backend == "auto" else f"backend {backend}: not"
    wanted = "" if precision == "auto" else f" in {precision}"
    return f"{asked}{wanted} on {device.type} here: there is {', '.join(having)}"
