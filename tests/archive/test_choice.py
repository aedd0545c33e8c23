"""What is found out once for a folder, and a stop while it is being found out."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.archive.conftest import Runner, make_archive, outputs
from tests.archive.test_run import manifest
from tests.media import make_video
from vidinfer.archive.choice import as_chosen, check_same_model, keep_model, known_model
from vidinfer.archive.state import StateFolder
from vidinfer.config import RunConfig
from vidinfer.errors import ModelUnavailable
from vidinfer.progress import StopSignal

DEMO = {"model": "demo", "task": None}
FACTS: dict[str, Any] = {"sha256": "12ab", "task": "detection"}


class StopOnce(StopSignal):
    """Asked for as soon as a file is there."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path

    @property
    def requested(self) -> bool:
        return self._path.exists()


def nobody(*_: object, **__: object) -> Any:
    raise AssertionError("an engine was started")


@pytest.mark.parametrize("backend", ["eager", "auto"])
def test_a_stop_while_the_model_is_loaded(
    tmp_path: Path, label_archive: Runner, monkeypatch: pytest.MonkeyPatch, backend: str
) -> None:
    archive = make_archive(tmp_path / "in", clips=2, frames=4)
    loading = tmp_path / "loading"
    endless = {"model": "tests.archive.models:endless", "backend": backend, "processes": True}
    with monkeypatch.context() as patch:
        patch.setenv("VIDINFER_TEST_LOADING", str(loading))
        report = label_archive(archive, stop=StopOnce(loading), **endless)
    assert report.exit_status == 130
    assert [(one.status, one.error) for one in report.sources] == [("interrupted", "not begun")] * 2
    assert {row["status"] for row in manifest(tmp_path / "out").values()} == {"interrupted"}
    assert report.page == tmp_path / "out/report.html"
    assert report.page.exists()
    assert label_archive(archive).exit_status == 0


def test_a_stop_while_sources_are_looked_at_tells_of_those_that_were_not(
    tmp_path: Path, label_archive: Runner
) -> None:
    archive = make_archive(tmp_path / "in", clips=3, frames=4)
    stop = StopSignal()
    stop.request()
    report = label_archive(archive, stop=stop, engine_factory=nobody)
    assert report.exit_status == 130
    assert sorted(one.source for one in report.sources) == ["cam/clip1.mp4", "clip0.mp4", "clip2.mp4"]
    assert not [name for name in outputs(tmp_path / "out") if name.endswith("jsonl")]


def test_a_run_with_nothing_to_do_starts_nobody(tmp_path: Path, label_archive: Runner) -> None:
    archive = make_archive(tmp_path / "in", clips=2, frames=4)
    label_archive(archive, **DEMO)
    before = outputs(tmp_path / "out")
    report = label_archive(archive, engine_factory=nobody, **DEMO)
    assert [one.status for one in report.sources] == ["skipped"] * 2
    shutil.copy(archive / "clip0.mp4", archive / "same.mp4")
    report = label_archive(archive, engine_factory=nobody, **DEMO)
    assert {one.source: one.status for one in report.sources}["same.mp4"] == "complete"
    assert (
        before.items()
        <= (outputs(tmp_path / "out") | {"manifest.parquet": before["manifest.parquet"]}).items()
    )
    make_video(archive / "new.mp4", frames=4, first_number=900)
    with pytest.raises(AssertionError, match="an engine was started"):
        label_archive(archive, engine_factory=nobody, **DEMO)
    assert {one.status for one in label_archive(archive, **DEMO).sources} == {"skipped", "complete"}


def test_a_unit_that_was_cut_is_noticed_without_the_model_and_made_with_it(
    tmp_path: Path, label_archive: Runner
) -> None:
    archive = make_archive(tmp_path / "in", clips=1, frames=4)
    label_archive(archive, **DEMO)
    before = outputs(tmp_path / "out")
    for unit in (tmp_path / "out/.vidinfer/units").rglob("*.parquet"):
        unit.write_bytes(unit.read_bytes()[:-9])
    (tmp_path / "out/clip0.labels.jsonl").unlink()
    assert label_archive(archive, **DEMO).exit_status == 0
    assert outputs(tmp_path / "out") == before


def test_a_model_is_known_as_long_as_its_files_and_options_are_the_same(tmp_path: Path) -> None:
    weights = tmp_path / "w.safetensors"
    weights.write_bytes(b"one")
    config = RunConfig(sources=("a.mp4",), model="resnet18", weights=str(weights), out=tmp_path / "out")
    with StateFolder(tmp_path / "out") as state:
        state.begin()
        assert known_model(config, state) is None
        keep_model(config, state, FACTS)
        assert known_model(config, state) == FACTS
        other = RunConfig(sources=("a.mp4",), model="resnet34", weights=str(weights), out=tmp_path / "out")
        assert known_model(other, state) is None
        weights.write_bytes(b"another")
        assert known_model(config, state) is None


class Scout:
    """An engine that chooses."""

    def __init__(self, *_: object) -> None:
        """As any engine is made."""

    def __enter__(self) -> Scout:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing to end."""

    def choose(self, *_: object) -> tuple[str, str]:
        return "eager", "bf16"


@pytest.mark.parametrize("written", ['{"KEY": {"backend": 5}}', '{"KEY": {"sha256": 7}}', "[" * 100_000])
def test_a_choice_that_somebody_wrote_over_is_made_anew(tmp_path: Path, written: str) -> None:
    config = RunConfig(sources=("a.mp4",), model="resnet18", out=tmp_path / "out")
    with StateFolder(tmp_path / "out") as state:
        keep_model(config, state, FACTS)
        as_chosen(config, state, Scout, [], lambda: False)  # type: ignore[arg-type]
        path = state.path / "choice.json"
        for key in json.loads(path.read_text()):
            path.write_text(written.replace("KEY", key))
            assert known_model(config, state) is None
            chosen, _ = as_chosen(config, state, Scout, [], lambda: False)  # type: ignore[arg-type]
            assert (chosen.backend, chosen.precision) == ("eager", "bf16")


@pytest.mark.parametrize(
    ("model", "facts"), [("resnet18", FACTS | {"sha256": None}), ("package.module:factory", FACTS)]
)
def test_what_options_do_not_tell_is_not_kept(tmp_path: Path, model: str, facts: dict[str, Any]) -> None:
    config = RunConfig(sources=("a.mp4",), model=model, out=tmp_path / "out")
    with StateFolder(tmp_path / "out") as state:
        state.begin()
        keep_model(config, state, facts)
        assert known_model(config, state) is None


def test_another_model_than_was_known_is_refused_and_forgotten(tmp_path: Path) -> None:
    config = RunConfig(sources=("a.mp4",), model="resnet18", out=tmp_path / "out")
    with StateFolder(tmp_path / "out") as state:
        state.begin()
        keep_model(config, state, FACTS)
        check_same_model(config, state, FACTS, dict(FACTS))
        with pytest.raises(ModelUnavailable, match="12ab then, 34cd now"):
            check_same_model(config, state, FACTS, FACTS | {"sha256": "34cd"})
        assert known_model(config, state) is None
