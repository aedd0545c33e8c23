"""The command line under way in a process, watched by what it says and writes, and ended by signals."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.live.whole_runs import frames_of, records
from vidinfer.clock import MonotonicClock

__all__ = ["GENEROUS", "LONG", "Program", "ended", "grown", "program", "valid", "wait_for"]

GENEROUS = 5.0
"""Seconds from a signal to the end, on any machine; two are promised."""
LONG = 60.0


class Program:
    """The command line under way, in a process group of its own."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self._lines: list[str] = []
        self._changed = threading.Condition()
        self._reader = threading.Thread(target=self._read, name="reader")
        self._reader.start()

    @property
    def said(self) -> str:
        """On standard error so far."""
        with self._changed:
            return "".join(self._lines)

    def until(self, pattern: str) -> None:
        """Until it has said so."""
        with self._changed:
            in_time = self._changed.wait_for(lambda: re.search(pattern, "".join(self._lines)), LONG)
            assert in_time, f"{pattern} was not said: {''.join(self._lines)}"

    def end(self) -> None:
        self.process.kill()
        self._reader.join(LONG)

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            with self._changed:
                self._lines.append(line)
                self._changed.notify_all()


@contextmanager
def program(*arguments: str, variables: Mapping[str, str] | None = None) -> Iterator[Program]:
    """``vidinfer`` with ``arguments``, and ``variables`` in its environment; killed at the end of the block."""
    environment = os.environ | dict(variables or {})
    command = [sys.executable, "-m", "vidinfer", *arguments]
    with subprocess.Popen(
        command,
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
        env=environment,
        preexec_fn=_as_in_a_terminal,
    ) as p:
        running = Program(p)
        try:
            yield running
        finally:
            running.end()


def _as_in_a_terminal() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # these tests may run under nohup, which is handed down


def grown(out: Path, name: str, labels: int) -> bool:
    """The file that is being written has so many."""
    told = b'"outcome":"labelled"'
    return any(file.read_bytes().count(told) >= labels for file in out.glob(f".{name}.*.partial"))


def wait_for(what: Callable[[], bool], running: Program) -> None:
    """Look again every little while: another process cannot notify."""
    never, clock = threading.Event(), MonotonicClock()
    begun = clock.now()
    while not what():
        assert running.process.poll() is None, running.said
        assert clock.now() - begun < LONG, running.said
        never.wait(0.02)


def ended(running: Program, number: signal.Signals) -> float:
    """Seconds from the signal to the end of the process, which was the end of a run that was interrupted."""
    clock = MonotonicClock()
    begun = clock.now()
    running.process.send_signal(number)
    status = running.process.wait(LONG)
    took = clock.now() - begun
    assert status == 130, running.said
    return took


def valid(out: Path, *names: str) -> None:
    """Labels parse, videos play, reports balance; what there was no time to write at the end is counted."""
    assert not [file.name for file in out.iterdir() if "partial" in file.name]
    for name in names:
        lines = records(out, name)
        told = json.loads((out / f"{name}.run.json").read_text())
        frames, (labels, video) = told["frames"], told["sinks"]
        skipped = frames["skipped"].get("interrupted", 0)
        assert skipped <= 1, "but the one that its camera had in hand"
        assert labels["written"] + labels["dropped"] == frames["decoded"] - skipped + frames["gaps"]
        assert (len(lines), labels["lost"]) == (labels["written"], 0)
        shown = frames_of(lines)
        assert [one["frame"] for one in shown] == list(range(len(shown)))
        accounted = frames["labelled"] + sum(frames["skipped"].values()) + sum(frames["dropped"].values())
        assert frames["decoded"] == accounted + frames["corrupt"] + frames["failed"]
        pictures = 0
        for file in out.glob(f"{name}.*.annotated.mp4"):
            probe = ["ffprobe", "-v", "error", "-count_frames", "-select_streams", "v", "-of", "csv=p=0"]
            probe += ["-show_entries", "stream=nb_read_frames", str(file)]
            found = subprocess.run(probe, check=True, capture_output=True, text=True, timeout=LONG)
            assert not found.stderr
            pictures += int(found.stdout)
        assert pictures == video["frames"]
        drawn = video["frames"] + video["pictures_dropped"] + video["lost"]
        assert drawn == frames["labelled"] + frames["failed"]
