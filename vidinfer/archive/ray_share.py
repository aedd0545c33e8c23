"""How many workers a cluster has room for, and what each of them gets. Pure arithmetic."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from vidinfer.errors import UsageError

__all__ = ["NodeRoom", "Share", "share"]


@dataclass(frozen=True, slots=True)
class NodeRoom:
    """What one node has."""

    cpus: int
    gpus: int = 0


@dataclass(frozen=True, slots=True)
class Share:
    """What is asked of the cluster."""

    workers: int
    cpus: int
    """Of each worker."""
    gpus: float = 0.0
    """Of each worker; below 1 several share one."""


def share(nodes: Sequence[NodeRoom], workers: int | None, *, gpu: bool) -> Share:
    """As many CPUs for each worker as leave room for all of them, at least one.

    Args:
        nodes: of the whole cluster, whoever uses them now.
        workers: how many are wanted, even if there is no room for all; ``None``: one for each CPU, or for each GPU.
        gpu: they run on GPUs.

    Raises:
        UsageError: nothing that a worker could run on.
    """
    cpus, gpus = sum(node.cpus for node in nodes), sum(node.gpus for node in nodes)
    if gpu and not gpus:
        raise UsageError(
            "device cuda: the Ray cluster has no GPU; add a node that has one, or give --device cpu"
        )
    if not cpus:
        raise UsageError("engine ray: the cluster has no CPUs; add a node that has some")
    wanted = workers or (gpus if gpu else cpus)
    in_one = -(-wanted // gpus) if gpu else None
    most = max(node.cpus for node in nodes)
    fits = (n for n in range(most, 1, -1) if _room_for(nodes, n, in_one) >= wanted)
    return Share(wanted, next(fits, 1), 0.0 if in_one is None else 1 / in_one)


def _room_for(nodes: Sequence[NodeRoom], cpus: int, in_one: int | None) -> int:
    """Workers of so many CPUs, ``in_one`` of them in each GPU."""
    if in_one is None:
        return sum(node.cpus // cpus for node in nodes)
    return sum(min(node.cpus // cpus, node.gpus * in_one) for node in nodes)
