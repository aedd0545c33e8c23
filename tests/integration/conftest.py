"""Whole runs in this process: real files, the bundled model or a scripted one, every output looked at."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from vidinfer.config import RunConfig
from vidinfer.progress import SilentObserver, StopSignal
from vidinfer.report import RunReport
from vidinfer.run import run

Runner = Callable[..., RunReport]


@pytest.fixture
def label_files(tmp_path: Path) -> Runner:
    """Run over the given sources into ``tmp_path/out`` with the bundled model, unless told otherwise."""

    def runner(*sources: Path | str, **options: Any) -> RunReport:
        settings = {"model": "demo", "out": tmp_path / "out"} | options
        config = RunConfig(sources=tuple(str(s) for s in sources), **settings)
        return run(config, observer=SilentObserver(), stop=StopSignal())

    return runner


def records(path: Path) -> list[dict[str, Any]]:
    """The lines of a label file."""
    return [json.loads(line) for line in path.read_text().splitlines()]


def run_report(path: Path) -> dict[str, Any]:
    """A ``run.json``, after the law: every decoded frame has exactly one outcome."""
    report: dict[str, Any] = json.loads(path.read_text())
    frames = report["frames"]
    outcomes = (
        frames["labelled"]
        + sum(frames["skipped"].values())
        + sum(frames["dropped"].values())
        + frames["corrupt"]
        + frames["failed"]
    )
    assert frames["decoded"] == outcomes, frames
    return report
