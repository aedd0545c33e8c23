"""The main job, end to end: what comes out for files of every temper."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import pytest

from tests.integration.conftest import Runner, records, run_report
from tests.media import flip_bytes, make_video, truncate
from vidinfer.errors import ModelUnavailable, SinkError, SourceError, UsageError


def test_labels_and_video_of_a_variable_rate_file(tmp_path: Path, label_files: Runner) -> None:
    pts = [0, 40, 90, 91, 400, 1000, 1033, 1066, 1500, 2000]
    clip = make_video(tmp_path / "clip.mkv", frames=10, pts=pts, time_base=Fraction(1, 1000), b_frames=2)
    report = label_files(clip, video=True)
    assert report.exit_status == 0
    out = tmp_path / "out"
    lines = records(out / "clip.labels.jsonl")
    assert [line["frame"] for line in lines] == list(range(10))
    assert [line["pts"] for line in lines] == pts
    assert {line["outcome"] for line in lines} == {"labelled"}
    assert all(line["time"] == line["pts"] / 1000 for line in lines)
    with av.open(str(out / "clip.annotated.mp4")) as video:
        times = [frame.time for frame in video.decode(video=0)]
    assert times == pytest.approx([p / 1000 for p in pts], abs=1e-9)
    facts = run_report(out / "clip.run.json")
    assert facts["frames"]["labelled"] == 10
    assert facts["status"] == "complete"
    assert facts["speed_of_light"]["limited_by"] in ("decode", "model", "write")
    assert sorted(p.name for p in out.iterdir()) == [
        "clip.annotated.mp4",
        "clip.labels.jsonl",
        "clip.run.json",
    ]


def test_a_folder_is_mirrored_and_equal_names_do_not_collide(tmp_path: Path, label_files: Runner) -> None:
    for name in ("a.mp4", "a.mov", "cam/a.mp4"):
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        make_video(tmp_path / "in" / name, frames=3)
    assert label_files(tmp_path / "in").exit_status == 0
    found = {str(p.relative_to(tmp_path / "out")) for p in (tmp_path / "out").rglob("*.jsonl")}
    assert found == {"a.mp4.labels.jsonl", "a.mov.labels.jsonl", "cam/a.labels.jsonl"}


def test_one_bad_file_does_not_stop_the_rest(tmp_path: Path, label_files: Runner) -> None:
    (tmp_path / "text.mp4").write_text("this is no video")
    (tmp_path / "empty.mp4").touch()
    good = make_video(tmp_path / "good.mp4", frames=5)
    report = label_files(tmp_path / "text.mp4", tmp_path / "empty.mp4", good, tmp_path / "missing.mp4")
    assert report.exit_status == 1
    statuses = {Path(r.source).name: r.status for r in report.sources}
    assert statuses == {
        "text.mp4": "failed",
        "empty.mp4": "failed",
        "missing.mp4": "failed",
        "good.mp4": "complete",
    }
    assert all(r.error and "\n" not in r.error for r in report.sources if r.status == "failed")
    assert len(records(tmp_path / "out" / "good.labels.jsonl")) == 5


def test_a_file_that_cannot_be_read_does_not_wait_for_a_model(tmp_path: Path, label_files: Runner) -> None:
    (tmp_path / "empty.mp4").touch()
    report = label_files(tmp_path / "empty.mp4", model="resnet50", weights=str(tmp_path / "missing.pth"))
    assert [r.status for r in report.sources] == ["failed"]
    good = make_video(tmp_path / "good.mp4", frames=2)
    with pytest.raises(ModelUnavailable, match=r"missing\.pth"):
        label_files(tmp_path / "empty.mp4", good, model="resnet50", weights=str(tmp_path / "missing.pth"))
    assert list((tmp_path / "out").glob("*")) == []


def test_damage_in_the_middle_is_told_and_decoding_goes_on(tmp_path: Path, label_files: Runner) -> None:
    clip = make_video(tmp_path / "clip.mp4", frames=60, size=(160, 96), gop=10)
    flip_bytes(clip, start=0.4, end=0.5)
    report = label_files(clip, video=True)
    assert report.exit_status == 1
    facts = run_report(tmp_path / "out" / "clip.run.json")
    frames = facts["frames"]
    assert facts["status"] == "damaged"
    assert frames["corrupt"] + frames["gaps"] > 0
    lines = records(tmp_path / "out" / "clip.labels.jsonl")
    assert len(lines) == frames["decoded"] + frames["gaps"]
    assert lines[-1]["outcome"] == "labelled"  # the last groups of pictures are sound
    assert sum(line["outcome"] == "corrupt" for line in lines) == frames["corrupt"]
    assert all(line["reason"] for line in lines if line["outcome"] in ("corrupt", "gap"))


def test_a_truncated_file_keeps_what_is_there(tmp_path: Path, label_files: Runner) -> None:
    clip = make_video(tmp_path / "clip.mkv", frames=60, size=(160, 96), gop=10)
    truncate(clip, keep=0.6)
    report = label_files(clip)
    assert report.exit_status == 1
    frames = run_report(tmp_path / "out" / "clip.run.json")["frames"]
    assert 20 < frames["labelled"] < 60
    assert frames["gaps"] >= 1


def test_outputs_are_not_overwritten_unasked(tmp_path: Path, label_files: Runner) -> None:
    clip = make_video(tmp_path / "clip.mp4", frames=3)
    label_files(clip)
    labels = tmp_path / "out" / "clip.labels.jsonl"
    before = labels.stat().st_mtime_ns
    with pytest.raises(UsageError, match=r"output exists: .*--overwrite.*--resume"):
        label_files(clip)
    assert labels.stat().st_mtime_ns == before
    resumed = label_files(clip, resume=True)
    assert [r.status for r in resumed.sources] == ["skipped"]
    assert labels.stat().st_mtime_ns == before
    assert label_files(clip, overwrite=True).exit_status == 0
    assert labels.stat().st_mtime_ns != before


def test_resume_does_again_what_was_not_finished(tmp_path: Path, label_files: Runner) -> None:
    clips = [make_video(tmp_path / f"{name}.mp4", frames=3) for name in "ab"]
    label_files(*clips)
    (tmp_path / "out" / "b.run.json").unlink()
    assert [r.status for r in label_files(*clips, resume=True).sources] == ["skipped", "complete"]


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda p: p / "missing.mp4", "no such file"),
        (lambda p: _folder(p), "without media"),
        (lambda p: _empty(p), "empty|zero|0 bytes"),
        (lambda p: _text(p), "not"),
        (lambda p: _audio(p), "audio|no video"),
    ],
)
def test_a_source_that_cannot_be_used_is_one_clear_line(
    tmp_path: Path, label_files: Runner, make: object, words: str
) -> None:
    source = make(tmp_path)  # type: ignore[operator]
    try:
        report = label_files(source)
    except SourceError as error:
        text = str(error)
    else:
        assert report.exit_status == 1
        text = report.sources[0].error or ""
    assert "\n" not in text
    assert str(source) in text
    import re

    assert re.search(words, text), text
    assert not list(tmp_path.glob("out/**/*.jsonl"))


def _folder(path: Path) -> Path:
    (path / "notes").mkdir()
    (path / "notes" / "readme.txt").write_text("nothing to see")
    return path / "notes"


def _empty(path: Path) -> Path:
    (path / "empty.mp4").touch()
    return path / "empty.mp4"


def _text(path: Path) -> Path:
    (path / "text.mp4").write_text("this is no video" * 100)
    return path / "text.mp4"


def _audio(path: Path) -> Path:
    with av.open(str(path / "song.m4a"), "w") as out:
        stream = out.add_stream("aac", rate=44100, layout="mono")
        frame = av.AudioFrame(format="fltp", layout="mono", samples=1024)
        for plane in frame.planes:
            plane.update(bytes(plane.buffer_size))
        frame.sample_rate, frame.pts = 44100, 0
        out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path / "song.m4a"


def test_unknown_model_names_the_nearest(tmp_path: Path, label_files: Runner) -> None:
    clip = make_video(tmp_path / "clip.mp4", frames=3)
    with pytest.raises(ModelUnavailable, match="resnet50"):
        label_files(clip, model="resnet5")


def test_an_output_folder_that_cannot_be_made_is_told_before_any_work(
    tmp_path: Path, label_files: Runner
) -> None:
    clip = make_video(tmp_path / "clip.mp4", frames=3)
    (tmp_path / "taken").write_text("a file, not a folder")
    with pytest.raises(SinkError, match=r"taken is a file, not a folder"):
        label_files(clip, out=tmp_path / "taken" / "out", model="no_such_model_is_ever_loaded")


def test_labels_on_standard_output_leave_no_file(
    tmp_path: Path, label_files: Runner, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    clip = make_video(tmp_path / "clip.mp4", frames=3)
    for _ in range(2):  # nor is there one that would be in the way of the next run
        assert label_files(clip, labels=("-",)).exit_status == 0
        assert len(capfdbinary.readouterr().out.splitlines()) == 3
    assert not (tmp_path / "out").exists()


def test_sampling_and_limits(tmp_path: Path, label_files: Runner) -> None:
    clip = make_video(tmp_path / "clip.mp4", frames=40, rate=25)
    label_files(clip, every=3, out=tmp_path / "every")
    lines = records(tmp_path / "every" / "clip.labels.jsonl")
    assert [line["frame"] for line in lines] == list(range(0, 40, 3))
    assert run_report(tmp_path / "every" / "clip.run.json")["frames"]["skipped"]["sampling"] == 26
    label_files(clip, max_frames=7, out=tmp_path / "max")
    assert len(records(tmp_path / "max" / "clip.labels.jsonl")) == 7
    assert run_report(tmp_path / "max" / "clip.run.json")["status"] == "complete"


def test_the_memory_of_the_ring_is_stated(tmp_path: Path, label_files: Runner) -> None:
    clip = make_video(tmp_path / "clip.mp4", frames=12)
    label_files(clip, max_batch_size=2)
    ring = run_report(tmp_path / "out" / "clip.run.json")["ring"]
    assert ring["batch_size"] == 2
    assert ring["bytes"] > 0
    assert ring["batches"] == 6
