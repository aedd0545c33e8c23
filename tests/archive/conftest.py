"""Whole archive runs: in this process with worker processes of their own, and as commands that can be killed."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.media import make_video
from vidinfer.archive.engine import Done, EngineFactory, Event, Failed
from vidinfer.archive.labeller import UnitLabeller
from vidinfer.archive.local import local_engine
from vidinfer.archive.report import Stills, take_stills
from vidinfer.archive.report.stills import Wanted
from vidinfer.archive.survey import Surveyed
from vidinfer.archive.unit import Unit
from vidinfer.clock import Clock
from vidinfer.config import RunConfig
from vidinfer.errors import ModelError, PartUnlike, SourceChanged, SourceError, SourceUnreachable
from vidinfer.plan import thread_plan
from vidinfer.progress import SilentObserver, StopSignal
from vidinfer.report import RunReport
from vidinfer.run_archive import run_archive
from vidinfer.source import SourceFile, read_header
from vidinfer.storage import Location

Runner = Callable[..., RunReport]
DEADLY = "tests.archive.models:deadly"
COLOURS = {"red": (255, 0, 0), "green": (0, 255, 0), "blue": (0, 0, 255), "yellow": (255, 255, 0)}


class InProcess:
    """An engine without processes: for all that does not depend on them."""

    def __init__(self, config: RunConfig, fallback: RunConfig | None, *, logs: Path, clock: Clock) -> None:
        self._labeller = UnitLabeller(config, thread_plan(), fallback)
        self._events: list[Event] = []

    def __enter__(self) -> InProcess:
        return self

    def __exit__(self, *_: object) -> None:
        self._labeller.close()

    def model_facts(self, stopped: Callable[[], bool]) -> dict[str, Any]:
        return self._labeller.load()

    def choose(self, paths: Iterable[Location], stopped: Callable[[], bool]) -> tuple[str, str] | None:
        return self._labeller.choose(next(iter(paths)))

    @property
    def places(self) -> int:
        return not self._events

    def submit(self, unit: Unit, target: Path) -> None:
        try:
            self._events.append(Done(unit, self._labeller.label(unit, target)))
        except (SourceError, ModelError) as error:
            kinds = {
                SourceChanged: "changed",
                PartUnlike: "unlike",
                SourceUnreachable: "unreachable",
                SourceError: "source",
                ModelError: "model",
            }
            kind = next(kind for of, kind in kinds.items() if isinstance(error, of))
            self._events.append(Failed(unit, kind, str(error)))

    def wait(self, seconds: float) -> list[Event]:
        events, self._events = self._events, []
        return events


def survey_here(files: Sequence[SourceFile], **_: object) -> list[Surveyed]:
    """Headers read in this process."""
    found = []
    for file in files:
        header = read_header(file.path)
        found.append(Surveyed(file.path, file.name, header.kind, None, header.size, error=header.error))
    return found


def no_stills(wanted: Sequence[Wanted], width: int) -> list[bytes | None]:
    """Pictures for the report take a process, which most tests can do without."""
    return [None] * len(wanted)


def run_over(*sources: Path | str, out: Path, **options: Any) -> RunReport:
    """A run with a small model, by one worker process unless the options say otherwise."""
    observer, stop = options.pop("observer", SilentObserver()), options.pop("stop", StopSignal())
    stills: Stills = options.pop("stills", no_stills)
    engine: EngineFactory = options.pop("engine_factory", local_engine)
    settings = {
        "model": "tests.archive.models:brightness",
        "task": "classification",
        "backend": "eager",
        "precision": "fp32",
        "engine": "local",
        "workers": 1,
    } | options
    config = RunConfig(sources=tuple(str(s) for s in sources), out=out, **settings)
    return run_archive(config, observer=observer, stop=stop, engine=engine, stills=stills)


@pytest.fixture
def label_archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Runner:
    """Run over the given sources into ``tmp_path/out`` with a small model, in this process unless ``processes``."""

    def runner(*sources: Path | str, processes: bool = False, **options: Any) -> RunReport:
        if not processes:
            monkeypatch.setattr("vidinfer.archive.look.survey", survey_here)
        usual = {"engine_factory": local_engine if processes else InProcess, "out": tmp_path / "out"}
        return run_over(*sources, **usual | options)

    return runner


@dataclass(frozen=True, slots=True)
class Poisoned:
    """A run over an archive in which one file crashes every process that labels it. To be read, not to be changed."""

    archive: Path
    out: Path
    report: RunReport
    poison: str
    """The file's name, as long as they come."""
    broken: str
    """The name of a file that is no video; to be escaped wherever it is shown."""


@pytest.fixture(scope="session")
def poisoned(tmp_path_factory: pytest.TempPathFactory) -> Poisoned:
    """Made once: each try costs a process that loads torch."""
    folder = tmp_path_factory.mktemp("poisoned")
    archive, out = make_archive(folder / "in", clips=2), folder / "out"
    poison, broken = f"poison-{'long' * 40}.mp4", "evil\x1b[2J\n.mp4"
    make_plain(archive / poison, "red")
    (archive / broken).write_text("no video")
    report = run_over(archive, out=out, model=DEADLY, stills=take_stills)
    return Poisoned(archive, out, report, poison, broken)


def plain(colour: str, number: int, width: int, height: int) -> NDArray[np.uint8]:
    """A picture of one colour."""
    return np.full((height, width, 3), COLOURS[colour], np.uint8)


def make_plain(path: Path, colour: str, frames: int = 8) -> Path:
    """A clip of one colour."""
    return make_video(path, frames=frames, draw=partial(plain, colour))


def make_archive(folder: Path, clips: int = 4, frames: int = 24) -> Path:
    """Clips of numbered pictures in a folder and a subfolder."""
    (folder / "cam").mkdir(parents=True)
    for i in range(clips):
        make_video(folder / ("cam" if i % 2 else ".") / f"clip{i}.mp4", frames=frames, first_number=100 * i)
    return folder


def outputs(out: Path) -> dict[str, str]:
    """SHA-256 of every output by name. The state is no output, nor is the report: it tells when, and how fast."""
    return {
        str(path.relative_to(out)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(out.rglob("*"))
        if path.is_file() and ".vidinfer" not in path.parts and path.name != "report.html"
    }
