"""``probe`` and ``doctor`` on real files and this installation."""

from __future__ import annotations

import json
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import pytest

from tests.media import flip_bytes, make_video
from vidinfer.cli.checks import Finding, examine
from vidinfer.cli.doctor import report_text
from vidinfer.cli.main import main


def test_probe_tells_what_is_found_and_what_is_claimed(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    pts = [0, 40, 90, 91, 400, 1000]
    clip = make_video(tmp_path / "clip.mkv", frames=6, pts=pts, time_base=Fraction(1, 1000))
    assert main(["probe", str(clip)]) == 0
    out, err = capfd.readouterr()
    assert err == ""
    assert out.startswith(f"{clip}: Matroska")
    assert "6 found, none claimed" in out
    assert "variable rate: steps of 0.001 to 0.6 s, pts 0 to 1000" in out
    assert "damage" in out
    assert "none found" in out


def test_probe_of_turned_and_damaged_files(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    turned = make_video(tmp_path / "turned.mp4", frames=3, size=(160, 96), rotation=90)
    damaged = make_video(tmp_path / "damaged.mp4", frames=60, size=(160, 96), gop=10)
    flip_bytes(damaged, start=0.4, end=0.5)
    assert main(["probe", str(turned), str(damaged)]) == 0
    out = capfd.readouterr().out
    assert ", 160x96, " in out
    assert "90 degrees clockwise; stored as 96x160" in out
    assert "corrupt" in out or "lost" in out


def test_probe_json_and_a_file_that_is_none(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    clip = make_video(tmp_path / "clip.mp4", frames=6)
    text = tmp_path / "text.mp4"
    text.write_text("no video")
    assert main(["probe", "--json", str(text), str(clip), "missing.mp4"]) == 1
    out, err = capfd.readouterr()
    (facts,) = map(json.loads, out.splitlines())
    assert facts["source"] == "clip.mp4"
    assert facts["video"]["found"]["frames"] == 6
    assert [line.startswith("vidinfer: ") for line in err.splitlines()] == [True, True]
    assert "text.mp4" in err
    assert "missing.mp4" in err


def test_doctor_finds_this_installation_in_order(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--json"]) == 0
    report = json.loads(capfd.readouterr().out)
    assert report["ok"]
    found = {finding["name"]: finding for finding in report["findings"]}
    assert "5 of 5 frames" in found["write and read"]["found"]
    assert "vp9" in found["decoders"]["found"]
    assert found["inference"]["status"] == "ok"


def test_doctor_tells_of_two_opencvs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    for name in ("opencv_python", "opencv_python_headless"):
        folder = tmp_path / f"{name}-4.99.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {name.replace('_', '-')}\nVersion: 4.99\n"
        )
    monkeypatch.syspath_prepend(str(tmp_path))
    assert main(["doctor"]) == 1
    out = capfd.readouterr().out
    assert "PROBLEM  opencv" in out
    assert "-> pip uninstall -y opencv-python opencv-python-headless && pip install opencv-python" in out
    assert out.splitlines()[-1].endswith("need attention")


def test_a_check_that_breaks_is_a_finding() -> None:
    def broken() -> Iterator[Finding]:
        yield Finding("first", "ok", "fine")
        raise ImportError("libGL.so.1: cannot open shared object file")

    findings = list(examine("opencv", broken))
    assert [finding.status for finding in findings] == ["ok", "problem"]
    text = report_text(findings)
    assert "PROBLEM  opencv  ImportError: libGL.so.1" in text
    assert "->" in text
    assert text.endswith("1 of 2 need attention")
