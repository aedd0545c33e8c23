"""The same labels however it runs: batch size and arrangement of threads change nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.integration.conftest import Runner, records
from vidinfer.batcher import OfflineBatcher
from vidinfer.build import open_model
from vidinfer.clock import MonotonicClock
from vidinfer.config import RunConfig
from vidinfer.frame import Frame
from vidinfer.pipeline import Pipeline
from vidinfer.plan import thread_plan
from vidinfer.record import LabelledBatch
from vidinfer.sampling import Sampler, Sampling
from vidinfer.source import open_source
from vidinfer.stages import Model
from vidinfer.testing import CollectSink

SAMPLE = Path(__file__).parents[2] / "sample_media" / "traffic.mp4"
FRAMES = 34
Found = list[tuple[int, np.ndarray, np.ndarray, list[int]]]


def assert_same(one: Found, other: Found) -> None:
    """Same frames, labels in the same order, scores within 1e-4, boxes within 0.05 px."""
    assert [f[0] for f in one] == [f[0] for f in other]
    for (frame, boxes, scores, labels), (_, boxes2, scores2, labels2) in zip(one, other, strict=True):
        assert labels == labels2, f"frame {frame}"
        np.testing.assert_allclose(scores, scores2, atol=1e-4, rtol=0)
        np.testing.assert_allclose(boxes, boxes2, atol=0.05, rtol=0)


def from_lines(path: Path) -> Found:
    return [
        (
            line["frame"],
            np.array([o["box"] for o in line["objects"]]).reshape(-1, 4),
            np.array([o["score"] for o in line["objects"]]),
            [o["label_id"] for o in line["objects"]],
        )
        for line in records(path)
    ]


def test_batch_sizes_give_the_same_labels(tmp_path: Path, label_files: Runner) -> None:
    found = {}
    for size in (1, 2, 7, 32):
        out = tmp_path / str(size)
        label_files(SAMPLE, max_batch_size=size, max_frames=FRAMES, out=out)
        found[size] = from_lines(out / "traffic.labels.jsonl")
    assert len(found[1]) == FRAMES
    assert sum(len(f[3]) for f in found[1]) > FRAMES  # there is something to compare
    for size in (2, 7, 32):
        assert_same(found[1], found[size])


def columns(batches: list[LabelledBatch]) -> Found:
    found: Found = []
    for batch in batches:
        objects = batch.results.objects
        assert objects is not None
        for entry in batch.entries:
            one = objects.rows(entry.row, entry.row + 1)
            found.append((entry.at.index, one.boxes, one.scores, one.labels.tolist()))  # type: ignore[union-attr]
    return found


@pytest.fixture(scope="module")
def model() -> Iterator[Model]:
    loaded = open_model(RunConfig(sources=("x",), model="demo"), thread_plan())
    yield loaded
    loaded.close()


@pytest.fixture(scope="module")
def reference(model: Model) -> Found:
    """No pipeline at all: one frame after the other."""
    source = open_source(SAMPLE, name="traffic.mp4", threads=1)
    spec = model.input_for(source.info.width, source.info.height)
    place = model.allocate(1, spec)
    found: Found = []
    for frame in source:
        if len(found) == 12:
            break
        assert isinstance(frame, Frame)
        spec.prepare(frame.picture.rgb(), place[0])
        objects = model.predict(place, source.info.width, source.info.height).objects
        assert objects is not None
        found.append((frame.stamp.index, objects.boxes, objects.scores, objects.labels.tolist()))
    source.close()
    return found


@pytest.fixture
def pipeline(model: Model) -> Iterator[Callable[..., Pipeline]]:
    opened = []

    def make(slots: int = 3, decoder: int = 2) -> Pipeline:
        source = open_source(SAMPLE, name="traffic.mp4", threads=decoder)
        opened.append(source)
        return Pipeline(
            source,
            model,
            batcher=OfflineBatcher(),
            sampler=Sampler(Sampling(max_frames=12)),
            clock=MonotonicClock(),
            batch_size=5,
            slots=slots,
        )

    yield make
    for source in opened:
        source.close()


def test_the_readers_own_thread(pipeline: Callable[..., Pipeline], reference: Found) -> None:
    with pipeline().batches() as batches:
        assert_same(reference, columns(list(batches)))


@pytest.mark.parametrize(("slots", "decoder"), [(3, 1), (1, 2)])
def test_three_threads_and_any_number_of_slots(
    pipeline: Callable[..., Pipeline], reference: Found, slots: int, decoder: int
) -> None:
    sink = CollectSink()
    sink.state = "open"
    pipeline(slots, decoder).run([sink], lambda _: None)
    assert_same(reference, columns(sink.batches))
