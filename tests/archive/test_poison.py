"""Files that take their process down: isolated, tried some times, put in quarantine; the rest goes on."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.archive.conftest import Runner, make_archive, make_plain, outputs
from tests.archive.test_run import Seen, manifest
from vidinfer.run_archive import TRIES

DEADLY = "tests.archive.models:deadly"
REASONS = {
    "red": "crashed: SIGSEGV",
    "blue": "no frame for 2 s",
    "green": "MiB of memory",
    "yellow": "failed on 3 batches in a row",
}


@pytest.mark.parametrize(
    "colour",
    ["red", *(pytest.param(colour, marks=pytest.mark.slow) for colour in ("blue", "green", "yellow"))],
)
def test_a_poisonous_file_costs_the_night_nothing(tmp_path: Path, label_archive: Runner, colour: str) -> None:
    archive = make_archive(tmp_path / "in", clips=2)
    frames = 80 if colour == "yellow" else 8
    make_plain(archive / "poison.mp4", colour, frames)
    seen = Seen()
    options = {
        "model": DEADLY,
        "stall": 2 if colour == "blue" else 60,
        "worker_memory": 1500,
        "processes": True,
    }
    report = label_archive(archive, observer=seen, **options)
    assert report.exit_status == 1
    rows = manifest(tmp_path / "out")
    assert {name: row["status"] for name, row in rows.items()} == {
        "clip0.mp4": "complete",
        "cam/clip1.mp4": "complete",
        "poison.mp4": "quarantined",
    }
    assert REASONS[colour] in str(rows["poison.mp4"]["error"])
    (held,) = map(json.loads, (tmp_path / "out/.vidinfer/quarantine.jsonl").read_text().splitlines())
    assert held["tries"] == TRIES
    assert held["source"].endswith("poison.mp4")
    assert "poison.labels.jsonl" not in outputs(tmp_path / "out")

    seen = Seen()
    again = label_archive(archive, observer=seen, **options)
    assert seen.todo == 0
    assert again.exit_status == 1, "it is still told"
    assert manifest(tmp_path / "out")["poison.mp4"]["status"] == "quarantined"


def test_quarantine_ends_when_somebody_asks_for_it(tmp_path: Path, label_archive: Runner) -> None:
    archive = tmp_path / "in"
    archive.mkdir()
    make_plain(archive / "poison.mp4", "red")
    label_archive(archive, model=DEADLY, processes=True)
    seen = Seen()
    report = label_archive(archive, model=DEADLY, retry_quarantined=True, observer=seen, processes=True)
    assert seen.todo == 1
    assert sum("tried again" in text for text in seen.warnings) == TRIES - 1, "counted from the beginning"
    assert report.exit_status == 1


def test_what_a_model_fails_on_now_and_then_is_labelled_in_part(
    tmp_path: Path, label_archive: Runner
) -> None:
    archive = tmp_path / "in"
    archive.mkdir()
    make_plain(archive / "one.mp4", "yellow", 8)
    report = label_archive(archive, model=DEADLY, processes=True)
    assert report.sources[0].status == "damaged"
    assert manifest(tmp_path / "out")["one.mp4"]["failed"] == 8
