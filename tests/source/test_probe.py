"""``probe`` tells claims from findings."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from tests.media import flip_bytes, make_video, patch_edit_list, truncate
from vidinfer.errors import SourceError
from vidinfer.source import probe


def probed(path: Path, *, quick: bool = False) -> dict[str, Any]:
    report = probe(path, quick=quick)
    assert json.loads(json.dumps(report)) == report
    return report


def test_a_whole_file(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    make_video(
        path, frames=30, gop=10, b_frames=2, audio="aac", sample_aspect_ratio=Fraction(4, 3), rotation=90
    )
    report = probed(path)
    assert [stream["type"] for stream in report["streams"]] == ["video", "audio"]
    assert report["streams"][1]["codec"] == "aac"
    video = report["video"]
    assert video["codec"] == "h264"
    assert video["stored_size"] == [64, 96]
    assert video["displayed_size"] == [96, 64]
    assert (video["rotation"], video["sample_aspect_ratio"]) == (90, "4:3")
    assert video["claimed"] == {"rate": "25", "frames": 30, "duration": pytest.approx(1.2)}
    assert video["packets"]["keyframes"] == 3
    assert video["packets"]["gop_lengths"] == {"min": 10, "median": 10, "max": 10}
    found = video["found"]
    assert (found["frames"], found["frames_corrupt"], found["frames_without_pts"]) == (30, 0, 0)
    assert found["b_frames"] > 0
    assert (found["first_pts"], found["last_pts"]) == (0, 29 * 512)
    assert found["steps"] == {"min": 512, "median": 512, "max": 512}
    assert found["variable_rate"] is False


def test_variable_rate(tmp_path: Path) -> None:
    pts = [0, 10, 20, 100, 110]
    path = make_video(tmp_path / "vfr.mkv", frames=5, pts=pts, time_base=Fraction(1, 1000))
    for part, quick in (("packets", True), ("found", False)):
        report = probed(path, quick=quick)["video"]
        assert report[part]["variable_rate"] is True
        assert report[part]["steps"] == {"min": 10, "median": 10, "max": 80}
        assert report[part]["distinct_steps"] == 2


def test_quick_does_not_decode_the_rest(tmp_path: Path) -> None:
    path = make_video(tmp_path / "clip.avi", frames=20, b_frames=2)
    video = probed(path, quick=True)["video"]
    assert "found" not in video
    assert video["packets"]["packets"] == 20
    assert video["packets"]["first_pts"] == 0
    assert video["packets"]["last_pts"] == 19


def test_what_is_missing_is_found(tmp_path: Path) -> None:
    path = make_video(tmp_path / "clip.mp4", frames=60, options={"movflags": "faststart"})
    video = probed(truncate(path, keep=0.6))["video"]
    assert video["claimed"]["frames"] == 60
    assert video["found"]["frames"] < 60
    assert video["found"]["frames"] + video["found"]["packets_lost"] == 60
    assert video["found"]["gap_list"]


def test_damage_is_found(tmp_path: Path) -> None:
    path = flip_bytes(make_video(tmp_path / "clip.mp4", frames=60), start=0.4, end=0.6, every=211)
    found = probed(path)["video"]["found"]
    assert found["frames_corrupt"] > 0


def test_hidden_frames_are_told(tmp_path: Path) -> None:
    path = patch_edit_list(make_video(tmp_path / "cut.mp4", frames=30, gop=10), media_time=5 * 512)
    video = probed(path)["video"]
    assert video["packets"]["hidden_by_edit_list"] == 5
    assert video["found"]["frames"] == 25


def test_not_media(tmp_path: Path) -> None:
    path = tmp_path / "notes.mp4"
    path.write_text("no film\n" * 99)
    with pytest.raises(SourceError, match="not media"):
        probe(path)
