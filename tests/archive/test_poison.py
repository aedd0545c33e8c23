"""Files that take their process down: isolated, tried some times, put in quarantine; the rest goes on."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.archive.conftest import DEADLY, Poisoned, Runner, make_archive, make_plain, outputs
from tests.archive.test_run import Seen, manifest
from vidinfer.report import RunReport
from vidinfer.run_archive import TRIES

REASONS = {
    "red": "crashed: SIGSEGV",
    "blue": "no frame for 2 s",
    "green": "MiB of memory",
    "yellow": "failed on 3 batches in a row",
}


def check_isolated(report: RunReport, out: Path, poison: str, colour: str) -> None:
    """The file is in quarantine with the reason, and nothing else has suffered."""
    assert report.exit_status == 1
    rows = manifest(out)
    usual = {name: row["status"] for name, row in rows.items() if row["status"] != "failed"}
    assert usual == {"clip0.mp4": "complete", "cam/clip1.mp4": "complete", poison: "quarantined"}
    assert REASONS[colour] in str(rows[poison]["error"])
    (held,) = map(json.loads, (out / ".vidinfer/quarantine.jsonl").read_text().splitlines())
    assert held["tries"] == TRIES
    assert held["source"].endswith(poison)
    assert not [name for name in outputs(out) if name.startswith("poison") and ".labels." in name]


def test_a_file_that_crashes_costs_the_night_nothing(poisoned: Poisoned) -> None:
    check_isolated(poisoned.report, poisoned.out, poisoned.poison, "red")
    said = (poisoned.out / ".vidinfer/logs/worker-0.log").read_text()
    assert "Segmentation fault" in said, "of the last: nobody took its place, as nothing was left to do"


@pytest.mark.slow
@pytest.mark.parametrize("colour", ["blue", "green", "yellow"])
def test_a_poisonous_file_costs_the_night_nothing(tmp_path: Path, label_archive: Runner, colour: str) -> None:
    archive = make_archive(tmp_path / "in", clips=2)
    make_plain(archive / "poison.mp4", colour, 80 if colour == "yellow" else 8)
    report = label_archive(
        archive, model=DEADLY, stall=2 if colour == "blue" else 60, worker_memory=1500, processes=True
    )
    check_isolated(report, tmp_path / "out", "poison.mp4", colour)


def test_quarantine_lasts_until_somebody_asks_for_its_end(
    poisoned: Poisoned, tmp_path: Path, label_archive: Runner
) -> None:
    shutil.copytree(poisoned.out, tmp_path / "out")
    seen = Seen()
    again = label_archive(poisoned.archive, model=DEADLY, observer=seen)
    assert seen.todo == 0
    assert again.exit_status == 1, "it is still told"
    assert manifest(tmp_path / "out")[poisoned.poison]["status"] == "quarantined"

    seen = Seen()
    again = label_archive(
        poisoned.archive, model=DEADLY, retry_quarantined=True, observer=seen, processes=True
    )
    assert seen.todo == 1
    assert sum("tried again" in text for text in seen.warnings) == TRIES - 1, "counted from the beginning"
    assert again.exit_status == 1


def test_what_a_model_fails_on_now_and_then_is_labelled_in_part(
    tmp_path: Path, label_archive: Runner
) -> None:
    archive = tmp_path / "in"
    archive.mkdir()
    make_plain(archive / "one.mp4", "yellow", 8)
    report = label_archive(archive, model=DEADLY, processes=True)
    assert report.sources[0].status == "damaged"
    assert manifest(tmp_path / "out")["one.mp4"]["failed"] == 8
