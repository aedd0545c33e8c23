"""``vidinfer plan``, as it is typed."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.media import make_video
from vidinfer.cli.main import main


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    folder = tmp_path / "in"
    folder.mkdir()
    make_video(folder / "a.mp4", frames=60, gop=15)
    make_video(folder / "b.mkv", frames=50, gop=25)
    shutil.copy(folder / "a.mp4", folder / "c.mp4")
    return folder


def test_headers_only(archive: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", str(archive), "--no-sample"]) == 0
    out = capsys.readouterr().out
    assert "3 files" in out
    assert "duplicate" in out
    assert "h264" in out
    assert "cannot be read" not in out
    assert "expected" not in out


def test_duplicates_cost_what_the_run_makes_of_them(
    archive: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Worker processes label each content once, one process each file; outputs are of each file in both."""
    told, words = {}, ["--model", "demo", "--backend", "eager", "--precision", "fp32"]
    for engine in ("local", "none"):
        assert main(["plan", str(archive), *words, "--engine", engine, "--sample", "2s", "--json"]) == 0
        told[engine] = json.loads(capsys.readouterr().out)
    assert told["local"]["frames_to_decode"] == 110
    assert told["none"]["frames_to_decode"] == 170
    assert told["none"]["expected"]["output_bytes"] == told["local"]["expected"]["output_bytes"]
    assert main([str(archive), *words, "--engine", "none", "-q", "--out", str(tmp_path / "out")]) == 0
    written = sum(path.stat().st_size for path in (tmp_path / "out").glob("*.labels.jsonl"))
    assert told["none"]["expected"]["output_bytes"]["value"] == pytest.approx(written, rel=0.2)


def test_what_cannot_be_read_is_listed_and_counts(archive: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (archive / "text.mp4").write_text("nothing")
    assert main(["plan", str(archive), str(archive / "gone.mp4"), "--no-sample", "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert {kind: sums["files"] for kind, sums in told["kinds"].items()} == {
        "video": 2,
        "image": 0,
        "duplicate": 1,
        "foreign": 1,
        "broken": 0,
    }
    assert [Path(one["path"]).name for one in told["problems"]] == ["text.mp4"]
    assert len(told["missing"]) == 1
    assert told["usable"]["frames"] == 110
    assert told["frames_to_decode"] == 110
    assert told["formats"][0]["codec"] == "h264"
    assert told["expected"] is None


def test_without_the_model_the_headers_are_told(
    archive: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    gone = ["--model", "resnet18", "--weights", str(tmp_path / "gone.pth")]
    assert main(["plan", str(archive), *gone]) == 1
    out = capsys.readouterr().out
    assert "3 files" in out
    assert "the time could not be measured: " in out
    assert "gone.pth" in out
    assert main(["plan", str(archive), *gone, "--json"]) == 1
    assert "gone.pth" in json.loads(capsys.readouterr().out)["unmeasured"]


def test_time_bytes_and_cost_with_intervals(archive: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = [
        *("--model", "demo", "--backend", "eager", "--precision", "fp32", "--sample", "2s", "--seed", "3"),
        *("--price-per-hour", "3600", "--json"),
    ]
    assert main(["plan", str(archive), *words]) == 0
    expected = json.loads(capsys.readouterr().out)["expected"]
    for what in ("seconds", "output_bytes", "cost"):
        assert 0 < expected[what]["low"] <= expected[what]["value"] <= expected[what]["high"]
    assert expected["cost"]["value"] == pytest.approx(expected["seconds"]["value"])
    assert expected["sample"]["pieces"] == 8
    assert expected["sample"]["seed"] == 3
    assert list(archive.parent.iterdir()) == [archive]  # nothing was written


def test_the_same_for_people(archive: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert (
        main(
            [
                "plan",
                str(archive),
                "--model",
                "demo",
                "--backend",
                "eager",
                "--precision",
                "fp32",
                "--sample",
                "1",
                "--price-per-hour",
                "2",
            ]
        )
        == 0
    )
    out = capsys.readouterr().out
    for words in (
        "to label",
        "expected on this machine, 110 frames",
        "in 90 % of",
        "cost",
        "measured: 4 pieces",
        "come on top",
    ):
        assert words in out


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ([], "no SOURCE given"),
        (["x", "--sample", "0"], "more than 0 seconds"),
        (["x", "--sample", "soon"], "--sample soon: expected"),
        (["x", "--price-per-hour", "-1"], "--price-per-hour -1: expected"),
        (["x", "--no-smaple"], "did you mean --no-sample"),
        (["rtsp://cam/1"], "this is for files"),
    ],
)
def test_mistakes_are_one_line(words: list[str], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", *words]) == 2
    err = capsys.readouterr().err
    assert says in err
    assert err.count("\n") == 1
