"""Where a model runs: device and threads."""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass, replace

import torch

from vidinfer.errors import UsageError

__all__ = ["Execution", "choose_execution", "on_cpu", "why_no_cuda"]


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
    whole_pictures: bool = False
    """Resampling is left to the device: a place holds a whole picture, as its planes where it has them."""


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
    threads = threads if threads is not None else torch.get_num_threads()
    return Execution(chosen, threads, why, whole_pictures=chosen.type == "cuda")


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
        whole_pictures=False,
        why=f"{model} was made for the CPU and runs there as it is, in {precision}",
    )


def _choose_device(wanted: str) -> tuple[torch.device, str]:
    kind, _, number = wanted.partition(":")
    if wanted == "cpu":
        return torch.device("cpu"), "the CPU was asked for"
    if wanted != "auto" and (kind != "cuda" or (":" in wanted and not number.isdecimal())):
        raise UsageError(f"no device {wanted!r}: expected auto, cpu, cuda or cuda:N")
    available, warned = _cuda()
    if not available:
        reason = why_no_cuda(torch.version.cuda, warned)
        if wanted == "auto":
            # A machine without a GPU is no surprise; one whose driver does not answer is.
            told = f" ({reason})" if warned else ""
            return torch.device("cpu"), f"no CUDA device that torch can use{told}, so the CPU"
        raise UsageError(
            f"device {wanted!r}: torch {torch.__version__} finds no CUDA device here "
            f"({reason}); use --device cpu, or see `vidinfer doctor`"
        )
    index, count = int(number or 0), torch.cuda.device_count()
    if index >= count:
        raise UsageError(f"device {wanted!r}: this machine has {count} CUDA device(s), counted from 0")
    return torch.device("cuda", index), f"{torch.cuda.get_device_name(index)}"


def _cuda() -> tuple[bool, str]:
    """Whether torch can use CUDA, and what it warns of where it cannot."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        available = torch.cuda.is_available()
    return available, str(caught[0].message) if caught and not available else ""


def why_no_cuda(built: str | None, warned: str) -> str:
    """In words.

    Args:
        built: the version of CUDA that torch is built for; ``None``: without.
        warned: what torch says of it; it says nothing where there is no driver at all.
    """
    if built is None:
        return "this torch was built without CUDA"
    old = re.search(r"driver .* too old \(found version (\d+)\)", warned)
    if old is not None:
        version = int(old[1])
        return (
            f"the NVIDIA driver is too old: it knows CUDA {version // 1000}.{version % 1000 // 10}, "
            f"this torch is built for CUDA {built}; update the driver, or install a torch for that CUDA"
        )
    if warned:
        return f"this torch is built for CUDA {built}; it says: {_first_sentence(warned)}"
    return f"this torch is built for CUDA {built}; no driver or no device answers"


def _first_sentence(text: str) -> str:
    return re.split(r"(?<=[.!?])\s", " ".join(text.split()), maxsplit=1)[0]
