"""Images in archive runs: folders of numbered ones are one source each, others one source an image."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.archive.conftest import InProcess, Runner, make_archive, outputs
from tests.archive.test_run import Seen, manifest
from tests.source.test_images import draw
from vidinfer.archive.unit import Unit
from vidinfer.config import RunConfig
from vidinfer.progress import SilentObserver, StopSignal
from vidinfer.run import run

FORMATS = ("jsonl", "csv", "parquet")


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Two sequences, one of them with a number that is missing and a broken image, loose images, and a clip."""
    folder = make_archive(tmp_path / "in", clips=1)
    draw(folder / "day/seq", *((f"f{i:03}.png", i) for i in range(40, 100)))
    draw(folder / "gaps", *((f"{i}.jpg", i) for i in (1, 2, 3, 5, 8, 13)), size=(160, 120))
    (folder / "gaps/3.jpg").write_bytes(b"no image")
    draw(folder, ("loose.png", 7), ("other.jpg", 8), size=(320, 240))
    draw(folder, ("wide.png", 9), size=(640, 90))
    return folder


def lines(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_labels_are_those_of_a_single_run(tmp_path: Path, label_archive: Runner, photos: Path) -> None:
    report = label_archive(photos, labels=",".join(FORMATS), processes=True)
    assert report.exit_status == 1, "an image is broken"
    rows = manifest(tmp_path / "out")
    assert {name: row["status"] for name, row in rows.items()} == {
        "clip0.mp4": "complete",
        "day/seq": "complete",
        "gaps": "damaged",
        "loose.png": "complete",
        "other.jpg": "complete",
        "wide.png": "complete",
    }
    assert [rows[name]["decoded"] for name in ("day/seq", "gaps", "loose.png")] == [60, 5, 1]
    assert rows["day/seq"]["seconds"] == 60 / 25
    assert rows["gaps"]["gaps"] == 1

    sequence = lines(tmp_path / "out/day/seq.labels.jsonl")
    assert [(one["frame"], one["pts"], one["time_base"]) for one in sequence] == [
        (i, i, "1/25") for i in range(60)
    ]
    gaps = lines(tmp_path / "out/gaps.labels.jsonl")
    assert [one.get("pts", one.get("first_pts")) for one in gaps] == [0, 1, 2, 4, 7, 12]
    assert [one["outcome"] for one in gaps] == ["labelled", "labelled", "gap", *["labelled"] * 3]

    config = RunConfig(
        sources=(str(photos),),
        model="tests.archive.models:brightness",
        task="classification",
        backend="eager",
        precision="fp32",
        labels=FORMATS,
        out=tmp_path / "single",
    )
    run(config, observer=SilentObserver(), stop=StopSignal())
    ours, theirs = outputs(tmp_path / "out"), outputs(tmp_path / "single")
    labels = [name for name in theirs if ".labels." in name]
    assert len(labels) == 6 * len(FORMATS)
    assert {name: ours[name] for name in labels} == {name: theirs[name] for name in labels}


def test_a_second_run_labels_what_changed_only(tmp_path: Path, label_archive: Runner, photos: Path) -> None:
    label_archive(photos)
    before = outputs(tmp_path / "out")
    seen = Seen()
    label_archive(photos, observer=seen)
    assert seen.todo == 0
    assert outputs(tmp_path / "out") == before

    draw(photos / "gaps", ("3.jpg", 3), size=(160, 120))  # mended
    draw(photos, ("loose.png", 70), size=(320, 240))
    seen = Seen()
    assert label_archive(photos, observer=seen).exit_status == 0
    assert seen.todo == 2
    after = outputs(tmp_path / "out")
    assert {name for name in before if before[name] != after[name]} >= {
        "gaps.labels.jsonl",
        "gaps.run.json",
    }
    assert after["day/seq.labels.jsonl"] == before["day/seq.labels.jsonl"]


def test_a_folder_that_was_moved_is_known_by_its_images(
    tmp_path: Path, label_archive: Runner, photos: Path
) -> None:
    label_archive(photos)
    (photos / "day/seq").rename(photos / "elsewhere")
    seen = Seen()
    label_archive(photos, observer=seen)
    assert seen.todo == 0
    assert len(lines(tmp_path / "out/elsewhere.labels.jsonl")) == 60


class Growing(InProcess):
    """Somebody puts another image into a folder after it was planned."""

    def submit(self, unit: Unit, target: Path) -> None:
        if unit.path.name == "seq" and isinstance(unit.path, Path):
            draw(unit.path, ("f100.png", 100))
        super().submit(unit, target)


def test_a_folder_that_grows_meanwhile_fails(tmp_path: Path, label_archive: Runner, photos: Path) -> None:
    label_archive(photos, engine_factory=Growing)
    row = manifest(tmp_path / "out")["day/seq"]
    assert row["status"] == "failed"
    assert "changed since" in str(row["error"])
    assert not list((tmp_path / "out").rglob("seq.labels*"))
    label_archive(photos)
    assert manifest(tmp_path / "out")["day/seq"]["decoded"] == 61
