"""Where a model runs: device and threads."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch

from vidinfer.errors import UsageError

__all__ = ["Execution", "choose_execution", "on_cpu"]


@dataclass(frozen=True, slots=True)
class Execution:
    """What was chosen."""

    device: torch.device
    threads: int
    """Threads of torch, and of any other backend, during inference."""
    why: str
    """One line for ``run.json``."""
    precision: str = "fp32"
    """Of the network as it was made."""
    fixed: bool = False
    """The network cannot be moved, nor run by anything but eager torch."""


def choose_execution(device: str, threads: int | None) -> Execution:
    """Resolve what was asked for.

    Args:
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
        threads: ``None``: what torch uses on this thread.

    Raises:
        UsageError: unknown, or a device that this machine does not have.
    """
    if threads is not None and threads < 1:
        raise UsageError(f"threads must be at least 1, got {threads}")
    chosen, why = _choose_device(device)
    return Execution(chosen, threads if threads is not None else torch.get_num_threads(), why)


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
        fixed=True,
        why=f"{model} was made for the CPU and runs there as it is, in {precision}",
    )


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
