"""``--skip-static`` over an archive: how much was propagated, and how often wrongly, of each file and of all."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tests.archive.conftest import Runner
from tests.archive.test_report import parsed, words
from tests.media import make_video
from vidinfer.cli.summary import run_line
from vidinfer.report import RunReport


def grey(number: int, width: int, height: int) -> NDArray[np.uint8]:
    """The same for 40 frames, then another for 40."""
    return np.full((height, width, 3), 60 + 100 * (number // 40 % 2), np.uint8)


def test_the_audit_is_told_of_each_file_and_of_all(tmp_path: Path, label_archive: Runner) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for i in range(3):
        make_video(folder / f"clip{i}.mp4", frames=200, size=(64, 48), draw=grey, first_number=i)
    report = label_archive(folder, skip_static=True)
    files = [json.loads((tmp_path / f"out/clip{i}.run.json").read_text()) for i in range(3)]
    for file in files:
        still, frames = file["skip_static"], file["frames"]
        assert frames["propagated"] == still["propagated"] > 100
        assert still["audited"] >= 1
        assert 0 <= still["interval_95"][0] <= still["miss_rate"] <= still["interval_95"][1] <= 1
        assert file["source"]["frames_claimed"] == frames["decoded"] == 200
    propagated, audited = (sum(f["skip_static"][name] for f in files) for name in ("propagated", "audited"))
    assert f"; {propagated} of them propagated, 0 of {audited} checked were wrong: 0.0 %" in run_line(report)
    done = words(parsed(tmp_path / "out"), "done")
    assert f"{propagated} of the labelled frames looked like one before and got its labels." in done
    assert f"Of {audited} such frames that the model saw all the same, 0 would have been wrong: 0 %" in done
    again = label_archive(folder, skip_static=True)
    assert "propagated" not in run_line(again), "nothing was done"
    assert files[0]["skip_static"] == json.loads((tmp_path / "out/clip0.run.json").read_text())["skip_static"]


def test_without_it_nothing_is_said(tmp_path: Path, label_archive: Runner) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    make_video(folder / "clip.mp4", frames=20, size=(64, 48), draw=grey)
    report: RunReport = label_archive(folder)
    assert "propagated" not in run_line(report)
    assert "looked like one before" not in words(parsed(tmp_path / "out"), "done")
    assert "skip_static" not in json.loads((tmp_path / "out/clip.run.json").read_text())
