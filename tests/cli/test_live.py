"""What is told of a live run as a whole, once, whoever is told."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from tests.preview.made import Run, stream
from vidinfer.cli.live import LiveLines, LiveTable, live_table
from vidinfer.cli.reporter import JsonReporter
from vidinfer.config import RunConfig
from vidinfer.report import SourceReport
from vidinfer.status import LiveStatus, OutletStatus, StreamState, Warned
from vidinfer.testing import VirtualClock

STATUS = Run().status
REPORTS = [
    SourceReport(name, "complete", warnings=("too slow", f"{name} labels: 3 records left out"))
    for name in "ab"
]
"""``too slow`` is of the whole run, and so in every report."""


@pytest.mark.parametrize("kind", [LiveLines, LiveTable])
@pytest.mark.parametrize("early", [True, False])
def test_people_are_warned_once(
    kind: type[LiveLines], early: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    reporter = kind(RunConfig(sources=("camera:0",)))
    if early:  # else the run is over before anybody looked
        reporter.status(STATUS)
        if kind is LiveLines:
            reporter.status(STATUS)
    for report in REPORTS:
        reporter.source_finished(report)
    told = capsys.readouterr().err
    assert told.count("warning: too slow") == 1
    assert all(f"warning: {name} labels: 3 records left out" in told for name in "ab")


def test_the_quiet_are_not_warned(capsys: pytest.CaptureFixture[str]) -> None:
    reporter = LiveLines(RunConfig(sources=("camera:0",), quiet=True))
    reporter.status(STATUS)
    reporter.source_finished(REPORTS[0])
    assert capsys.readouterr().err == ""


def test_programs_are_warned_once(capsys: pytest.CaptureFixture[str]) -> None:
    reporter = JsonReporter(VirtualClock())
    reporter.status(STATUS)
    reporter.status(STATUS)
    events = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [one["text"] for one in events if one["event"] == "warning"] == ["too slow"]


def test_a_long_warning_is_whole_and_stands_where_nothing_is_cut_off() -> None:
    text = "word " * 60
    lines = live_table(replace(STATUS, warnings=(text,)), 79)
    told = [line for line in lines if "word" in line]
    assert lines[1 : 1 + len(told)] == told  # right below the headline
    assert " ".join(told) == f"warning: {text.strip()}"
    assert all(len(line) <= 79 for line in told)


def failing(error: str, *earlier: str) -> LiveStatus:
    """Whose labels cannot be written now, and could not before."""
    labels = OutletStatus("gate labels", 10, 0, 3, error)
    texts = [f"gate, gate labels: {error}", *earlier, "too slow"]
    warned = tuple(Warned(1.8e9, text) for text in texts)
    return replace(
        STATUS, streams=(stream("gate", outlets=(labels,)),), warned=warned, warned_total=len(warned)
    )


def test_an_output_that_fails_is_told_while_it_does_and_again_when_it_does_so_again(
    capsys: pytest.CaptureFixture[str],
) -> None:
    lines, events = LiveLines(RunConfig(sources=("camera:0",))), JsonReporter(VirtualClock())
    for reporter in (lines, events):
        for status in (STATUS, failing("full"), failing("full"), failing("full", "gate, gate labels: full")):
            reporter.status(status)
    told = capsys.readouterr().err.splitlines()
    assert [line for line in told if "full" in line and "vidinfer:" in line] == [
        "vidinfer: warning: gate, gate labels: full"
    ] * 2
    warnings = [
        one["text"] for one in map(json.loads, (line for line in told if line[0] == "{")) if "text" in one
    ]
    assert warnings == ["too slow", "gate, gate labels: full", "gate, gate labels: full"]
    assert "warning: gate, gate labels: full" in live_table(failing("full"))
    assert not any("labels: " in line for line in live_table(STATUS))


def test_attempts_that_fail_in_the_same_way_are_told_once(capsys: pytest.CaptureFixture[str]) -> None:
    reporter = LiveLines(RunConfig(sources=("camera:0",)))

    def is_now(state: StreamState, epoch: int, error: str = "") -> None:
        one = stream("gate", state, epoch=epoch, error=error, retry_in=0.5)
        reporter.status(replace(STATUS, streams=(one,), uptime=1.0))

    is_now(StreamState.LIVE, 1)
    for error in ("refused", "refused", "refused", "no such host", "no such host"):
        is_now(StreamState.WAITING, 1, error)
        is_now(StreamState.CONNECTING, 1, error)
    is_now(StreamState.LIVE, 2)
    is_now(StreamState.LIVE, 3)  # lost and found between two looks
    told = [line for line in capsys.readouterr().err.splitlines() if "gate: " in line]
    assert told == [
        "vidinfer: gate: live (epoch 1, 1920x1080 h264)",
        "vidinfer: gate: lost: refused; again in 0.5 s",
        "vidinfer: gate: lost: no such host; again in 0.5 s",
        "vidinfer: gate: live (epoch 2, 1920x1080 h264)",
        "vidinfer: gate: live (epoch 3, 1920x1080 h264)",
    ]


def test_below_the_table_stands_why_a_stream_is_not_there_and_what_is_odd_about_it() -> None:
    gone = stream("gone", StreamState.WAITING, error="refused; " + "word " * 20, retry_in=2.0)
    odd = stream("odd", flags=("frozen", "clock runs at another pace"))
    lines = live_table(replace(STATUS, streams=(gone, stream("fine", error="long ago"), odd)), 79)
    assert lines[-1] == "odd: frozen, clock runs at another pace"
    assert " ".join(lines[-3:-1]) == "gone: refused; " + ("word " * 20).strip()
    assert lines[-4].startswith("odd ")  # the last row of the table


def test_nothing_that_a_server_says_reaches_the_terminal_as_a_command(
    capsys: pytest.CaptureFixture[str],
) -> None:
    gone = stream("a\x1b[2J", StreamState.WAITING, error="503 \x1b]0;title\x07", retry_in=2.0)
    LiveTable(RunConfig(sources=("camera:0",))).status(replace(STATUS, streams=(gone,)))
    told = capsys.readouterr().err
    assert r"a\x1b[2J: 503 \x1b]0;title\x07" in told
    assert "\x1b[2J" not in told
    assert "\x1b]" not in told


def test_what_is_cut_off_on_a_narrow_terminal_is_what_was_left_out() -> None:
    header = next(line for line in live_table(STATUS) if line.startswith("stream"))
    assert header.split()[-3:] == ["epoch", "left", "out"]
