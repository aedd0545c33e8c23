"""What the machine can do: measured on real files, with a clock that passes a millisecond whenever it is looked at."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from numpy.typing import NDArray

from tests.integration.conftest import Runner, run_report
from tests.media import make_video
from vidinfer.alone import measure_decoding, measure_model, measure_together, measure_writing
from vidinfer.errors import ModelError
from vidinfer.frame import SourceInfo
from vidinfer.plan import ThreadPlan
from vidinfer.source import open_source
from vidinfer.stages import ModelInfo, Source
from vidinfer.testing import CollectSink, FakeModel

PLAN = ThreadPlan(cores=2, decoder=1, model=2, encoder=2)


class Ticking:
    def __init__(self) -> None:
        self.ticks = 0

    def now(self) -> float:
        self.ticks += 1
        return self.ticks / 1000


@pytest.fixture
def source(tmp_path: Path) -> Source:
    source = open_source(
        make_video(tmp_path / "clip.mp4", frames=60, audio="aac"), name="clip.mp4", threads=1
    )
    source.close()
    return source


def places(model: FakeModel, count: int = 4) -> NDArray[Any]:
    return model.allocate(count, model.input_for(96, 64))


def test_decoding_fills_the_places_in_turn_and_counts_once_it_is_warm(source: Source) -> None:
    batch = places(FakeModel())
    rate = measure_decoding(source, FakeModel(), 1, Ticking(), batch=batch, seconds=0.03)
    assert rate is not None
    assert 450 < rate.frames_per_second <= 1000  # a tick or two for each frame
    assert rate.core_seconds > 0
    assert all(place.any() for place in batch)


def test_a_file_shorter_than_the_time_is_measured_as_far_as_it_goes(source: Source) -> None:
    assert measure_decoding(source, FakeModel(), 1, Ticking(), seconds=1e6) is not None


def test_the_model_runs_until_the_time_is_over(source: Source) -> None:
    model = FakeModel()
    rate = measure_model(model, places(model), source.info, Ticking(), seconds=0.02)
    assert rate is not None
    assert set(model.batch_sizes) == {4}
    assert rate.frames_per_second == pytest.approx(4 * 1000, rel=0.2)


def test_side_by_side_the_model_takes_no_more_than_was_decoded(source: Source) -> None:
    model = FakeModel()
    rate = measure_together(source, model, places(model), PLAN, Ticking(), (0.002, 0.003), seconds=0.04)
    assert rate is not None
    assert rate > 0
    assert sum(model.batch_sizes) <= 60


def test_a_model_that_fails_ends_the_decoding_beside_it(source: Source) -> None:
    def fail(_: int) -> None:
        raise ModelError("broken")

    model = FakeModel(fail)
    with pytest.raises(ModelError, match="broken"):
        measure_together(source, model, places(model), PLAN, Ticking(), (0.002, 0.003), seconds=1e6)


def test_writing_is_measured_on_labelled_pictures_without_sound(source: Source) -> None:
    class Watching(CollectSink):
        path: str | None = "not opened"

        def open(self, source: SourceInfo, model: ModelInfo) -> None:
            self.path = source.path
            super().open(source, model)

    model, sink = FakeModel(), Watching(needs_pictures=True)
    rate = measure_writing(source, model, places(model), sink, Ticking(), threads=1)
    assert rate is not None
    assert rate.frames_per_second > 0
    assert sink.path is None  # where the sound would be
    assert sink.state == "aborted"
    assert len(sink.entries) == 48
    assert all(entry.picture is not None for entry in sink.entries)
    assert [entry.at.index for entry in sink.entries] == list(range(48))  # type: ignore[union-attr]
    assert all(batch.results.frames == 4 for batch in sink.batches)


def test_a_long_run_tells_what_the_machine_could_do(
    tmp_path: Path, label_files: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vidinfer.run.LONG", 0.0)
    (tmp_path / "in").mkdir()
    for name in ("a", "b"):
        make_video(tmp_path / "in" / f"{name}.mp4", frames=70)
    assert label_files(tmp_path / "in", video=True).exit_status == 0
    lights = [run_report(tmp_path / "out" / f"{name}.run.json")["speed_of_light"] for name in ("a", "b")]
    for light in lights:
        assert light["method"].startswith("measured behind the run")
        only = [light[f"{stage}_only"] for stage in ("decode", "model", "write")]
        assert 0 < light["bound"] <= min(only)
        assert light["share"] == pytest.approx(light["achieved"] / light["bound"], abs=1e-3)
        assert set(light["core_milliseconds_per_frame"]) == {"decode", "infer", "write"}
    assert lights[0]["decode_only"] == lights[1]["decode_only"]  # not measured twice for pictures of one size
    assert {p.suffix for p in (tmp_path / "out").iterdir()} == {".mp4", ".jsonl", ".json"}


def test_a_short_run_is_not_kept_waiting(tmp_path: Path, label_files: Runner) -> None:
    make_video(tmp_path / "clip.mp4", frames=5)
    assert label_files(tmp_path / "clip.mp4").exit_status == 0
    light = run_report(tmp_path / "out" / "clip.run.json")["speed_of_light"]
    assert light["method"].startswith("busy time")
