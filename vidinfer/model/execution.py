"""Where and how a model runs: device, backend, precision, threads. A new backend is announced here."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch

from vidinfer.errors import UsageError

__all__ = ["BACKENDS", "PRECISIONS", "Execution", "choose_execution", "on_cpu"]

BACKENDS = ("eager",)
PRECISIONS = ("fp32",)


@dataclass(frozen=True, slots=True)
class Execution:
    """What was chosen."""

    device: torch.device
    backend: str
    precision: str
    threads: int
    """Threads of torch during ``predict``."""
    why: str
    """One line for ``run.json``."""


def choose_execution(device: str, backend: str, precision: str, threads: int | None) -> Execution:
    """Resolve what was asked for.

    Args:
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
        backend: ``auto`` or one of ``BACKENDS``.
        precision: ``auto`` or one of ``PRECISIONS``.
        threads: ``None``: what torch uses on this thread.

    Raises:
        UsageError: unknown, or a device that this machine does not have.
    """
    _one_of("backend", backend, BACKENDS)
    _one_of("precision", precision, PRECISIONS)
    if threads is not None and threads < 1:
        raise UsageError(f"threads must be at least 1, got {threads}")
    chosen, why = _choose_device(device)
    return Execution(
        device=chosen,
        backend=BACKENDS[0],
        precision=PRECISIONS[0],
        threads=threads if threads is not None else torch.get_num_threads(),
        why=f"{why}; eager fp32 is torchvision's own arithmetic",
    )


def on_cpu(execution: Execution, asked: str, model: str, precision: str) -> Execution:
    """The same on the CPU, for a network that was made for it and cannot be moved.

    Raises:
        UsageError: another device was asked for by name.
    """
    if asked not in ("auto", "cpu"):
        raise UsageError(f"device {asked!r}: {model} runs on the CPU only; leave --device out")
    return replace(
        execution,
        device=torch.device("cpu"),
        precision=precision,
        why=f"{model} was made for the CPU and runs there as it is, in {precision}",
    )


def _one_of(option: str, value: str, choices: tuple[str, ...]) -> None:
    if value != "auto" and value not in choices:
        raise UsageError(f"no {option} {value!r}: this version has auto, {', '.join(choices)}")


def _choose_device(wanted: str) -> tuple[torch.device, str]:
    kind, _, number = wanted.partition(":")
    if wanted == "cpu":
        return torch.device("cpu"), "the CPU was asked for"
    if wanted != "auto" and (kind != "cuda" or (":" in wanted and not number.isdecimal())):
        raise UsageError(f"no device {wanted!r}: expected auto, cpu, cuda or cuda:N")
    if not torch.cuda.is_available():
        if wanted == "auto":
            return torch.device("cpu"), "no CUDA device that torch can use, so the CPU"
        raise UsageError(
            f"device {wanted!r}: torch {torch.__version__} finds no CUDA device here "
            f"({_why_no_cuda()}); use --device cpu, or see `vidinfer doctor`"
        )
    index, count = int(number or 0), torch.cuda.device_count()
    if index >= count:
        raise UsageError(f"device {wanted!r}: this machine has {count} CUDA device(s), counted from 0")
    return torch.device("cuda", index), f"{torch.cuda.get_device_name(index)}"


def _why_no_cuda() -> str:
    if torch.version.cuda is None:
        return "this torch was built without CUDA"
    return f"this torch is built for CUDA {torch.version.cuda}; no driver or no device answers"
