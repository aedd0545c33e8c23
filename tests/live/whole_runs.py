"""Whole live runs on a thread of their own: watched by their status, ended by a stop, and checked to the last frame.

A slow machine drops frames, by rule. Where that is not what a test is about, its runs are ``patient``: then whatever is
missing was lost, and accounts are exact on any machine.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from tests.live.servers import TICKS
from tests.media import read_number
from vidinfer.config import RunConfig
from vidinfer.detections import Objects, Results
from vidinfer.live.waiting import PICTURES
from vidinfer.progress import SilentObserver, StopSignal
from vidinfer.report import RunReport, SourceReport
from vidinfer.run_live import run_live
from vidinfer.scheduling import Settings
from vidinfer.status import LiveStatus, StreamState, StreamStatus
from vidinfer.testing import FakeModel
from vidinfer.workers import Workers

__all__ = [
    "UNREADABLE",
    "ReadingModel",
    "WholeRun",
    "labelled",
    "live_run",
    "numbers_in",
    "of_the_clip",
    "patient",
    "records",
    "sizes_in_turn",
    "sound",
    "to_each_its_own",
    "told_everywhere",
    "unharmed",
    "videos_of",
]

LONG = 40.0
"""Seconds after which a test has failed rather than waited."""
UNREADABLE = 9999
"""What the reading model says of a picture without a number."""


PATIENCE = 500
"""Frames of a stream that may wait in a patient run: twenty seconds of 25."""


def patient(patch: pytest.MonkeyPatch) -> None:
    """Let no frame of a live run give way, whatever the time, nor a picture, and its outputs end when they are done."""
    patch.setattr(
        "vidinfer.run_live.Settings", partial(Settings, max_queue_size=PATIENCE, max_staleness=3600.0)
    )
    patch.setattr("vidinfer.live.outlet.PICTURES", replace(PICTURES, pictures=None))
    patch.setattr("vidinfer.run_live.CLOSING", LONG)


class ReadingModel(FakeModel):
    """Finds one box whose x2 is the number that is drawn into the picture: labels tell which frame they are of."""

    def predict(self, batch: NDArray[Any], width: int, height: int) -> Results:
        """``UNREADABLE`` where there is no number."""
        super().predict(batch, width, height)
        n = len(batch)
        boxes = np.zeros((n, 4), np.float32)
        boxes[:, 2] = [_number(picture) for picture in batch]
        boxes[:, 3] = height
        found = Objects(np.arange(n + 1, dtype=np.int64), boxes, np.ones(n, np.float32), np.ones(n, np.int64))
        return Results(n, self.info.categories, objects=found)


class WholeRun(SilentObserver):
    """A run under way. Thread rule: one test thread."""

    def __init__(self, out: Path, options: dict[str, Any]) -> None:
        self.out = out
        self.stop = StopSignal()
        self.report: RunReport | None = None
        self.url: str | None = None
        self.seen: list[LiveStatus] = []
        self._config = RunConfig(mode="live", out=out, **options)
        self._changed = threading.Condition()
        self._over = False

    def live_started(self, streams: Sequence[str], url: str | None) -> None:
        """Where the preview is."""
        with self._changed:
            self.url = url

    def status(self, status: LiveStatus) -> None:
        """Kept, for ``until`` and for the test."""
        with self._changed:
            self.seen.append(status)
            self._changed.notify_all()

    def run(self) -> None:
        """To its end."""
        try:
            self.report = run_live(self._config, observer=self, stop=self.stop)
        finally:
            with self._changed:
                self._over = True
                self._changed.notify_all()

    def until(self, what: Callable[[LiveStatus], object], seconds: float = LONG) -> LiveStatus:
        """The first status from now on that ``what`` holds for.

        Raises:
            AssertionError: none came, or the run is over.
        """
        with self._changed:
            looked = len(self.seen)

            def found() -> bool:
                nonlocal looked
                while looked < len(self.seen):
                    if what(self.seen[looked]):
                        return True
                    looked += 1
                return self._over

            in_time = self._changed.wait_for(found, seconds)
            last = self.seen[-1] if self.seen else None
            assert in_time, f"not within {seconds} s; last seen: {last}"
            assert looked < len(self.seen), f"the run ended before; last seen: {last}"
            return self.seen[looked]

    def over(self) -> None:
        """Wait for a run that ends by itself."""
        with self._changed:
            assert self._changed.wait_for(lambda: self._over, LONG), "it does not end"

    def until_live(self, stream: int = 0, *, epoch: int = 1, frames: int = 5) -> StreamStatus:
        """The stream is live in this epoch or a later one, and has so many labels in all."""
        status = self.until(
            lambda status: (
                (one := status.streams[stream]).epoch >= epoch
                and one.state is StreamState.LIVE
                and one.ledger.labelled >= frames
            )
        )
        return status.streams[stream]

    def until_more(self, stream: int, frames: int) -> StreamStatus:
        """So many more frames of the stream were decoded."""
        before = self.seen[-1].streams[stream].ledger.decoded if self.seen else 0
        status = self.until(lambda status: status.streams[stream].ledger.decoded >= before + frames)
        return status.streams[stream]


@contextmanager
def live_run(*sources: str | Path, out: Path, **options: Any) -> Iterator[WholeRun]:
    """Label ``sources`` while the block runs, then stop; ``report`` is there afterwards."""
    run = WholeRun(out, {"sources": tuple(map(str, sources)), **options})
    with Workers(run.stop.abort) as workers:
        workers.start("test-run", run.run)
        try:
            yield run
        finally:
            run.stop.request()


def sound(run: WholeRun, *, lost: Sequence[int] = ()) -> RunReport:
    """What must hold at the end of any run, whatever happened in it; streams ``lost`` had outlets that lost records."""
    report = run.report
    assert report is not None
    for number, source in enumerate(report.sources):
        ledger = source.ledger
        assert ledger is not None
        assert ledger.balanced, (source.source, ledger)
        assert set(ledger.skipped) <= {"interrupted"}, ledger
        assert ledger.skipped.get("interrupted", 0) <= 1, "but the one that its camera had in hand"
        _all_pictures_told(run.out, source)
        if number not in lost:
            lines = frames_of(records(run.out, source.source))
            told = ledger.decoded - ledger.skipped.get("interrupted", 0)
            assert [one["frame"] for one in lines] == list(range(told)), source.source
            assert sum(one["outcome"] == "labelled" for one in lines) == ledger.labelled
            epochs = [one["epoch"] for one in records(run.out, source.source)]  # of gaps as well
            assert epochs == sorted(epochs)
    if run.out.exists():
        left = [file.name for file in run.out.iterdir() if "partial" in file.name]
        assert not left
    threads = [one.name for one in threading.enumerate() if one.name.startswith("vidinfer-")]
    assert not threads
    return report


def records(out: Path, name: str) -> list[dict[str, Any]]:
    """All lines of a stream, in the order of its files."""
    files = sorted(out.glob(f"{name}.*.labels.jsonl"), key=_order)
    return [json.loads(line) for file in files for line in file.read_text().splitlines()]


def frames_of(lines: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Those that are of frames, and not of gaps."""
    return [one for one in lines if one["outcome"] != "gap"]


def labelled(lines: Sequence[dict[str, Any]], epoch: int | None = None) -> list[dict[str, Any]]:
    """Those with labels, of one epoch or of all."""
    return [one for one in lines if one["outcome"] == "labelled" and epoch in (None, one["epoch"])]


def numbers_in(lines: Sequence[dict[str, Any]]) -> list[int]:
    """The numbers that the model has read in the pictures."""
    return [round(one["objects"][0]["box"][2]) for one in lines if one["outcome"] == "labelled"]


def of_the_clip(sent: int) -> int:
    """What is drawn into the picture that a camera sends after ``sent`` others, of the clip from its beginning."""
    return sent % 500


def to_each_its_own(lines: Sequence[dict[str, Any]], drawn: Callable[[int], int] = of_the_clip) -> None:
    """Every label is that of its own picture: what the model read is what the frame's time says.

    Args:
        lines: all records of one epoch.
        drawn: the number in each picture that was sent, by how many were sent before it in this connection.
    """
    sent = _sent(lines)
    shown = [i for i, one in enumerate(lines) if one["outcome"] == "labelled"]
    assert numbers_in(lines) == [drawn(sent[i]) for i in shown]


def unharmed(
    run: WholeRun, name: str = "well", drawn: Callable[[int], int] = of_the_clip, *, group: int = 10
) -> None:
    """Every picture of a camera is labelled, as itself, over one connection; for patient runs.

    On a machine so slow that seconds were made up for, packets were left out before decoding, and each is counted.

    Args:
        drawn: as for ``to_each_its_own``.
        group: pictures from one keyframe to the next.
    """
    assert run.report is not None
    source = next(one for one in run.report.sources if one.source == name)
    lines = records(run.out, name)
    assert {(one["outcome"], one["epoch"]) for one in lines} == {("labelled", 1)}
    assert [one["frame"] for one in lines] == list(range(len(lines)))
    to_each_its_own(lines, drawn)
    facts: Any = source.details["source"]
    assert (facts["connections"], facts["reconnects"]) == (1, 0)
    left_out = sum(facts["packets_shed"].values()) - (_sent(lines)[-1] + 1 - len(lines))
    assert 0 <= left_out < group, "behind the last frame there can be such up to the next keyframe"
    ledger = source.ledger
    assert ledger is not None
    assert (ledger.labelled, ledger.dropped) == (len(lines), {})
    assert (ledger.corrupt, ledger.failed, ledger.gaps, ledger.packets_lost) == (0, 0, 0, 0)


def videos_of(out: Path, name: str) -> list[tuple[int, int, int]]:
    """Width, height and pictures of each segment, in the order of their names."""
    found = []
    for file in sorted(out.glob(f"{name}.*.annotated.mp4"), key=_order):
        with av.open(str(file)) as container:
            stream = container.streams.video[0]
            found.append((stream.width, stream.height, sum(1 for _ in container.decode(stream))))
    return found


def sizes_in_turn(videos: Sequence[tuple[int, int, int]]) -> list[tuple[int, int]]:
    """As they changed."""
    return [size for size, _ in groupby(one[:2] for one in videos)]


def told_everywhere(run: WholeRun) -> str:
    """Everything that a run has written or said."""
    files = "".join(file.read_bytes().decode("latin-1") for file in sorted(run.out.iterdir()))
    return files + repr(run.seen) + repr(run.report)


def _all_pictures_told(out: Path, source: SourceReport) -> None:
    """What was to be drawn is in the files, or counted by who left it out."""
    ledger, sinks = source.ledger, source.details["sinks"]
    assert ledger is not None
    assert isinstance(sinks, list)
    for sink in sinks:
        if "pictures_dropped" in sink:
            assert sum(pictures for _, _, pictures in videos_of(out, source.source)) == sink["frames"]
            told = sink["frames"] + sink["pictures_dropped"] + sink["lost"]
            assert told == ledger.labelled + ledger.failed, (source.source, sink)


def _sent(lines: Sequence[dict[str, Any]]) -> list[int]:
    """How many pictures the camera sent before each of these, in one connection: its clock begins with the first.

    FFmpeg gives that one no time.
    """
    assert all(one["pts"] is not None for one in lines[1:])
    ticks = [one["pts"] or 0 for one in lines]
    assert all(tick % TICKS == 0 for tick in ticks)
    return [tick // TICKS for tick in ticks]


def _order(file: Path) -> tuple[str, int]:
    stamp, _, number = file.name.split(".")[-3].partition("_")
    return stamp, int(number or 1)


def _number(picture: NDArray[Any]) -> int:
    try:
        return read_number(picture)
    except ValueError:
        return UNREADABLE
