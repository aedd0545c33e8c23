"""Outputs that fail one by one: each is complete or absent, and none takes the others with it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.integration.conftest import Runner, records
from tests.media import make_video
from vidinfer.config import RunConfig
from vidinfer.errors import SinkError
from vidinfer.outputs import check_free, name_outputs
from vidinfer.progress import SilentObserver, StopSignal
from vidinfer.report import SourceReport
from vidinfer.run import run


def test_an_output_that_cannot_get_its_name_leaves_the_others(tmp_path: Path, label_files: Runner) -> None:
    clip = make_video(tmp_path / "clip.mp4", frames=6)
    (tmp_path / "out" / "clip.labels.csv").mkdir(parents=True)  # in the way
    report = label_files(clip, labels=("jsonl", "csv"), overwrite=True)
    assert report.exit_status == 1
    assert "clip.labels.csv" in (report.sources[0].error or "")
    left = {p.name for p in (tmp_path / "out").iterdir() if p.is_file()}
    assert left <= {"clip.labels.jsonl"}
    if left:
        assert len(records(tmp_path / "out" / "clip.labels.jsonl")) == 6
    assert "clip.run.json" not in left  # nothing vouches for outputs that are not all there


def test_a_stop_asked_for_before_the_start_begins_nothing(tmp_path: Path) -> None:
    clip = make_video(tmp_path / "clip.mp4", frames=6)
    stop = StopSignal()
    stop.request()
    config = RunConfig(sources=(str(clip),), model="demo", out=tmp_path / "out")
    report = run(config, observer=SilentObserver(), stop=stop)
    assert [r.status for r in report.sources] == ["interrupted"]
    assert report.exit_status == 130
    assert not list(tmp_path.glob("out/*"))


@pytest.mark.parametrize("when", ["request", "abort"])
def test_a_stop_in_the_middle(tmp_path: Path, when: str) -> None:
    clips = [make_video(tmp_path / f"{n}.mp4", frames=400) for n in "ab"]
    stop = StopSignal()

    class Watcher(SilentObserver):
        finished: list[SourceReport]

        def __init__(self) -> None:
            self.finished = []

        def advanced(self, frames: int) -> None:
            getattr(stop, when)()

        def source_finished(self, report: SourceReport) -> None:
            self.finished.append(report)

    config = RunConfig(sources=tuple(map(str, clips)), model="demo", backend="eager", out=tmp_path / "out")
    report = run(config, observer=Watcher(), stop=stop)
    assert report.exit_status == 130
    assert [r.status for r in report.sources] == ["interrupted", "interrupted"]
    ledger = report.sources[0].ledger
    assert ledger is not None
    assert ledger.balanced
    names = sorted(p.name for p in (tmp_path / "out").iterdir()) if (tmp_path / "out").exists() else []
    if when == "abort":
        assert names == []
    else:
        assert names == ["a.labels.jsonl", "a.run.json"]
        assert 0 < len(records(tmp_path / "out" / "a.labels.jsonl")) < 400
        # What was interrupted is not finished: going on does it again, whole.
        again = replace(config, resume=True, every=20)
        assert [r.status for r in run(again, observer=SilentObserver(), stop=StopSignal()).sources] == [
            "complete"
        ] * 2
        assert len(records(tmp_path / "out" / "a.labels.jsonl")) == 20
        kept = run(again, observer=SilentObserver(), stop=StopSignal())
        assert [r.status for r in kept.sources] == ["skipped"] * 2


def test_a_report_that_cannot_be_read_vouches_for_nothing(tmp_path: Path, label_files: Runner) -> None:
    clip = make_video(tmp_path / "clip.mp4", frames=3)
    label_files(clip)
    (tmp_path / "out" / "clip.run.json").write_text("{")
    assert [r.status for r in label_files(clip, resume=True).sources] == ["complete"]


def test_standard_output_alone_is_never_done_already(
    tmp_path: Path, label_files: Runner, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    clip = make_video(tmp_path / "clip.mp4", frames=3)
    assert [r.status for r in label_files(clip, labels=("-",), resume=True).sources] == ["complete"]
    assert len(capfdbinary.readouterr().out.splitlines()) == 3


def test_names_mirror_and_never_collide(tmp_path: Path) -> None:
    names = name_outputs(["a.mp4", "a.mov", "b/a.mp4"], tmp_path, ["csv"], video=True)
    assert len({path for one in names for path in one.all}) == 9
    assert names[2].labels["csv"] == tmp_path / "b" / "a.labels.csv"
    assert names[0].video == tmp_path / "a.mp4.annotated.mp4"


def test_a_name_that_looks_like_another_with_its_suffix(tmp_path: Path) -> None:
    """``a.mp4`` beside ``a.mov`` keeps its suffix, which is all that ``a.mp4.mp4`` would be without its own."""
    sources = ["a.mp4", "a.mov", "a.mp4.mp4", "a.mp4.mp4.mp4", "b.mp4.mp4"]
    names = name_outputs(sources, tmp_path, ["csv"], video=False)
    stems = [one.labels["csv"].name.removesuffix(".labels.csv") for one in names]
    assert stems == ["a.mp4", "a.mov", "a.mp4.mp4", "a.mp4.mp4.mp4", "b.mp4"]


def test_names_that_leave_no_room_for_what_is_added_to_them(tmp_path: Path) -> None:
    sources = [f"b/{'é' * 125}1.mp4", f"b/{'é' * 125}2.mp4", f"{'x' * 231}.mp4", "a.mp4"]
    named = name_outputs(sources, tmp_path, ["parquet"], video=True)
    paths = [path for one in named for path in one.all]
    assert len(set(paths)) == 12
    for path in paths:
        path.parent.mkdir(exist_ok=True)
        path.touch()
    assert named[0].labels["parquet"].parent == tmp_path / "b"
    assert named[2].labels["parquet"].name == f"{'x' * 231}.labels.parquet"
    assert named == name_outputs(sources, tmp_path, ["parquet"], video=True)


def test_a_path_that_the_system_does_not_take_is_one_line(tmp_path: Path) -> None:
    (names,) = name_outputs(["a.mp4"], tmp_path / ("x" * 300), ["csv"], video=False)
    with pytest.raises(SinkError, match="File name too long; choose another --out"):
        check_free([names])


def test_a_long_name_does_not_end_a_run(tmp_path: Path, label_files: Runner) -> None:
    clip = make_video(tmp_path / "clip.mp4", frames=3)
    long = clip.rename(tmp_path / f"{'x' * 250}.mp4")
    report = label_files(long, labels=("jsonl", "parquet"), video=True)
    assert [source.status for source in report.sources] == ["complete"]
    (labels,) = (tmp_path / "out").glob("*.labels.jsonl")
    assert labels.name.startswith("x" * 222 + "~")
