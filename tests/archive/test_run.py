"""Archive runs: what comes out, what is done again, what is told apart."""

from __future__ import annotations

import json
import os
import shutil
from fractions import Fraction
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests.archive.conftest import Runner, make_archive, outputs
from tests.media import make_video
from vidinfer.archive.inspect import inspect
from vidinfer.archive.state import StateFolder
from vidinfer.config import RunConfig
from vidinfer.errors import UsageError
from vidinfer.progress import SilentObserver, StopSignal
from vidinfer.report import SourceReport
from vidinfer.run import run


class Seen(SilentObserver):
    """What a run told."""

    def __init__(self) -> None:
        self.todo: int | None = None
        self.warnings: list[str] = []
        self.finished: list[SourceReport] = []

    def planned(self, sources: int, units: int, todo: int) -> None:
        self.todo = todo

    def warning(self, text: str) -> None:
        self.warnings.append(text)

    def source_finished(self, report: SourceReport) -> None:
        self.finished.append(report)


def manifest(out: Path) -> dict[str, dict[str, object]]:
    rows = pq.read_table(out / "manifest.parquet").to_pylist()
    return {str(row["source"]): row for row in rows}


def test_labels_are_those_of_single_runs(tmp_path: Path, label_archive: Runner) -> None:
    archive = make_archive(tmp_path / "in")
    report = label_archive(archive, labels="jsonl,csv", processes=True, workers=2)
    assert report.exit_status == 0
    assert [source.status for source in report.sources] == ["complete"] * 4
    config = RunConfig(
        sources=(str(archive),),
        model="tests.archive.models:brightness",
        task="classification",
        backend="eager",
        labels=("jsonl", "csv"),
        out=tmp_path / "single",
    )
    run(config, observer=SilentObserver(), stop=StopSignal())
    ours, theirs = outputs(tmp_path / "out"), outputs(tmp_path / "single")
    labels = [name for name in theirs if ".labels." in name]
    assert len(labels) == 8
    assert {name: ours[name] for name in labels} == {name: theirs[name] for name in labels}


def test_the_manifest_and_the_reports_say_what_there_is(tmp_path: Path, label_archive: Runner) -> None:
    archive = make_archive(tmp_path / "in", clips=2)
    (archive / "text.mp4").write_text("no video")
    report = label_archive(archive)
    assert report.exit_status == 1
    rows = manifest(tmp_path / "out")
    assert {name: row["status"] for name, row in rows.items()} == {
        "clip0.mp4": "complete",
        "cam/clip1.mp4": "complete",
        "text.mp4": "failed",
    }
    row = rows["cam/clip1.mp4"]
    assert (row["decoded"], row["labelled"], row["width"], row["height"]) == (24, 24, 96, 64)
    found = outputs(tmp_path / "out")
    assert row["outputs"] == ["cam/clip1.labels.jsonl"]
    assert row["sha256"] == [found["cam/clip1.labels.jsonl"]]
    document = json.loads((tmp_path / "out/cam/clip1.run.json").read_text())
    assert document["status"] == "complete"
    assert document["frames"]["labelled"] == 24
    assert document["source"]["codec"] == "h264"
    assert "text.run.json" not in found


def test_a_second_run_does_nothing_and_changes_nothing(tmp_path: Path, label_archive: Runner) -> None:
    archive = make_archive(tmp_path / "in", clips=2)
    label_archive(archive)
    before = outputs(tmp_path / "out")
    seen = Seen()
    report = label_archive(archive, observer=seen)
    assert seen.todo == 0
    assert [source.status for source in report.sources] == ["skipped", "skipped"]
    assert report.exit_status == 0
    assert outputs(tmp_path / "out") == before


def test_moving_renaming_and_copying_label_nothing_again(tmp_path: Path, label_archive: Runner) -> None:
    archive = make_archive(tmp_path / "in", clips=2)
    label_archive(archive)
    (archive / "elsewhere").mkdir()
    (archive / "clip0.mp4").rename(archive / "elsewhere/renamed.mp4")
    shutil.copy(archive / "cam/clip1.mp4", archive / "copy.mp4")
    seen = Seen()
    report = label_archive(archive, observer=seen)
    assert seen.todo == 0
    assert report.exit_status == 0
    lines = (tmp_path / "out/elsewhere/renamed.labels.jsonl").read_text().splitlines()
    assert len(lines) == 24
    assert json.loads(lines[0])["source"] == "elsewhere/renamed.mp4"
    assert (tmp_path / "out/copy.labels.jsonl").exists()


def test_only_what_depends_on_a_touched_file_runs_again(tmp_path: Path, label_archive: Runner) -> None:
    archive = make_archive(tmp_path / "in", clips=3)
    label_archive(archive)
    before = outputs(tmp_path / "out")
    make_video(archive / "clip0.mp4", frames=30, first_number=7)
    seen = Seen()
    label_archive(archive, observer=seen)
    assert seen.todo == 1
    after = outputs(tmp_path / "out")
    changed = {name for name in after if after[name] != before[name]}
    assert changed == {"clip0.labels.jsonl", "clip0.run.json", "manifest.parquet"}


def test_a_time_that_changed_without_the_content_labels_nothing_again(
    tmp_path: Path, label_archive: Runner
) -> None:
    archive = make_archive(tmp_path / "in", clips=1)
    label_archive(archive)
    os.utime(archive / "clip0.mp4", (1, 1))
    seen = Seen()
    label_archive(archive, observer=seen)
    assert seen.todo == 0


@pytest.mark.parametrize("option", [{"top_k": 2}, {"fps": Fraction(5)}, {"max_batch_size": 3}])
def test_another_option_that_labels_depend_on_runs_all_again(
    tmp_path: Path, label_archive: Runner, option: dict[str, object]
) -> None:
    archive = make_archive(tmp_path / "in", clips=1)
    label_archive(archive)
    seen = Seen()
    label_archive(archive, observer=seen, **option)
    assert seen.todo == 1
    seen = Seen()
    label_archive(archive, observer=seen)  # and back: those units are there still
    assert seen.todo == 0


def test_another_format_is_made_of_the_same_units(tmp_path: Path, label_archive: Runner) -> None:
    archive = make_archive(tmp_path / "in", clips=1)
    label_archive(archive)
    seen = Seen()
    label_archive(archive, labels="jsonl,parquet", observer=seen)
    assert seen.todo == 0
    assert pq.read_table(tmp_path / "out/clip0.labels.parquet").num_rows == 24 * 3


def test_an_output_that_was_removed_or_cut_is_made_again(tmp_path: Path, label_archive: Runner) -> None:
    archive = make_archive(tmp_path / "in", clips=2)
    label_archive(archive)
    before = outputs(tmp_path / "out")
    (tmp_path / "out/clip0.labels.jsonl").unlink()
    cut = tmp_path / "out/cam/clip1.labels.jsonl"
    cut.write_bytes(cut.read_bytes()[:100])
    seen = Seen()
    label_archive(archive, observer=seen)
    assert seen.todo == 0
    assert outputs(tmp_path / "out") == before


@pytest.mark.parametrize("how", ["cut", "changed", "told otherwise"])
def test_a_unit_that_somebody_damaged_is_noticed_and_made_again(
    tmp_path: Path, label_archive: Runner, how: str
) -> None:
    archive = make_archive(tmp_path / "in", clips=1)
    label_archive(archive)
    before = outputs(tmp_path / "out")
    (unit,) = (tmp_path / "out/.vidinfer/units").rglob("*.parquet")
    data = bytearray(unit.read_bytes())
    if how == "cut":
        del data[-100:]
    elif how == "told otherwise":  # a bit of a count in the receipt: 24 frames become 34
        at = data.index(b'"decoded": 24') + len(b'"decoded": ')
        data[at] ^= 0x01
    else:
        data[data.index(b"\x28\xb5\x2f\xfd") + 9] ^= 0xFF
    unit.write_bytes(data)
    (tmp_path / "out/clip0.run.json").unlink()  # the outputs are to be made again
    seen = Seen()
    report = label_archive(archive, observer=seen)
    assert report.exit_status == 0
    assert any("made anew" in text for text in seen.warnings)
    assert outputs(tmp_path / "out") == before


@pytest.mark.parametrize("what", ["frames", "source", "model", "archive"])
def test_a_report_that_somebody_changed_vouches_for_nothing(
    tmp_path: Path, label_archive: Runner, what: str
) -> None:
    """It is made anew from the units, as the outputs are; it had gone into manifest and totals as it was."""
    archive = make_archive(tmp_path / "in", clips=1)
    label_archive(archive)
    before, path = outputs(tmp_path / "out"), tmp_path / "out/clip0.run.json"
    document = json.loads(path.read_text())
    for changed in ({}, document[what] | {"decoded": "x", "width": "x", "sha256": {}}):
        path.write_text(json.dumps(document | {what: changed}))
        seen = Seen()
        assert label_archive(archive, observer=seen).exit_status == 0
        assert seen.todo == 0
        assert outputs(tmp_path / "out") == before


def test_units_whose_names_somebody_exchanged_are_made_again(tmp_path: Path, label_archive: Runner) -> None:
    archive = make_archive(tmp_path / "in", clips=2)
    label_archive(archive)
    before = outputs(tmp_path / "out")
    one, other = (tmp_path / "out/.vidinfer/units").rglob("*.parquet")
    one.rename(tmp_path / "aside")
    other.rename(one)
    (tmp_path / "aside").rename(other)
    for report in (tmp_path / "out").rglob("*.run.json"):
        report.unlink()
    seen = Seen()
    assert label_archive(archive, observer=seen).exit_status == 0
    assert seen.todo == 2
    assert outputs(tmp_path / "out") == before


def test_equal_files_are_labelled_once(tmp_path: Path, label_archive: Runner) -> None:
    archive = make_archive(tmp_path / "in", clips=1)
    shutil.copy(archive / "clip0.mp4", archive / "cam/again.mp4")
    seen = Seen()
    label_archive(archive, observer=seen)
    assert seen.todo == 1
    assert manifest(tmp_path / "out").keys() == {"clip0.mp4", "cam/again.mp4"}


def test_two_runs_in_one_folder_are_refused(tmp_path: Path, label_archive: Runner) -> None:
    archive = make_archive(tmp_path / "in", clips=1)
    with (
        StateFolder(tmp_path / "out"),
        pytest.raises(UsageError, match=f"process {os.getpid()} on .* works on"),
    ):
        label_archive(archive)
    assert label_archive(archive).exit_status == 0


def test_a_folder_of_another_version_is_refused(tmp_path: Path, label_archive: Runner) -> None:
    archive = make_archive(tmp_path / "in", clips=1)
    label_archive(archive)
    (tmp_path / "out/.vidinfer/format").write_text("99\n")
    with pytest.raises(UsageError, match=r"another version.*remove"):
        label_archive(archive)


def test_outputs_of_something_else_are_not_replaced(tmp_path: Path, label_archive: Runner) -> None:
    archive = make_archive(tmp_path / "in", clips=1)
    (tmp_path / "out").mkdir()
    (tmp_path / "out/clip0.labels.jsonl").write_text("mine")
    with pytest.raises(UsageError, match="output exists"):
        label_archive(archive)
    with pytest.raises(UsageError, match="output exists"):  # nor by trying twice
        label_archive(archive)
    assert (tmp_path / "out/clip0.labels.jsonl").read_text() == "mine"


def test_a_stop_that_was_asked_for_is_an_interrupted_run(tmp_path: Path, label_archive: Runner) -> None:
    archive = make_archive(tmp_path / "in", clips=2)
    report = label_archive(archive, budget="0.001s")
    assert report.exit_status == 130
    assert {row["status"] for row in manifest(tmp_path / "out").values()} == {"interrupted"}
    assert label_archive(archive).exit_status == 0


def test_an_empty_clip_list_is_an_error(tmp_path: Path, label_archive: Runner) -> None:
    (tmp_path / "in").mkdir()
    with pytest.raises(OSError, match="without media"):
        label_archive(tmp_path / "in")


def test_what_is_there_more_than_once_or_cannot_be_read_is_counted_the_same_each_time(
    tmp_path: Path, label_archive: Runner
) -> None:
    archive = make_archive(tmp_path / "in", clips=3)
    for name in ("again.mp4", "cam/again.mp4"):
        shutil.copy(archive / "clip0.mp4", archive / name)
    (archive / "empty.mp4").touch()
    counted = []
    for _ in range(2):
        label_archive(archive)
        told = inspect(tmp_path / "out").status
        counted.append((told["sources"], told["units"]["total"], told["units"]["done"]))
    first = ({"total": 6, "done": 6, "failed": 1}, 3, 3)
    assert counted == [first, first]


def test_names_in_no_encoding(tmp_path: Path, label_archive: Runner) -> None:
    """The bytes are kept in the names of outputs; where text is asked for they are replaced, as in label files."""
    archive = make_archive(tmp_path / "in", clips=1)
    (archive / "clip0.mp4").rename(archive / os.fsdecode(b"caf\xe9.mp4"))
    assert label_archive(archive, labels="jsonl,parquet").exit_status == 0
    ((name, row),) = manifest(tmp_path / "out").items()
    assert (name, row["status"]) == ("caf\ufffd.mp4", "complete")
    assert row["outputs"] == ["caf\ufffd.labels.jsonl", "caf\ufffd.labels.parquet"]
    assert (tmp_path / "out" / os.fsdecode(b"caf\xe9.labels.jsonl")).exists()
    before, seen = outputs(tmp_path / "out"), Seen()
    label_archive(archive, labels="jsonl,parquet", observer=seen)
    assert [source.status for source in seen.finished] == ["skipped"], "its outputs are known again"
    assert outputs(tmp_path / "out") == before
