"""The command line without a model: help, options, and mistakes told in one line."""

from __future__ import annotations

import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import pytest

from vidinfer.cli.bench import bench_parser
from vidinfer.cli.doctor import doctor_parser
from vidinfer.cli.main import main
from vidinfer.cli.models import models_parser
from vidinfer.cli.probe import probe_parser
from vidinfer.cli.run import read_config, run_parser
from vidinfer.cli.tune import tune_parser
from vidinfer.config import OPTIONS, RunConfig
from vidinfer.errors import UsageError

HEAVY = ("torch", "torchvision", "av", "cv2", "pyarrow", "yaml", "tqdm")


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["run", "--help"],
        ["probe", "--help"],
        ["models", "-h"],
        ["doctor", "-h"],
        ["tune", "--help"],
        ["bench", "-h"],
        ["--version"],
        [],
    ],
)
def test_help_and_usage_errors_load_nothing_heavy(arguments: list[str]) -> None:
    code = (
        "import sys\nfrom vidinfer.cli.main import main\n"
        f"try: main({arguments!r})\nexcept SystemExit: pass\n"
        f"print([m for m in {HEAVY!r} if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_help_names_every_option_and_command() -> None:
    text = run_parser().format_help()
    for option in OPTIONS.values():
        assert f"{option.flag}" in text
    for command in ("probe", "models", "doctor", "tune", "bench"):
        assert f"vidinfer {command}" in text
    assert "--no-video" not in text
    for parser in (probe_parser, models_parser, doctor_parser, tune_parser, bench_parser):
        assert "--json" in parser().format_help()


def test_python_dash_m_is_the_same_program() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "vidinfer", "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("vidinfer ")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "no SOURCE given: expected media files or folders"),
        (["run"], "no SOURCE given"),
        (
            ["--scor-threshold", "1", "a.mp4"],
            "no such option: --scor-threshold; did you mean --score-threshold?",
        ),
        (["a.mp4", "--zzz=1"], "no such option: --zzz; see vidinfer --help"),
        (["a.mp4", "--score", "1"], "no such option: --score; did you mean --score-threshold?"),
        (["a.mp4", "--score-threshold"], "argument --score-threshold: expected one argument"),
        (["a.mp4", "--score-threshold", "7"], "--score-threshold 7: expected a number from 0 to 1"),
        (["a.mp4", "--start", "-1"], "--start -1: expected seconds or HH:MM:SS.mmm"),
        (["a.mp4", "--end", "00:00:75"], "--end 00:00:75: expected seconds"),
        (["a.mp4", "--labels", "xml"], "--labels xml: expected jsonl, csv, parquet"),
        (["a.mp4", "--labels", "none"], "there is nothing to write"),
        (["a.mp4", "--overwrite", "--resume"], "overwrite and resume contradict each other"),
        (["a.mp4", "--mode", "live", "--overwrite"], "overwrite: for files that are not played live"),
        (["a.mp4", "camera:0"], "source a.mp4: a file among streams; give --mode live"),
        (["a.mp4", "--latency-slo", "100"], "latency-slo: for live streams only"),
        (["camera:0", "--preview", "x"], "--preview x: expected HOST:PORT or PORT"),
        (
            ["a.mp4", "--mode", "live", "--out", "-"],
            "--out -: expected a folder (./- for one of that name); labels",
        ),
        (["render", "labels", "--out", "-"], "--out -: expected a folder"),
        (["export", "labels", "--to", "coco", "--out", "-"], "--out -: expected a folder"),
        (["a.mp4", "--config", "missing.yaml"], "cannot read configuration missing.yaml: No such file"),
        (["probe"], "no SOURCE given"),
        (["probe", "--jsn", "a.mp4"], "no such option: --jsn; did you mean --json?"),
        (["models", "--tsk", "x"], "no such option: --tsk; did you mean --task?"),
        (["doctor", "now"], "no such option: now"),
    ],
)
def test_mistakes_are_one_line_and_status_2(
    arguments: list[str],
    message: str,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    out, err = capfd.readouterr()
    assert out == ""
    assert err.startswith("vidinfer: ")
    assert message in err
    assert err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_what_follows_two_dashes_is_a_source(capfd: pytest.CaptureFixture[str]) -> None:
    assert read_config(["-q", "--", "-a.mp4", "--out", "b.mp4"]).sources == ("./-a.mp4", "./--out", "b.mp4")
    assert read_config(["a.mp4", "--labels", "csv", "--"]).sources == ("a.mp4",)
    assert main(["probe", "--json", "--", "-a.mp4"]) == 1
    assert "-a.mp4" in capfd.readouterr().err


def test_verbose_shows_where(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["a.mp4", "--mode", "live", "--resume", "-v"]) == 2
    err = capfd.readouterr().err
    assert "Traceback" in err
    assert err.splitlines()[-1].startswith("vidinfer: resume: for files")


def test_errors_as_json(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["a.mp4", "--mode", "live", "--resume", "--log-json"]) == 2
    err = capfd.readouterr().err
    assert err.startswith('{"event": "error", "text": "resume: for files')
    assert err.count("\n") == 1


def test_control_characters_in_names_do_not_reach_the_terminal(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["camera:0", "--top-k", "\x1b[31m\n"]) == 2
    err = capfd.readouterr().err
    assert "\x1b" not in err
    assert r"\x1b[31m\n" in err


def test_flags_win_over_the_file_and_the_file_over_defaults(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text("sources: [f.mp4]\ntop-k: 7\nvideo: true\nno-progress: true\nstart: 1:30\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("XDG_CACHE_HOME")  # where the tests keep what they measure
        assert read_config(["--config", str(path)]) == RunConfig(
            sources=("f.mp4",), top_k=7, video=True, no_progress=True, start=Fraction(90)
        )
        config = read_config(["--config", str(path), "--top-k", "3", "--no-video", "--progress", "a.mp4"])
        assert config == RunConfig(sources=("a.mp4",), top_k=3, start=Fraction(90))


def test_sources_and_options_in_any_order() -> None:
    config = read_config(
        ["a.mp4", "--video", "b.mp4", "--labels", "-", "-q", "--classes", "car, bus", "./models"]
    )
    assert config.sources == ("a.mp4", "b.mp4", "./models")
    assert config.labels == ("-",)
    assert config.classes == ("car", "bus")
    assert config.video
    assert config.quiet


def test_standard_output_may_stand_first_in_a_list() -> None:
    for arguments in (["--labels", "-,jsonl"], ["--labels=-,jsonl"], ["--labels", "jsonl,-"]):
        assert set(read_config(["a.mp4", *arguments, "-q"]).labels) == {"-", "jsonl"}
    with pytest.raises(UsageError, match="no such option: -,"):
        read_config(["a.mp4", "-,jsonl"])


def test_flags_are_not_abbreviated() -> None:
    with pytest.raises(UsageError, match="did you mean --overwrite"):
        read_config(["a.mp4", "--overwrit"])
