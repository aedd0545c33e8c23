"""Who labels, by the name that ``--engine`` has for it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from vidinfer.archive.engine import EngineFactory
from vidinfer.archive.local import local_engine
from vidinfer.archive.ray_cluster import RayCluster
from vidinfer.config import RunConfig

__all__ = ["engine_factory"]


@contextmanager
def engine_factory(config: RunConfig, logs: Path) -> Iterator[EngineFactory]:
    """Makes engines inside the block; they share what is slow to start.

    Args:
        config: its ``engine`` and ``address``.
        logs: folder for what the engine itself says.
    """
    if config.engine != "ray":
        yield local_engine
        return
    with RayCluster(config.address, logs) as cluster:
        yield cluster.engine
