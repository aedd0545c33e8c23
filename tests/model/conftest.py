"""A cache of torch's own that belongs to one test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch


@pytest.fixture
def torch_home(tmp_path: Path) -> Iterator[Path]:
    """An empty hub folder, in use for the test."""
    before = torch.hub.get_dir()
    torch.hub.set_dir(str(tmp_path / "hub"))
    yield tmp_path / "hub"
    torch.hub.set_dir(before)


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """torch on one thread: teams of several tests' processes on the same cores wait for each other."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
