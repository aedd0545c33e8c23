"""What a person, a pipe and a program are told."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from vidinfer.cli.archive import ArchiveLines
from vidinfer.cli.reporter import BarReporter, JsonReporter, LineReporter, expected_frames
from vidinfer.cli.summary import run_line, source_line
from vidinfer.cli.text import duration, size, table
from vidinfer.config import RunConfig
from vidinfer.frame import SourceInfo
from vidinfer.report import RunReport, SourceReport
from vidinfer.stats import LedgerSnapshot
from vidinfer.testing import VirtualClock


def ledger(decoded: int, **counts: Any) -> LedgerSnapshot:
    zero: dict[str, Any] = {
        "skipped": {},
        "dropped": {},
        "corrupt": 0,
        "failed": 0,
        "gaps": 0,
        "packets_lost": 0,
    }
    return LedgerSnapshot(decoded=decoded, **({"labelled": decoded} | zero | counts))


OUTPUTS = (Path("out/clip.labels.jsonl"), Path("out/clip.run.json"))
COMPLETE = SourceReport("clip.mp4", "complete", ledger=ledger(360), seconds=12.0, outputs=OUTPUTS)
DAMAGED = SourceReport(
    "bad.mp4",
    "damaged",
    ledger=ledger(100, labelled=97, corrupt=2, failed=1, gaps=1, packets_lost=14),
    seconds=150,
    outputs=OUTPUTS,
)
FAILED = SourceReport("no.mp4", "failed", error="no.mp4: no such file; check the name")
INFO = SourceInfo("clip.mp4", 640, 360, Fraction(1, 15360), rate=Fraction(30), frames_claimed=300)


@pytest.mark.parametrize(
    ("report", "line"),
    [
        (
            COMPLETE,
            "clip.mp4: 360 frames in 12.0 s (30.0 frames/s); wrote out/clip.labels.jsonl, clip.run.json",
        ),
        (
            DAMAGED,
            "bad.mp4: damaged; 2 frames corrupt, 1 frame failed in the model, 1 gap (14 packets lost); "
            "100 frames, 97 labelled, in 2 min 30 s (0.7 frames/s); wrote out/clip.labels.jsonl, clip.run.json",
        ),
        (FAILED, "no.mp4: no such file; check the name"),
        (SourceReport("a", "failed", error="disk full"), "a: failed: disk full"),
        (SourceReport("c.mp4", "failed", error="in/c.mp4: not media"), "in/c.mp4: not media"),
        (
            SourceReport("a", "failed", error="cannot write out/a.csv: full"),
            "a: failed: cannot write out/a.csv: full",
        ),
        (
            SourceReport("a", "interrupted", ledger=ledger(9, labelled=8), seconds=3),
            "a: interrupted; 9 frames, 8 labelled, in 3.0 s (3.0 frames/s); given up, no outputs kept",
        ),
        (
            SourceReport("a", "damaged", ledger=ledger(9, labelled=8, corrupt=1), outputs=OUTPUTS),
            "a: damaged; 1 frame corrupt; 9 frames, 8 labelled; wrote out/clip.labels.jsonl, clip.run.json",
        ),
        (SourceReport("a", "interrupted", error="not begun"), "a: interrupted: not begun"),
        (SourceReport("a", "skipped", warnings=("done already",)), "a: skipped: done already"),
    ],
)
def test_closing_lines(report: SourceReport, line: str) -> None:
    assert source_line(report) == line


def test_the_sum_of_several_sources() -> None:
    report = RunReport((COMPLETE, DAMAGED, FAILED), 46)
    assert (
        run_line(report) == "3 sources: 1 complete, 1 damaged, 1 failed; 460 frames in 46.0 s (10.0 frames/s)"
    )
    skipped = replace(COMPLETE, status="skipped")
    page = Path("labels/report.html")
    assert (
        run_line(RunReport((skipped, skipped), 2.2, page)) == "2 sources: 2 skipped; see labels/report.html"
    )
    assert (
        run_line(RunReport((skipped, COMPLETE), 36, page))
        == "2 sources: 1 complete, 1 skipped; 360 frames in 36.0 s (10.0 frames/s); see labels/report.html"
    )


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, 300),
        ({"every": 7}, 43),
        ({"fps": 5}, 50),
        ({"fps": 60}, 300),
        ({"start": 4}, 180),
        ({"start": 4, "end": 6}, 60),
        ({"duration": 1}, 30),
        ({"start": 9, "duration": 5}, 30),
        ({"start": 60}, 1),
        ({"max_frames": 20}, 20),
        ({"max_frames": 20, "every": 100}, 3),
        ({"keyframes": True}, None),
    ],
)
def test_how_many_frames_to_expect(options: dict[str, Any], expected: int | None) -> None:
    assert expected_frames(INFO, RunConfig(**options)) == expected


def test_nothing_is_expected_of_a_source_that_claims_nothing() -> None:
    info = SourceInfo("a", 1, 1, Fraction(1, 90000))
    assert expected_frames(info, RunConfig()) is None
    assert expected_frames(info, RunConfig(end=Fraction(3), fps=Fraction(2))) is None
    info = SourceInfo("a", 1, 1, Fraction(1, 90000), rate=Fraction(30000, 1001), duration=10.01)
    assert expected_frames(info, RunConfig()) == 300


def test_a_pipe_gets_closing_lines_only(capsys: pytest.CaptureFixture[str]) -> None:
    reporter = LineReporter(RunConfig())
    reporter.loading("demo")
    reporter.source_started(INFO, 0, 1)
    reporter.advanced(360)
    reporter.warning("audio\x1b left out")
    reporter.source_finished(COMPLETE)
    reporter.finished(RunReport((COMPLETE,), 12))
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines() == [
        r"vidinfer: warning: audio\x1b left out",
        f"vidinfer: {source_line(COMPLETE)}",
    ]


def test_a_log_of_an_archive_tells_its_end_whatever_the_number_of_sources(
    capsys: pytest.CaptureFixture[str],
) -> None:
    reporter = ArchiveLines(RunConfig(engine="local"))
    reporter.planned(1, 1, 1)
    reporter.source_finished(COMPLETE)
    report = RunReport((COMPLETE,), 12, Path("out/report.html"))
    reporter.finished(report)
    assert capsys.readouterr().err.splitlines() == [
        "vidinfer: 1 source, 1 unit",
        f"vidinfer: {run_line(report)}",
    ]


def test_quiet_says_what_failed_and_nothing_else(capsys: pytest.CaptureFixture[str]) -> None:
    reporter = LineReporter(RunConfig(quiet=True))
    reporter.warning("audio left out")
    for report in (COMPLETE, FAILED):
        reporter.source_finished(report)
    reporter.finished(RunReport((COMPLETE, FAILED), 12))
    assert capsys.readouterr().err == "vidinfer: no.mp4: no such file; check the name\n"


def test_an_early_end_is_news_only_if_a_signal_asked_for_it(capfd: pytest.CaptureFixture[str]) -> None:
    report = SourceReport("a.mp4", "interrupted", ledger=ledger(8), seconds=1)
    reporter = LineReporter(RunConfig())
    reporter.source_finished(report)
    assert capfd.readouterr().err == ""
    reporter.signalled = True
    reporter.source_finished(report)
    assert "interrupted; 8 frames" in capfd.readouterr().err


def test_a_terminal_gets_a_bar_that_goes_away(monkeypatch: pytest.MonkeyPatch) -> None:
    stderr = io.StringIO()
    monkeypatch.setattr("sys.stderr", stderr)
    reporter = BarReporter(RunConfig())
    reporter.loading("demo")
    reporter.source_started(INFO, 1, 3)
    assert "[2/3] clip.mp4    0%" in stderr.getvalue()
    assert "0/300 frames" in stderr.getvalue()
    reporter.warning("audio left out")
    reporter.advanced(300)
    reporter.source_finished(COMPLETE)
    reporter.close()
    assert stderr.getvalue().endswith(f"\rvidinfer: {source_line(COMPLETE)}\n")
    assert "vidinfer: warning: audio left out\n" in stderr.getvalue()


def test_a_program_gets_events(capsys: pytest.CaptureFixture[str]) -> None:
    clock = VirtualClock()
    reporter = JsonReporter(clock)
    reporter.loading("demo")
    reporter.source_started(INFO, 0, 1)
    reporter.advanced(8)
    clock.advance(1.5)
    reporter.advanced(8)
    reporter.advanced(8)
    reporter.source_finished(DAMAGED)
    reporter.finished(RunReport((DAMAGED,), 12.0))
    events = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [event["event"] for event in events] == [
        "loading",
        "source_started",
        "progress",
        "source_finished",
        "run_finished",
    ]
    assert events[2] == {"event": "progress", "source": "clip.mp4", "frames": 16}
    assert events[3]["frames"]["corrupt"] == 2
    assert events[4]["exit_status"] == 1


def test_words_for_people() -> None:
    assert [duration(s) for s in (0.42, 12.94, 59.9, 185, 7380)] == [
        "0.42 s",
        "12.9 s",
        "59.9 s",
        "3 min 05 s",
        "2 h 03 min",
    ]
    assert [size(n) for n in (930, 13_400_000, 2.5e12)] == ["930 B", "13.4 MB", "2500.0 GB"]
    assert table([("a", "1"), ("bb", "10")], right=frozenset({1})) == "a    1\nbb  10"
