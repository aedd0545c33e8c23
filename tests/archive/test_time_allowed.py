"""``--until`` and ``--budget``: what is under way is finished, words and exit status say so, the next run goes on."""

from __future__ import annotations

import datetime
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.archive.conftest import InProcess, Runner, make_archive, outputs
from tests.archive.test_bad import ended, start
from tests.archive.test_run import Seen, manifest
from vidinfer.archive.unit import Unit
from vidinfer.clock import seconds_until

UNIT = 301.0
"""Seconds that a unit takes here."""


class Clocks:
    """One that shows the time of day, and may be set; and one that only goes on."""

    def __init__(self, patch: pytest.MonkeyPatch, *, hour: int, minute: int, second: int = 0) -> None:
        self.seconds = 0.0
        self.wall = datetime.datetime(2026, 6, 10, hour, minute, second)
        clocks = self

        class Shown(datetime.datetime):
            @classmethod
            def now(cls, tz: datetime.tzinfo | None = None) -> Shown:  # type: ignore[override]
                shown = clocks.wall
                return cls(*shown.timetuple()[:6], tzinfo=tz)

        shown = SimpleNamespace(datetime=Shown, timedelta=datetime.timedelta, UTC=datetime.UTC)
        patch.setattr("vidinfer.clock.datetime", shown)
        patch.setattr("vidinfer.run_archive.MonotonicClock", lambda: self)

    def now(self) -> float:
        return self.seconds

    def go_on(self, seconds: float) -> None:
        self.seconds += seconds
        self.wall += datetime.timedelta(seconds=seconds)


def engine(clocks: Clocks, *, set_back: float = 0.0) -> type[InProcess]:
    """Each unit takes its time, and the time of day is set back meanwhile."""

    class Timed(InProcess):
        def submit(self, unit: Unit, target: Path) -> None:
            clocks.wall -= datetime.timedelta(seconds=set_back)
            super().submit(unit, target)
            clocks.go_on(UNIT)

    return Timed


@pytest.mark.parametrize(
    ("now", "until", "seconds"),
    [
        ((6, 50, 0), (7, 0), 600),
        ((6, 59, 59), (7, 0), 1),
        ((7, 0, 0), (7, 0), 86_400),
        ((23, 0, 0), (7, 0), 8 * 3600),
        ((7, 0, 1), (0, 0), 17 * 3600 - 1),
    ],
)
def test_seconds_until_a_time_of_day(
    monkeypatch: pytest.MonkeyPatch, now: tuple[int, int, int], until: tuple[int, int], seconds: float
) -> None:
    Clocks(monkeypatch, hour=now[0], minute=now[1], second=now[2])
    assert seconds_until(*until) == seconds


@pytest.mark.parametrize("set_back", [0.0, 3600.0], ids=["", "set back"])
@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"until": "07:00"}, "--until 07:00"),
        ({"budget": "10m"}, "--budget 600s"),
        ({"until": "23:00", "budget": "10m"}, "--budget 600s"),
    ],
)
def test_what_is_under_way_is_finished(
    tmp_path: Path,
    label_archive: Runner,
    monkeypatch: pytest.MonkeyPatch,
    options: dict[str, str],
    named: str,
    set_back: float,
) -> None:
    """The second unit is begun before that time and ends after it. Setting the clock back meanwhile changes nothing."""
    archive = make_archive(tmp_path / "in", clips=4)
    label_archive(archive, out=tmp_path / "whole")
    seen = Seen()
    with monkeypatch.context() as patch:
        clocks = Clocks(patch, hour=6, minute=50)
        timed = engine(clocks, set_back=set_back)
        report = label_archive(archive, engine_factory=timed, observer=seen, **options)
    assert report.exit_status == 130
    assert report.seconds == 2 * UNIT
    statuses = sorted(str(row["status"]) for row in manifest(tmp_path / "out").values())
    assert statuses == ["complete", "complete", "interrupted", "interrupted"]
    (told,) = seen.warnings
    assert told.startswith(f"the time allowed by {named} is up")
    assert "the same command again" in told

    seen = Seen()
    assert label_archive(archive, observer=seen).exit_status == 0
    assert seen.todo == 2
    assert outputs(tmp_path / "out") == outputs(tmp_path / "whole")


def test_a_run_that_is_done_in_time_says_nothing(
    tmp_path: Path, label_archive: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor one whose last unit ends after that time: nothing is left."""
    archive = make_archive(tmp_path / "in", clips=2)
    clocks, seen = Clocks(monkeypatch, hour=6, minute=50), Seen()
    report = label_archive(archive, engine_factory=engine(clocks), observer=seen, until="07:00")
    assert clocks.seconds > 600
    assert report.exit_status == 0
    assert seen.warnings == []


def test_the_command_says_that_time_was_up(tmp_path: Path) -> None:
    """No model is loaded as soon as that: nothing is begun."""
    archive = make_archive(tmp_path / "in", clips=2)
    status, errors = ended(start(archive, tmp_path / "out", "--workers", "1", "--budget", "0.05s"))
    assert "the time allowed by --budget 0.05s is up" in errors
    assert "2 interrupted" in errors
    assert status == 130
    status, errors = ended(start(archive, tmp_path / "out", "--workers", "1", "--budget", "1h"))
    assert "is up" not in errors
    assert status == 0
