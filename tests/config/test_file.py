"""Configuration files: the names of the flags, exact values, and errors with their line."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

from vidinfer.config import OPTIONS, RunConfig, read_file
from vidinfer.errors import UsageError

CONFIGS = Path(__file__).parents[2] / "configs"


def config_file(folder: Path, text: str) -> Path:
    path = folder / "c.yaml"
    path.write_text(text, "utf-8")
    return path


@pytest.mark.parametrize("path", sorted(CONFIGS.iterdir()), ids=lambda p: p.name)
def test_shipped_files_are_valid_and_every_line_is_commented(path: Path) -> None:
    RunConfig(**read_file(path))
    lines = [line for line in path.read_text().splitlines() if line.strip()]
    assert all("#" in line for line in lines)


def test_the_offline_file_shows_every_option_that_concerns_files() -> None:
    elsewhere = {"weights"} | {
        name for name, option in OPTIONS.items() if option.group in ("messages", "live", "archive")
    }
    assert set(OPTIONS) - set(read_file(CONFIGS / "offline.yaml")) <= elsewhere
    RunConfig(**read_file(CONFIGS / "offline.yaml")).require_offline()


def test_the_archive_file_shows_every_option_that_concerns_archives() -> None:
    given = read_file(CONFIGS / "archive.yaml")
    assert {name for name, option in OPTIONS.items() if option.group == "archive"} <= set(given)
    config = RunConfig(**given)
    config.require_archive()
    assert config.archive


def test_the_live_file_shows_every_option_that_concerns_streams() -> None:
    given = read_file(CONFIGS / "live.yaml")
    assert {name for name, option in OPTIONS.items() if option.group == "live"} - set(given) <= {
        "preview_token"
    }
    config = RunConfig(**given)
    assert (config.live, config.latency_slo, config.max_queue_delay) == (True, 100, 10)
    config.require_live()


def test_values_are_read_as_they_stand(tmp_path: Path) -> None:
    # YAML 1.1 would make 1:30 the number 90 and 0.1 a double; `no` would be false, here it is a class.
    path = config_file(
        tmp_path,
        "start: 1:30\nend: 0:02:00.1\nfps: 0.1\nclasses: [no, off]\ntop_k:\nvideo: on\nsources: a.mp4\n",
    )
    assert read_file(path) == {
        "start": Fraction(90),
        "end": Fraction(1201, 10),
        "fps": Fraction(1, 10),
        "classes": ("no", "off"),
        "video": True,
        "sources": ("a.mp4",),
    }


def test_an_empty_file_changes_nothing(tmp_path: Path) -> None:
    assert read_file(config_file(tmp_path, "# nothing\n")) == {}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("\nmodle: demo\n", "line 2: no such option: modle; did you mean model?"),
        ("score_treshold: 1\n", "line 1: no such option: score_treshold; did you mean score-threshold?"),
        ("zebra: 1\n", "line 1: no such option: zebra"),
        ("config: x\n", "no such option: config"),
        ("video: true\nvideo: false\n", "line 2: video is given twice"),
        ("max-frames: 1\nmax_frames: 2\n", "line 2: max_frames is given twice"),
        ("\ntop-k: many\n", "line 2: top-k many: expected a whole number of at least 1"),
        ("model: {name: demo}\n", "line 1: model: expected a value or a list of values"),
        ("top-k: [1, 2]\n", "line 1: top-k ['1', '2']: expected a whole number"),
        ("- model\n", "line 1: expected lines of the form"),
        ("just words\n", "line 1: expected lines of the form"),
        ("a: [1\n", "not YAML"),
        ("a: 1\n\tb: 2\n", "not YAML"),
        ("sources: ['']\n", "got an empty one"),
        ("a: 1\n---\nb: 2\n", "not YAML"),
    ],
)
def test_mistakes_in_a_file_are_told_with_their_line(tmp_path: Path, text: str, message: str) -> None:
    path = config_file(tmp_path, text)
    with pytest.raises(UsageError) as caught:
        read_file(path)
    assert message in str(caught.value)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"cannot read configuration .*No such file"):
        read_file(tmp_path / "missing.yaml")
    with pytest.raises(UsageError, match=r"cannot read configuration .*directory"):
        read_file(tmp_path)
    binary = tmp_path / "b.yaml"
    binary.write_bytes(b"model: \xff\xfe")
    with pytest.raises(UsageError, match="not UTF-8 text: byte 7"):
        read_file(binary)


@pytest.mark.parametrize("engine", ["local", "ray"])
def test_an_archive_run_with_video_says_how_to_draw_afterwards(engine: str) -> None:
    config = RunConfig(sources=("in",), engine=engine, video=True, out="my labels")
    with pytest.raises(UsageError) as caught:
        config.require_archive()
    assert f"engine {engine} with --video" in str(caught.value)
    assert "`vidinfer render 'my labels' --out 'my labels' --resume`" in str(caught.value)
    assert "--engine none" in str(caught.value)
    with pytest.raises(UsageError, match=r"leave out --video, --class-maps"):
        RunConfig(sources=("in",), engine=engine, video=True, class_maps=True).require_archive()


@pytest.mark.parametrize("option", [{"until": "07:00"}, {"budget": "6h"}])
def test_a_limit_of_time_that_nothing_would_keep_is_refused(tmp_path: Path, option: dict[str, str]) -> None:
    """A night's run over a folder is one of archives, unless it draws."""
    folder = str(tmp_path)
    RunConfig(sources=(folder,), **option).require_offline()
    RunConfig(sources=("a.mp4",), engine="local", **option).require_offline()
    (name,) = option
    for config in (
        RunConfig(sources=("a.mp4",), **option),
        RunConfig(sources=(folder,), video=True, **option),
    ):
        with pytest.raises(UsageError, match=rf"^{name}: of archive runs.*give --engine local"):
            config.require_offline()
    with pytest.raises(UsageError, match="without --video"):
        RunConfig(sources=(folder,), video=True, **option).require_offline()
