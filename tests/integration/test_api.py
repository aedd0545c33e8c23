"""``vidinfer.label`` as the README shows it."""

from __future__ import annotations

import gc
import threading
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import vidinfer
from tests.integration.conftest import Runner, records
from tests.media import flip_bytes, make_video, read_number

SAMPLE = Path(__file__).parents[2] / "sample_media" / "traffic.mp4"


def ours() -> list[str]:
    """Names of our running threads."""
    return [t.name for t in threading.enumerate() if t.name.startswith("vidinfer-")]


def test_frames_come_with_time_boxes_and_pixels() -> None:
    frames = list(vidinfer.label(SAMPLE, model="demo", score_threshold=0.6, max_frames=12))
    assert [f.index for f in frames] == list(range(12))
    assert all(f.time == float(f.pts * f.time_base) for f in frames if f.pts is not None)
    assert isinstance(frames[0].time_base, Fraction)
    boxes = frames[5].objects
    assert boxes is not None
    assert boxes.boxes.dtype == np.float32
    assert boxes.boxes.shape == (len(boxes), 4)
    assert len(boxes) == len(boxes.labels) == len(boxes.scores) > 0
    assert (boxes.scores >= 0.6).all()
    assert set(boxes.labels) <= {"car", "truck", "bus", "bicycle", "pedestrian"}
    assert frames[5].image().shape == (720, 1280, 3)


def test_it_is_the_same_pipeline_as_the_command_line(tmp_path: Path, label_files: Runner) -> None:
    label_files(SAMPLE, max_frames=10)
    lines = records(tmp_path / "out" / "traffic.labels.jsonl")
    for line, frame in zip(lines, vidinfer.label(SAMPLE, model="demo", max_frames=10), strict=True):
        assert frame.objects is not None
        assert (line["frame"], line["pts"]) == (frame.index, frame.pts)
        assert [o["label"] for o in line["objects"]] == list(frame.objects.labels)
        boxes = np.array([o["box"] for o in line["objects"]]).reshape(-1, 4)
        np.testing.assert_allclose(boxes, frame.objects.boxes, atol=0.01)


@pytest.mark.parametrize("how", ["break", "close", "with", "drop", "unread"])
def test_leaving_early_stops_every_thread(how: str) -> None:
    frames = vidinfer.label(SAMPLE, model="demo", max_batch_size=2)
    if how == "break":
        for frame in frames:
            if frame.index == 3:
                break
        del frames
    elif how == "close":
        next(frames)
        frames.close()
        frames.close()
        with pytest.raises(StopIteration):
            next(frames)
    elif how == "with":
        with frames:
            next(frames)
    elif how == "drop":
        gc.disable()  # the last reference must do, without the collector's help
        try:
            next(frames)
            assert ours()
            del frames
            assert not ours()
        finally:
            gc.enable()
    else:
        frames.close()
    assert not ours()


class Collecting(nn.Module):
    """Runs the collector on the thread of the model, once that is asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.unreachable, self.collected = threading.Event(), threading.Event()

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        if self.unreachable.is_set() and not self.collected.is_set():
            gc.collect()
            self.collected.set()
        return torch.zeros(len(pictures), 1000)


@pytest.fixture
def collecting(monkeypatch: pytest.MonkeyPatch) -> Collecting:
    made = Collecting()
    monkeypatch.setattr("tests.integration.test_api.make_collecting", lambda: made)
    return made


def make_collecting() -> nn.Module:
    raise NotImplementedError


@pytest.mark.parametrize("fails", [False, True])
def test_frames_that_are_collected_on_a_thread_of_their_own_end_behind_it(
    fails: bool, collecting: Collecting, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As part of a cycle, by the collector, which runs wherever something is made."""
    told: list[str] = []
    monkeypatch.setattr(
        threading, "excepthook", lambda one: told.append(f"{one.thread.name}: {one.exc_value}")
    )
    clip = make_video(tmp_path / "clip.mp4", frames=60)
    gc.collect()
    gc.disable()
    try:
        frames = vidinfer.label(clip, model=f"{__name__}:make_collecting", max_batch_size=1)
        freed = threading.Event()
        frames._labelling._stack.callback(_fail if fails else freed.set)
        cycle: list[Any] = [frames]
        cycle.append(cycle)
        next(frames)
        del frames, cycle
        collecting.unreachable.set()
        while threads := [one for one in threading.enumerate() if one.name.startswith("vidinfer-")]:
            threads[0].join(60)
            assert not threads[0].is_alive()
    finally:
        gc.enable()
    assert collecting.collected.is_set()
    assert freed.is_set() != fails
    assert told == (["vidinfer-close: it cannot be closed"] if fails else [])


def _fail() -> None:
    raise OSError("it cannot be closed")


def test_a_file_has_nothing_of_live_streams_but_its_name(tmp_path: Path) -> None:
    clip = make_video(tmp_path / "clip.mp4", frames=40)
    with vidinfer.label(clip, model="demo", max_batch_size=1) as frames:
        assert frames.info is not None
        assert (frames.info.name, frames.status(), frames.preview) == ("clip.mp4", None, None)
        first = next(frames)
        assert (first.source, first.epoch, first.latency_ms, first.batch) == ("clip.mp4", None, None, None)
        frames.stop()
        found = [first, *frames]
    assert len(found) == frames.ledger.labelled < 40  # the rest was never decoded
    assert frames.ledger.balanced
    assert frames.left_out == 0


def test_classification_gives_classes(tmp_path: Path) -> None:
    clip = make_video(tmp_path / "clip.mp4", frames=5)
    frames = list(vidinfer.label(clip, model="mobilenet_v3_small", weights="none", top_k=3))
    assert len(frames) == 5
    for number, frame in enumerate(frames):
        assert frame.objects is None
        assert frame.classes is not None
        assert len(frame.classes) == len(frame.classes.labels) == 3
        assert (np.diff(frame.classes.scores) <= 0).all()
        assert read_number(frame.image()) == number


def test_damaged_frames_say_so(tmp_path: Path) -> None:
    clip = flip_bytes(
        make_video(tmp_path / "clip.mp4", frames=60, size=(160, 96), gop=10), start=0.4, end=0.5
    )
    with vidinfer.label(clip, model="demo") as frames:
        outcomes = [(f.outcome.value, f.objects is None) for f in frames]
        ledger = frames.ledger
    assert ledger.balanced
    assert all((outcome != "labelled") == without for outcome, without in outcomes)
    assert ledger.labelled == sum(outcome == "labelled" for outcome, _ in outcomes)


def test_errors_come_at_once(tmp_path: Path) -> None:
    with pytest.raises(vidinfer.SourceError, match="no such file"):
        vidinfer.label(tmp_path / "missing.mp4", model="demo")
    clip = make_video(tmp_path / "clip.mp4", frames=3)
    with pytest.raises(vidinfer.UsageError):
        vidinfer.label(clip, model="demo", score_threshold=3)
    with pytest.raises(vidinfer.UsageError, match="car"):
        vidinfer.label(clip, model="demo", classes=["cart"])
    with pytest.raises(vidinfer.ModelUnavailable):
        vidinfer.label(clip, model="no_such_net")
