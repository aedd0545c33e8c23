"""``vidinfer.label`` as the README shows it."""

from __future__ import annotations

import gc
import threading
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

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
