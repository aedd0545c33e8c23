"""What holds for every test: no thread outlives it, and nothing it does leaks into the next."""

from __future__ import annotations

import os
import random
import sys
import threading
import traceback
from collections.abc import Iterator

import cv2  # noqa: F401 - before av, and once: its import changes the environment (Qt)
import numpy as np
import pytest
from hypothesis import settings

LIBRARIES = ("PYTEST_", "QT_", "TORCHINDUCTOR_", "_TORCHINDUCTOR_", "KMP_", "TRITON_", "THP_")
"""Variables that libraries set for themselves when they are first imported."""

# Several processes share the cores here: a thread of OpenMP that waits by spinning takes its core from another one.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

settings.register_profile("vidinfer", deadline=None, derandomize=True)  # timings decide nothing; runs repeat
settings.load_profile("vidinfer")


@pytest.fixture(autouse=True, scope="session")
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What tests measure and convert is not what the user's own runs find, nor the other way round."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(folder))
        patch.setattr("vidinfer.build.CACHE", folder / "vidinfer")
        yield


@pytest.fixture(autouse=True)
def _no_leaked_threads() -> Iterator[None]:
    """Fail a test that leaves a thread behind, and show where that thread is."""
    before = set(threading.enumerate())
    yield
    leaked = [t for t in threading.enumerate() if t not in before and t.is_alive()]
    frames = sys._current_frames()
    stacks = [
        f"{t.name}:\n{''.join(traceback.format_stack(frames[t.ident]))}"
        for t in leaked
        if t.ident is not None and t.ident in frames
    ]
    assert not leaked, "threads left behind:\n" + "\n".join(stacks or [t.name for t in leaked])


@pytest.fixture(autouse=True)
def _same_start(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Seeded generators and an unchanged environment around every test."""
    random.seed(0)
    np.random.seed(0)
    environment, scheduling = dict(os.environ), _scheduling()
    yield
    assert _scheduling() == scheduling, "changed how the main thread is scheduled: see media.usual_scheduling"
    left = {k for k in dict(os.environ).items() ^ environment.items() if not k[0].startswith(LIBRARIES)}
    assert not left, f"changed in the environment: {left}"


def _scheduling() -> int:
    return os.sched_getscheduler(0) if hasattr(os, "sched_getscheduler") else 0
