"""A Ray cluster, connected to when it is first needed; or a Ray of this machine alone, which ends with the run.

Ray is used for one thing: processes on many machines. No frame, tensor or file goes through it, and it retries
nothing: units, tries and what is committed are ours, and outlive it.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import tempfile
from contextlib import ExitStack, redirect_stdout
from pathlib import Path
from types import TracebackType
from typing import Any

from vidinfer.archive.local import Limits, shares
from vidinfer.archive.ray_engine import RayEngine
from vidinfer.archive.ray_share import NodeRoom, share
from vidinfer.clock import Clock
from vidinfer.config import RunConfig
from vidinfer.errors import UsageError

__all__ = ["RayCluster"]

STORE = 128 << 20
"""Bytes of Ray's object store; nothing of ours is in it but receipts, and the default is a third of the memory."""
REACH = 10.0
"""Seconds that a cluster may take to answer at all."""


class RayCluster:
    """Connected at most from the first engine to ``__exit__``. Thread rule: the main thread (Ray's own rule)."""

    def __init__(self, address: str | None, logs: Path) -> None:
        """Args:
        address: ``auto``, ``HOST:PORT``, ``ray://HOST:PORT``; ``None``: a Ray of this machine, for this run.
        logs: folder of ``ray.log``, where Ray's own messages go.
        """
        self._address = address
        self._logs = logs
        self._ray: Any = None
        self._stack = ExitStack()

    def __enter__(self) -> RayCluster:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def engine(self, config: RunConfig, fallback: RunConfig | None, *, logs: Path, clock: Clock) -> RayEngine:
        """An engine that is not started yet; an :class:`~vidinfer.archive.engine.EngineFactory`.

        Raises:
            UsageError: no Ray, no cluster at that address, or one without what was asked for.
        """
        ray = self._connected()
        nodes = [_room(node) for node in ray.nodes() if node["Alive"]]
        gpu = config.device == "cuda" or (config.device == "auto" and any(node.gpus for node in nodes))
        memory = None if config.worker_memory is None else int(config.worker_memory * 2**20)
        limits = Limits(stall=config.stall, memory=memory)
        room = share(nodes, config.workers, gpu=gpu)
        cores = shares(_cores(), room.workers) if self._address is None else []
        return RayEngine(ray, config, fallback, room, logs, clock, limits, cores)

    def _connected(self) -> Any:
        if self._ray is not None:
            return self._ray
        ray, stack = _imported(), self._stack
        log = stack.enter_context((self._logs / "ray.log").open("a", buffering=1))
        stack.enter_context(redirect_stdout(log))  # where Ray tells the news of the cluster
        before = signal.getsignal(signal.SIGTERM)
        try:
            options = self._options()
            stack.callback(ray.shutdown)
            ray.init(log_to_driver=False, logging_level="ERROR", **options)
        except Exception as error:  # of many kinds
            raise UsageError(self._no_cluster(error)) from error
        finally:
            signal.signal(signal.SIGTERM, before)  # Ray takes it
        self._ray = ray
        return ray

    def _options(self) -> dict[str, Any]:
        if self._address is not None:
            _check_reachable(self._address)
            return {"address": self._address}
        # Paths of Ray's sockets, which lie in there, may have 107 bytes at most: not in a deep TMPDIR.
        folder = tempfile.mkdtemp(prefix="vidinfer-ray-", dir="/tmp")
        self._stack.callback(shutil.rmtree, folder, ignore_errors=True)
        return {
            "address": "local",  # whatever RAY_ADDRESS says
            "num_cpus": len(_cores()),
            "include_dashboard": False,
            "object_store_memory": STORE,
            "_temp_dir": folder,
        }

    def _no_cluster(self, error: Exception) -> str:
        reason = next(
            (line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__
        )
        if self._address is None:
            return f"engine ray: Ray did not start on this machine: {reason}; see {self._logs / 'ray.log'}"
        return (
            f"address {self._address}: no Ray cluster can be used there: {reason}; start one with "
            f"`ray start --head`, check the address, or leave it out for a Ray of this machine alone"
        )


def _imported() -> Any:
    try:
        import ray
    except ImportError as error:
        raise UsageError(
            "engine ray: Ray is not installed; install it with: pip install 'vidinfer[ray]' (on every node), "
            "or give --engine local"
        ) from error
    return ray


def _check_reachable(address: str) -> None:
    """Ray itself would try for minutes.

    Raises:
        OSError: nobody listens there.
    """
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    if colon and port.isdecimal():
        socket.create_connection((host.strip("[]"), int(port)), timeout=REACH).close()


def _room(node: dict[str, Any]) -> NodeRoom:
    resources = node["Resources"]
    return NodeRoom(int(resources.get("CPU", 0)), int(resources.get("GPU", 0)))


def _cores() -> list[int]:
    return (
        sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else [*range(os.cpu_count() or 1)]
    )
