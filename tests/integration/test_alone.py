"""What the machine can do: measured on real files, with a clock that passes a millisecond whenever it is looked at."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from numpy.typing import NDArray

from tests.integration.conftest import Runner, run_report
from tests.media import make_video
from vidinfer.alone import measure_decoding, measure_model, measure_together, measure_writing
from vidinfer.clock import ProcessorClock
from vidinfer.config import RunConfig
from vidinfer.errors import ModelError
from vidinfer.frame import FrameStamp, SourceInfo
from vidinfer.plan import ThreadPlan
from vidinfer.progress import SilentObserver, StopSignal
from vidinfer.run import run
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
    rate = measure_writing(source, model, places(model), sink, Ticking(), threads=1, seconds=0.03)
    assert rate is not None
    assert rate.frames_per_second > 0
    assert sink.path is None  # where the sound would be
    assert sink.state == "aborted"
    assert all(entry.picture is not None for entry in sink.entries)
    assert all(batch.results.frames == 4 for batch in sink.batches)
    stamps = [entry.at for entry in sink.entries if isinstance(entry.at, FrameStamp)]
    assert len(stamps) >= 32 + 4 * 29  # the encoder is filled, then a tick for each batch
    assert [stamp.index for stamp in stamps] == list(range(len(stamps)))
    steps = {b.pts - a.pts for a, b in pairwise(stamps) if a.pts is not None and b.pts is not None}
    assert steps == {stamps[0].duration}  # at the source's own pace


def test_writing_goes_back_and_forth_through_the_pictures(source: Source) -> None:
    model, sink = FakeModel(), CollectSink(needs_pictures=True)
    measure_writing(source, model, places(model), sink, Ticking(), threads=1, seconds=0.03)
    shown = [id(entry.picture) for entry in sink.entries]
    assert len(set(shown)) == 48
    assert shown[48:96] == shown[47::-1]
    assert shown[96:120] == shown[:24]


def test_a_slow_encoder_does_not_hold_up_the_end_of_a_run(source: Source) -> None:
    model, sink = FakeModel(), CollectSink(needs_pictures=True)
    assert (
        measure_writing(source, model, places(model), sink, Ticking(), threads=1, seconds=0.0015) is not None
    )
    assert len(sink.entries) < 32


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


def test_a_stop_while_measuring_ends_that_and_harms_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop = StopSignal()

    class Stopping(ProcessorClock):
        """Looked at for the first time when decoding alone begins."""

        def now(self) -> float:
            stop.abort()
            return super().now()

    monkeypatch.setattr("vidinfer.run.LONG", 0.0)
    monkeypatch.setattr("vidinfer.alone.ProcessorClock", Stopping)
    sources = tuple(str(make_video(tmp_path / f"{name}.mp4", frames=70)) for name in ("a", "b"))
    config = RunConfig(sources=sources, model="demo", out=tmp_path / "out")
    report = run(config, observer=SilentObserver(), stop=stop)
    assert [source.status for source in report.sources] == ["complete", "interrupted"]
    light = run_report(tmp_path / "out" / "a.run.json")["speed_of_light"]
    assert light["method"].startswith("busy time")
