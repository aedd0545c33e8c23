"""Files that are divided into units: their labels are those of the whole, whatever becomes of a part."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from tests.archive.conftest import InProcess, Runner, outputs
from tests.archive.test_run import Seen, manifest
from tests.media import make_video
from vidinfer.archive.engine import Failed, Lost
from vidinfer.archive.header_reader import HeaderReader
from vidinfer.archive.labeller import UnitLabeller
from vidinfer.archive.unit import Unit
from vidinfer.errors import ModelError, SourceUnreachable
from vidinfer.source import Part, split


@pytest.fixture
def long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An archive of one clip that is long enough to be split."""
    monkeypatch.setattr("vidinfer.archive.planning.SPLIT_BYTES", 0)
    (tmp_path / "in").mkdir()
    make_video(tmp_path / "in/long.mp4", frames=100, gop=10, b_frames=2)
    return tmp_path / "in"


@pytest.mark.parametrize("form", ["jsonl", "csv", "parquet"])
def test_a_split_file_gives_the_labels_of_the_whole(
    tmp_path: Path, label_archive: Runner, long: Path, form: str
) -> None:
    seen = Seen()
    label_archive(long, unit_frames=20, observer=seen, labels=form)
    assert seen.todo == 5
    label_archive(long, out=tmp_path / "whole", labels=form)
    name = f"long.labels.{form}"
    assert outputs(tmp_path / "out")[name] == outputs(tmp_path / "whole")[name]
    document = json.loads((tmp_path / "out/long.run.json").read_text())
    whole = json.loads((tmp_path / "whole/long.run.json").read_text())
    assert document["frames"] == whole["frames"]
    assert document["source"]["found"] == whole["source"]["found"]
    assert len(document["archive"]["units"]) == 5


@pytest.mark.parametrize("options", [{"fps": Fraction(2)}, {"every": 3}, {"keyframes": True}, {"every": 11}])
def test_a_sampled_file_is_split_and_gives_the_labels_of_the_whole(
    tmp_path: Path, label_archive: Runner, long: Path, options: dict[str, object]
) -> None:
    seen = Seen()
    label_archive(long, unit_frames=4, observer=seen, **options)
    assert seen.todo is not None
    assert seen.todo > 1
    label_archive(long, out=tmp_path / "whole", **options)
    name = "long.labels.jsonl"
    assert outputs(tmp_path / "out")[name] == outputs(tmp_path / "whole")[name]
    document, whole = (json.loads((tmp_path / out / "long.run.json").read_text()) for out in ("out", "whole"))
    assert document["frames"] == whole["frames"]
    assert document["frames"]["decoded"] == 100
    told, usual = (of["source"]["found"]["selective_decoding"] for of in (document, whole))
    assert told["used"] == usual["used"]
    if usual["used"]:
        at_most = usual["frames_passed_over"]
        assert at_most - seen.todo < told["frames_passed_over"] <= at_most, (
            "the first of each part is decoded"
        )


def test_still_frames_of_a_split_file_begin_anew_with_each_part(
    tmp_path: Path, label_archive: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vidinfer.archive.planning.SPLIT_BYTES", 0)
    (tmp_path / "in").mkdir()
    make_video(
        tmp_path / "in/a.mp4", frames=100, gop=10, draw=lambda _, w, h: np.full((h, w, 3), 90, np.uint8)
    )
    seen = Seen()
    label_archive(tmp_path / "in", unit_frames=20, observer=seen, skip_static=True)
    assert seen.todo == 5
    lines = [json.loads(line) for line in (tmp_path / "out/a.labels.jsonl").read_text().splitlines()]
    frames = [line for line in lines if "frame" in line]
    assert len(frames) == 100
    begins = [line["by"] for line in frames if line["frame"] % 20 == 0]
    assert begins == ["model"] * 5
    assert all(line["from_frame"] // 20 == line["frame"] // 20 for line in frames if line["by"] != "model")
    still = json.loads((tmp_path / "out/a.run.json").read_text())["skip_static"]
    assert still["propagated"] == sum(line["by"] == "propagated" for line in frames) > 80


def test_a_file_whose_parts_cannot_be_had_is_labelled_in_one_go(
    tmp_path: Path, label_archive: Runner, long: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    label_archive(long, out=tmp_path / "whole")

    def wrong(self: HeaderReader, path: Path, frames: int, sampling: object) -> tuple[Part, ...]:
        parts = split(path, frames).parts
        return (*parts[:2], replace(parts[2], frames=parts[2].frames + 1), *parts[3:])

    with monkeypatch.context() as patch:
        patch.setattr(HeaderReader, "split", wrong)
        report = label_archive(long, unit_frames=20)
        shutil.copytree(long, tmp_path / "twice")
        shutil.copy(tmp_path / "twice/long.mp4", tmp_path / "twice/same.mp4")
        label_archive(tmp_path / "twice", unit_frames=20, out=tmp_path / "out2")
    assert report.exit_status == 0
    assert outputs(tmp_path / "out")["long.labels.jsonl"] == outputs(tmp_path / "whole")["long.labels.jsonl"]
    for out in ("out", "out2"):
        status = json.loads((tmp_path / out / ".vidinfer/status.json").read_text())
        assert status["units"] == {"total": 1, "done": 1, "quarantined": 0}
        assert status["share_done"] == 1
    seen = Seen()
    label_archive(long, unit_frames=20, observer=seen)
    assert seen.todo == 0, "it is remembered"


@pytest.mark.parametrize(
    "options",
    [
        {"max_frames": 53},
        {"start": Fraction(1)},
        {"start": Fraction(1), "end": Fraction(3)},
        {"duration": Fraction(3)},
        {"start": Fraction(1), "fps": Fraction(5), "max_frames": 9},
        {"every": 3, "fps": Fraction(2)},
        {"keyframes": True, "fps": Fraction(2)},
    ],
)
def test_a_range_is_split_and_gives_the_labels_of_one_unit(
    tmp_path: Path, label_archive: Runner, long: Path, options: dict[str, object]
) -> None:
    seen = Seen()
    label_archive(long, unit_frames=20 if "fps" not in options else 4, observer=seen, **options)
    assert seen.todo is not None
    assert seen.todo > 1
    label_archive(long, out=tmp_path / "whole", **options)
    name = "long.labels.jsonl"
    assert outputs(tmp_path / "out")[name] == outputs(tmp_path / "whole")[name]
    document, whole = (json.loads((tmp_path / out / "long.run.json").read_text()) for out in ("out", "whole"))
    assert document["frames"] == whole["frames"]
    found, usual = (of["source"]["found"] for of in (document, whole))
    for fact in ("first_pts", "gaps", "frames_corrupt", "variable_rate", "sizes"):
        assert found[fact] == usual[fact]


def test_a_part_that_was_given_up_is_a_gap(
    tmp_path: Path, label_archive: Runner, long: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its neighbours are labelled all the same."""

    def label(self: UnitLabeller, unit: Unit, target: Path) -> dict[str, object]:
        if unit.part.first == 40:
            raise ModelError("no")
        return whole(self, unit, target)

    whole = UnitLabeller.label
    monkeypatch.setattr(UnitLabeller, "label", label)
    report = label_archive(long, unit_frames=20)
    assert report.sources[0].status == "damaged"
    lines = [json.loads(line) for line in (tmp_path / "out/long.labels.jsonl").read_text().splitlines()]
    assert [line["frame"] for line in lines if line["outcome"] == "labelled"] == [*range(40), *range(60, 100)]
    (gap,) = (line for line in lines if line["outcome"] == "gap")
    assert lines.index(gap) == 40
    assert gap["reason"] == "given up: no"
    assert gap["first_pts"] < gap["last_pts"]


def test_a_part_that_nobody_answers_for_is_labelled_by_the_next_run(
    tmp_path: Path, label_archive: Runner, long: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is no gap for good: nothing is written, and of the file only that part is labelled again."""

    def label(self: UnitLabeller, unit: Unit, target: Path) -> dict[str, object]:
        if unit.part.first == 40:
            raise SourceUnreachable("not now")
        return whole(self, unit, target)

    label_archive(long, out=tmp_path / "whole")
    whole = UnitLabeller.label
    with monkeypatch.context() as patch:
        patch.setattr(UnitLabeller, "label", label)
        report = label_archive(long, unit_frames=20)
    assert [(one.status, one.error) for one in report.sources] == [("failed", "not now")]
    assert not (tmp_path / "out/long.labels.jsonl").exists()
    seen = Seen()
    assert label_archive(long, unit_frames=20, observer=seen).exit_status == 0
    assert seen.todo == 1
    name = "long.labels.jsonl"
    assert outputs(tmp_path / "out")[name] == outputs(tmp_path / "whole")[name]


class Moved(InProcess):
    """The file is away from its third part on."""

    begun = 0

    def submit(self, unit: Unit, target: Path) -> None:
        self.begun += 1
        if self.begun == 3:
            assert isinstance(unit.path, Path)
            unit.path.rename(unit.path.with_suffix(".away"))
        super().submit(unit, target)


def test_a_file_that_vanishes_half_way_has_no_outputs_and_is_finished_once_it_is_back(
    tmp_path: Path, label_archive: Runner, long: Path
) -> None:
    """Its rest had been told as gaps, and taken for complete by the next run."""
    label_archive(long, unit_frames=20, out=tmp_path / "whole")
    report = label_archive(long, unit_frames=20, engine_factory=Moved)
    assert [(one.status, one.outputs) for one in report.sources] == [("failed", ())]
    assert "it was there when the run was planned" in str(report.sources[0].error)
    assert outputs(tmp_path / "out").keys() == {"manifest.parquet"}
    (long / "long.away").rename(long / "long.mp4")
    seen = Seen()
    assert label_archive(long, unit_frames=20, observer=seen).exit_status == 0
    assert seen.todo == 3
    assert outputs(tmp_path / "out") == outputs(tmp_path / "whole")


class Refusing(InProcess):
    """The disk gives nothing of the second part, which the next run may find mended."""

    begun = 0

    def submit(self, unit: Unit, target: Path) -> None:
        self.begun += 1
        if self.begun == 2:
            self._events.append(Failed(unit, "source", "Input/output error"))
        else:
            super().submit(unit, target)


def test_a_part_that_cannot_be_read_is_a_gap_until_the_next_run(
    tmp_path: Path, label_archive: Runner, long: Path
) -> None:
    label_archive(long, unit_frames=20, out=tmp_path / "whole")
    report = label_archive(long, unit_frames=20, engine_factory=Refusing)
    assert [one.status for one in report.sources] == ["damaged"]
    labels = (tmp_path / "out/long.labels.jsonl").read_text()
    assert labels.count('"gap"') == 1
    assert "given up: Input/output error" in labels
    seen = Seen()
    assert label_archive(long, unit_frames=20, observer=seen).exit_status == 0
    assert seen.todo == 1
    assert outputs(tmp_path / "out") == outputs(tmp_path / "whole")


class Deadly(InProcess):
    """The second part takes its process along."""

    at: Unit | None = None
    begun = 0

    def submit(self, unit: Unit, target: Path) -> None:
        self.begun += 1
        if self.begun == 2 or unit == self.at:
            self.at = unit
            self._events.append(Lost(unit, "crashed", "its last words"))
        else:
            super().submit(unit, target)


def test_a_part_in_quarantine_is_told_each_time_and_tried_again_when_asked_for(
    tmp_path: Path, label_archive: Runner, long: Path
) -> None:
    """The outputs around it had been taken for complete, so nobody tried it again."""
    label_archive(long, unit_frames=20, out=tmp_path / "whole")
    assert label_archive(long, unit_frames=20, engine_factory=Deadly).exit_status == 1
    assert manifest(tmp_path / "out")["long.mp4"]["status"] == "damaged"
    before = outputs(tmp_path / "out")
    seen = Seen()
    assert label_archive(long, unit_frames=20, observer=seen).exit_status == 1, "it is still told"
    assert seen.todo == 0
    assert outputs(tmp_path / "out") == before
    assert label_archive(long, unit_frames=20, retry_quarantined=True).exit_status == 0
    assert outputs(tmp_path / "out") == outputs(tmp_path / "whole")
