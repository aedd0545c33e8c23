"""A failure at any stage, at any moment, however full the ring: the run ends, says why, and leaves no thread.

A hang would be caught by the time limit of the test run; a thread left behind by the fixture in conftest.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.media import make_video
from vidinfer.batcher import OfflineBatcher
from vidinfer.build import make_pipeline, open_model, settle
from vidinfer.clock import MonotonicClock
from vidinfer.config import RunConfig
from vidinfer.detections import Results
from vidinfer.errors import ModelError, SinkError, SourceError
from vidinfer.frame import Frame
from vidinfer.pipeline import Pipeline
from vidinfer.plan import ThreadPlan
from vidinfer.record import Outcome
from vidinfer.sampling import Sampler, Sampling
from vidinfer.source import open_source
from vidinfer.testing import CollectSink, FakeModel, ScriptedSource, make_frames

FRAMES = 200


def build(source: ScriptedSource, model: FakeModel, *, batch_size: int = 4, slots: int = 2) -> Pipeline:
    return Pipeline(
        source,
        model,
        batcher=OfflineBatcher(),
        sampler=Sampler(Sampling()),
        clock=MonotonicClock(),
        batch_size=batch_size,
        slots=slots,
    )


def raising(at: int, error: Exception) -> Callable[[int], None]:
    """Raises from batch ``at`` on."""

    def before(batch: int) -> None:
        if batch >= at:
            raise error

    return before


def gated(gate: threading.Event, then: Callable[[int], None]) -> Callable[[int], None]:
    """Waits for ``gate`` first: everything before it in the pipeline has filled up by then."""

    def before(batch: int) -> None:
        assert gate.wait(60)
        then(batch)

    return before


def script(fail_at: int | None, gate: threading.Event, full_after: int) -> list[object]:
    """All frames; opens the gate after ``full_after`` of them, fails at ``fail_at``."""
    items: list[object] = list(make_frames(FRAMES))
    items.insert(full_after, gate.set)
    if fail_at is not None:
        items.insert(fail_at, SourceError("the source broke"))
    return items


@pytest.mark.parametrize("batch_size", [1, 7])
@pytest.mark.parametrize("at", [0, 1, 5, FRAMES])
def test_a_failing_source(at: int, batch_size: int) -> None:
    gate = threading.Event()
    sink = CollectSink()
    sink.state = "open"
    source = ScriptedSource(script(at, gate, 0))  # type: ignore[arg-type]
    pipeline = build(source, FakeModel(), batch_size=batch_size)
    with pytest.raises(SourceError, match="broke") as caught:
        pipeline.run([sink], lambda _: None)
    assert "in stage: decode" in caught.value.__notes__


@pytest.mark.parametrize("slots", [1, 3])
@pytest.mark.parametrize("at", [0, 1, 9])
@pytest.mark.parametrize("ring", ["empty", "full"])
def test_a_sink_that_fails(at: int, ring: str, slots: int) -> None:
    gate = threading.Event()
    # The writer is held back until the decoder has put in all that fits: one batch is with the writer, one in the
    # channel, one with the model, and the slots are full.
    full = 4 * slots if ring == "full" else 0
    sink = CollectSink(gated(gate, raising(at, SinkError("disk full"))))
    sink.state = "open"
    pipeline = build(ScriptedSource(script(None, gate, full)), FakeModel(), slots=slots)  # type: ignore[arg-type]
    with pytest.raises(SinkError, match="disk full") as caught:
        pipeline.run([sink], lambda _: None)
    assert "in stage: write" in caught.value.__notes__
    assert len(sink.batches) == at


@pytest.mark.parametrize("slots", [1, 3])
@pytest.mark.parametrize("ring", ["empty", "full"])
def test_a_model_that_always_fails_ends_the_run(ring: str, slots: int) -> None:
    gate = threading.Event()
    full = 4 * slots if ring == "full" else 0
    model = FakeModel(gated(gate, raising(0, RuntimeError("no memory"))))
    sink = CollectSink()
    sink.state = "open"
    pipeline = build(ScriptedSource(script(None, gate, full)), model, slots=slots)  # type: ignore[arg-type]
    with pytest.raises(ModelError, match=r"3 batches in a row.*no memory"):
        pipeline.run([sink], lambda _: None)


def test_a_model_that_fails_once_costs_that_batch_only() -> None:
    calls = iter(range(10**6))

    def before(_: int) -> None:
        if next(calls) == 3:
            raise RuntimeError("hiccup")

    sink = CollectSink()
    sink.state = "open"
    pipeline = build(ScriptedSource(make_frames(FRAMES)), FakeModel(before))
    pipeline.run([sink], lambda _: None)
    failed = [e for e in sink.entries if e.outcome is Outcome.FAILED]
    assert [e.at.index for e in failed] == [12, 13, 14, 15]  # type: ignore[union-attr]
    assert failed[0].reason == "RuntimeError: hiccup"
    snapshot = pipeline.ledger.snapshot()
    assert (snapshot.decoded, snapshot.labelled, snapshot.failed) == (FRAMES, FRAMES - 4, 4)
    assert snapshot.balanced


def test_several_failures_come_out_together() -> None:
    meet = threading.Barrier(2)

    def fail_write(_: int) -> None:
        meet.wait()
        raise SinkError("disk full")

    def fail_read() -> None:
        meet.wait()
        raise SourceError("unplugged")

    items: list[object] = [*make_frames(8), fail_read]
    sink = CollectSink(fail_write)
    sink.state = "open"
    pipeline = build(ScriptedSource(items), FakeModel())  # type: ignore[arg-type]
    with pytest.raises(ExceptionGroup) as caught:
        pipeline.run([sink], lambda _: None)
    assert {type(e) for e in caught.value.exceptions} == {SinkError, SourceError}


def test_stop_keeps_what_was_decoded() -> None:
    pipeline: Pipeline | None = None

    def stop() -> None:
        assert pipeline is not None
        pipeline.stop()

    items: list[object] = list(make_frames(FRAMES))
    items.insert(50, stop)
    sink = CollectSink()
    sink.state = "open"
    pipeline = build(ScriptedSource(items), FakeModel())  # type: ignore[arg-type]
    pipeline.run([sink], lambda _: None)
    assert [e.at.index for e in sink.entries] == list(range(50))  # type: ignore[union-attr]
    assert pipeline.ledger.snapshot().balanced


@pytest.mark.parametrize("when", ["decode", "write"])
def test_abort_from_another_thread_ends_a_full_pipeline(when: str) -> None:
    pipeline: Pipeline | None = None

    def abort(*_: object) -> None:
        assert pipeline is not None
        pipeline.abort()

    items: list[object] = list(make_frames(FRAMES))
    if when == "decode":
        items.insert(60, abort)
    sink = CollectSink(abort if when == "write" else None)
    sink.state = "open"
    pipeline = build(ScriptedSource(items), FakeModel())  # type: ignore[arg-type]
    pipeline.run([sink], lambda _: None)
    assert len(sink.entries) < FRAMES


@pytest.mark.parametrize("leave_after", [0, 1, 3])
def test_leaving_the_batches_early_stops_both_threads(leave_after: int) -> None:
    source = ScriptedSource(make_frames(FRAMES))
    pipeline = build(source, FakeModel())
    with pipeline.batches() as batches:
        for _ in range(leave_after):
            next(batches)


def test_a_model_left_with_batches_on_their_way_serves_the_next_source(tmp_path: Path) -> None:
    config = RunConfig(sources=("clip",), model="demo", backend="openvino", precision="fp32", cache=tmp_path)
    plan = ThreadPlan(cores=2, decoder=1, model=2, encoder=1)
    model = open_model(config, plan)
    clip = make_video(tmp_path / "clip.mp4", frames=60)
    for attempt in range(4):
        source = open_source(clip, name="clip", threads=1)
        if attempt == 0:
            settle(model, source, config, keep_pictures=False)
        pipeline = make_pipeline(source, model, config, keep_pictures=False, clock=MonotonicClock())
        with pipeline.batches() as batches:
            assert next(batches).results.frames > 0
        source.close()
    model.close()


def test_an_error_in_the_readers_block_comes_out_unchanged() -> None:
    pipeline = build(ScriptedSource(make_frames(FRAMES)), FakeModel())
    with pytest.raises(KeyError, match="mine"), pipeline.batches() as batches:
        next(batches)
        raise KeyError("mine")


@pytest.mark.parametrize("at", [0, 3, 40])
def test_a_failing_source_reaches_the_reader_of_batches(at: int) -> None:
    items: list[object] = [*make_frames(at), SourceError("gone")]
    pipeline = build(ScriptedSource(items), FakeModel())  # type: ignore[arg-type]
    with pytest.raises(SourceError, match="gone"), pipeline.batches() as batches:
        for _ in batches:
            pass


def test_pictures_alive_are_bounded_whatever_the_length() -> None:
    import weakref

    alive: weakref.WeakSet[object] = weakref.WeakSet()
    peak = 0

    class Tracked:
        def __init__(self, frame: Frame) -> None:
            self.inner = frame.picture
            alive.add(self)

        nbytes = 1

        def rgb(self) -> object:
            return self.inner.rgb()

    def frames() -> object:
        nonlocal peak
        for frame in make_frames(2000):
            yield Frame(frame.stamp, Tracked(frame))  # type: ignore[arg-type]
            peak = max(peak, len(alive))

    class Forgetful(CollectSink):
        def write(self, batch: object) -> None:
            """Keeps nothing."""

    sink = Forgetful(needs_pictures=True)
    pipeline = Pipeline(
        ScriptedSource(frames()),  # type: ignore[arg-type]
        FakeModel(),
        batcher=OfflineBatcher(),
        sampler=Sampler(Sampling()),
        clock=MonotonicClock(),
        batch_size=4,
        slots=3,
        keep_pictures=True,
    )
    pipeline.run([sink], lambda _: None)
    # three slots, a batch each with the model's thread, in the channel and with the writer, and the frame at hand
    assert peak <= 4 * (3 + 3) + 2


@pytest.mark.parametrize("at", [0, 5, 199])
def test_pixels_that_cannot_be_converted(at: int) -> None:
    class Broken:
        nbytes = 1

        def rgb(self) -> NDArray[np.uint8]:
            raise RuntimeError("no such pixel format")

    frames = list(make_frames(FRAMES))
    frames[at] = Frame(frames[at].stamp, Broken())
    sink = CollectSink()
    sink.state = "open"
    with pytest.raises(RuntimeError, match="pixel format") as caught:
        build(ScriptedSource(frames), FakeModel()).run([sink], lambda _: None)
    assert "in stage: decode" in caught.value.__notes__


def test_a_model_that_answers_for_too_few_frames_fails_those_batches() -> None:
    class Short(FakeModel):
        def predict(self, batch: NDArray[Any], width: int, height: int) -> Results:
            return super().predict(batch[:-1], width, height)

    sink = CollectSink()
    sink.state = "open"
    with pytest.raises(ModelError, match=r"results of 3 frames for a batch of 4"):
        build(ScriptedSource(make_frames(FRAMES)), Short()).run([sink], lambda _: None)


def test_an_observer_that_fails_ends_the_run() -> None:
    def advanced(_: int) -> None:
        raise KeyError("progress")

    sink = CollectSink()
    sink.state = "open"
    with pytest.raises(KeyError, match="progress"):
        build(ScriptedSource(make_frames(FRAMES)), FakeModel()).run([sink], advanced)
