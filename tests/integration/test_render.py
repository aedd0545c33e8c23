"""``vidinfer render``: what is drawn from labels is what ``--video`` drew in the run."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from tests.integration.conftest import Runner
from tests.media import draw_colours, flip_bytes, make_video
from tests.source.test_images import draw
from vidinfer.cli.main import main

SAMPLE = Path(__file__).parents[2] / "sample_media" / "traffic.mp4"
OWN = "tests.model.own_models"


def pictures(path: Path) -> Iterator[tuple[int | None, NDArray[np.uint8]]]:
    """Timestamps and samples of every picture."""
    with av.open(str(path)) as video:
        for frame in video.decode(video=0):
            yield frame.pts, frame.to_ndarray()


def differences(one: Path, other: Path) -> list[float]:
    """The largest difference of each pair of pictures, as many as there are, at the same times."""
    found = []
    for (pts, a), (pts2, b) in zip(pictures(one), pictures(other), strict=True):
        assert pts == pts2
        found.append(float(np.abs(a.astype(int) - b).max()))
    assert found
    return found


def render(*words: Path | str) -> int:
    return main(["render", *map(str, words)])


@pytest.mark.parametrize("form", ["jsonl", "parquet", "csv"])
def test_detections_are_drawn_as_in_the_run(tmp_path: Path, label_files: Runner, form: str) -> None:
    report = label_files(SAMPLE, labels=form, video=True, max_frames=8, every=2, score_threshold=0.3)
    assert report.exit_status == 0
    out = tmp_path / "out"
    assert render(out / f"traffic.labels.{form}", "--out", tmp_path / "again") == 0
    again = tmp_path / "again" / "traffic.annotated.mp4"
    assert set(differences(out / "traffic.annotated.mp4", again)) == {0.0}
    assert list((tmp_path / "again").iterdir()) == [again]


def test_damaged_turned_and_variable_videos_are_drawn_as_in_the_run(
    tmp_path: Path, label_files: Runner
) -> None:
    # Damaged such that what the decoder makes up does not depend on which of its pictures are still held.
    damaged = make_video(tmp_path / "damaged.mp4", frames=60, size=(320, 240), gop=10, draw=draw_colours)
    flip_bytes(damaged, start=0.4, end=0.5)
    pts = [0, 40, 90, 91, 400, 1000]
    turned = make_video(
        tmp_path / "turned.mp4", frames=6, size=(160, 96), pts=pts, time_base=Fraction(1, 1000), rotation=90
    )
    label_files(damaged, turned, backend="eager", labels="jsonl", video=True, score_threshold=0.05)
    out, again = tmp_path / "out", tmp_path / "again"
    outcomes = {
        json.loads(line)["outcome"] for line in (out / "damaged.labels.jsonl").read_text().splitlines()
    }
    assert outcomes > {"labelled"}
    assert render(out, "--out", again) == 0
    for name in ("damaged", "turned"):
        assert set(differences(out / f"{name}.annotated.mp4", again / f"{name}.annotated.mp4")) == {0.0}


@pytest.mark.parametrize(
    ("task", "most", "share"),
    [
        ({"model": f"{OWN}:small_keypointrcnn", "score_threshold": 0.2}, 0, 0),
        ({"model": "quantized_shufflenet_v2_x0_5", "weights": "none"}, 0, 0),
        ({"model": f"{OWN}:small_maskrcnn", "score_threshold": 0.2}, 255, 0.05),
        ({"model": "lraspp_mobilenet_v3_large", "weights": "none"}, 255, 0.001),
    ],
    ids=["keypoints", "classes", "masks", "segments"],
)
def test_other_tasks_as_far_as_labels_carry_them(
    tmp_path: Path, label_files: Runner, task: dict[str, object], most: float, share: float
) -> None:
    clip = make_video(tmp_path / "clip.mp4", frames=3, size=(240, 160), draw=draw_colours)
    assert label_files(clip, labels="jsonl", video=True, **task).exit_status == 0
    assert render(tmp_path / "out", "--out", tmp_path / "again") == 0
    files = [tmp_path / folder / "clip.annotated.mp4" for folder in ("out", "again")]
    assert max(differences(*files)) <= most
    for (_, a), (_, b) in zip(pictures(files[0]), pictures(files[1]), strict=True):
        assert np.mean(np.abs(a.astype(int) - b) > 16) <= share


def test_a_rendering_that_was_stopped_goes_on(
    tmp_path: Path, label_files: Runner, capfd: pytest.CaptureFixture[str]
) -> None:
    """Complete videos stay, those of newer labels are drawn again."""
    clips = [make_video(tmp_path / f"{name}.mp4", frames=3, size=(160, 96)) for name in ("a", "b", "c")]
    label_files(*clips, labels="jsonl")
    out = tmp_path / "out"
    for name, when in (("a", 1_000), ("b", 2_000), ("c", 3_000)):
        os.utime(out / f"{name}.labels.jsonl", (when, when))
    for name, when in (("a", 1_001), ("b", 1_999)):  # and none of c
        (out / f"{name}.annotated.mp4").write_bytes(b"video")
        os.utime(out / f"{name}.annotated.mp4", (when, when))
    assert render(out, "--out", out) == 2
    assert "output exists" in capfd.readouterr().err
    assert render(out, "--out", out, "--resume", "--overwrite") == 2
    capfd.readouterr()

    assert render(out, "--out", out, "--resume") == 0
    said = capfd.readouterr().err
    assert "1 video kept" in said
    assert "a.annotated.mp4" not in said
    assert (out / "a.annotated.mp4").read_bytes() == b"video"
    for name in ("b", "c"):
        assert len(list(pictures(out / f"{name}.annotated.mp4"))) == 3
    assert render(out, "--out", out, "--resume") == 0
    assert capfd.readouterr().err == "vidinfer: 3 videos kept: newer than the labels\n"


def test_optical_flow_has_nothing_to_draw(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    from tests.export.cases import in_order, labels
    from tests.sink import cases

    path = labels(tmp_path, batches=in_order(cases.windowed_batches(cases.flow(3))), model=cases.FLOWER)
    assert render(path, "--out", tmp_path / "out") == 2
    assert "hold sums only" in capfd.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.fixture
def labelled(tmp_path: Path, label_files: Runner) -> Path:
    clip = make_video(tmp_path / "clip.mp4", frames=6, size=(160, 96))
    assert label_files(clip, labels="jsonl").exit_status == 0
    return tmp_path / "out" / "clip.labels.jsonl"


def test_the_video_is_found_where_it_is_said_to_be(tmp_path: Path, labelled: Path) -> None:
    clip, elsewhere = tmp_path / "clip.mp4", tmp_path / "elsewhere"
    elsewhere.mkdir()
    moved = shutil.move(clip, elsewhere / "clip.mp4")
    assert render(labelled, "--out", tmp_path / "a") == 1  # it is gone
    assert not list((tmp_path / "a").glob("*"))
    assert render(labelled, "--out", tmp_path / "a", "--source", elsewhere) == 0
    assert render(labelled, "--out", tmp_path / "b", "--source", moved) == 0
    shutil.copy(moved, labelled.parent)
    assert render(labelled, "--out", tmp_path / "c") == 0  # beside its labels


def test_a_folder_of_images_is_drawn_as_in_the_run(tmp_path: Path, label_files: Runner) -> None:
    folder = draw(tmp_path / "in" / "seq", *((f"f{i}.png", 40 + i) for i in (7, 8, 10)))
    assert label_files(folder, video=True, score_threshold=0.1).exit_status == 0
    drawn, labels = tmp_path / "out" / "seq.annotated.mp4", tmp_path / "out" / "seq.labels.jsonl"
    for number, source in enumerate(((), ("--source", folder), ("--source", folder.parent))):
        again = tmp_path / f"again{number}"
        assert render(labels, "--out", again, *source) == 0
        assert set(differences(drawn, again / drawn.name)) == {0.0}


def test_a_video_whose_name_is_no_text_is_found(tmp_path: Path, label_files: Runner) -> None:
    clip = make_video(tmp_path / os.fsdecode(b"caf\xe9.mp4"), frames=3)
    assert label_files(clip).exit_status == 0
    (labels,) = (tmp_path / "out").glob("*.labels.jsonl")
    assert render(labels, "--out", tmp_path / "again") == 0
    make_video(tmp_path / os.fsdecode(b"caf\xea.mp4"), frames=3)
    assert render(labels, "--out", tmp_path / "once more") == 1, "there are two that it may be"


def test_another_video_is_refused(tmp_path: Path, labelled: Path, capfd: pytest.CaptureFixture[str]) -> None:
    larger = make_video(tmp_path / "b.mp4", frames=6, size=(320, 96))
    out = tmp_path / "again"
    assert render(labelled, "--out", out, "--source", larger) == 1
    assert "bytes, and" in capfd.readouterr().err
    facts = labelled.with_name("clip.run.json")
    document = json.loads(facts.read_text())
    del document["source"]["bytes"]  # as older runs have it
    facts.write_text(json.dumps(document))
    assert render(labelled, "--out", out, "--source", larger) == 1
    assert "shows 320x96 pixels, and 160x96 were labelled" in capfd.readouterr().err
    shifted = make_video(tmp_path / "c.mp4", frames=6, size=(160, 96), pts=[0, 1, 2, 3, 5, 6])
    assert render(labelled, "--out", out, "--source", shifted) == 1
    assert "frame 4 was labelled at pts" in capfd.readouterr().err
    shorter = make_video(tmp_path / "d.mp4", frames=5, size=(160, 96))
    assert render(labelled, "--out", out, "--source", shorter) == 1
    assert "ends before frame 5 of the labels" in capfd.readouterr().err
    assert not list(out.glob("*"))


def test_videos_are_not_replaced_by_accident(tmp_path: Path, labelled: Path) -> None:
    out = tmp_path / "again"
    assert render(labelled, "--out", out) == 0
    assert render(labelled, "--out", out) == 2
    assert render(labelled, "--out", out, "--overwrite") == 0
    assert render(labelled, "--out", out, "--source", tmp_path / "nowhere", "--overwrite") == 2
    labelled.write_bytes(labelled.read_bytes()[:-20])
    before = (out / "clip.annotated.mp4").read_bytes()
    assert render(labelled, "--out", out, "--overwrite") == 1
    assert (out / "clip.annotated.mp4").read_bytes() == before
    assert [path.name for path in out.iterdir()] == ["clip.annotated.mp4"]
