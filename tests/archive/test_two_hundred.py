"""Two hundred mixed files, some broken, two of them poisonous: each frame of the night is accounted for."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from fractions import Fraction
from itertools import accumulate
from pathlib import Path
from typing import Any, NamedTuple

import av
import cv2
import pytest

from tests.archive.conftest import Runner, make_plain, outputs
from tests.archive.test_poison import DEADLY, REASONS
from tests.archive.test_run import Seen, manifest
from tests.media import draw_number, flip_bytes, make_video, truncate

GOOD = 193
SIZES = ((64, 48), (96, 64), (128, 128), (160, 120), (320, 240), (352, 288), (640, 360))
RATES = (5, 12, 24, 25, 30, Fraction(30000, 1001), 50, 60)


class Kind(NamedTuple):
    """How a file is made; ``varies``: in its times between frames."""

    suffix: str
    codec: str
    options: Mapping[str, Any] = {}
    varies: bool = False
    rates: tuple[int | Fraction, ...] = RATES
    sizes: tuple[tuple[int, int], ...] = SIZES


KINDS = (
    Kind(".mp4", "libx264", {"b_frames": 2, "audio": "aac"}),
    Kind(".mov", "libx264", {"rotation": 90}),
    Kind(".mp4", "libx264", {"rotation": 180, "b_frames": 3, "gop": 7}),
    Kind(".mkv", "libx264", {"b_frames": 1}, varies=True),
    Kind(".ts", "libx264", {"b_frames": 3, "audio": "mp2"}),
    Kind(".mkv", "libx265", {"b_frames": 2}),
    Kind(".mkv", "libsvtav1", sizes=SIZES[2:]),
    Kind(".webm", "libvpx-vp9", varies=True),
    Kind(".avi", "mpeg4"),
    Kind(".ts", "mpeg2video", {"b_frames": 2}, rates=(24, 25, 30, 50, 60)),
    Kind(".avi", "mjpeg", {"pix_fmt": "yuvj420p"}),
    Kind(".gif", "gif", {"pix_fmt": "rgb8"}, rates=(5, 10, 20, 25)),
    Kind(".png", "png"),
)


def make_good(folder: Path) -> dict[str, list[int | None]]:
    """Files of every kind; the times of the frames that a plain decoder finds in each, by name."""
    chance = random.Random(7)
    found = {}
    for i in range(GOOD):
        kind = KINDS[i % len(KINDS)]
        path = folder / f"cam{i % 5}" / f"file{i:03}{kind.suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        size, frames = chance.choice(kind.sizes), chance.randint(2, 60)
        if kind.codec == "png":
            assert cv2.imwrite(str(path), draw_number(i, *size))
        else:
            times: dict[str, Any] = {"rate": chance.choice(kind.rates)}
            if kind.varies:
                steps = accumulate(chance.choice((11, 33, 40, 250)) for _ in range(frames))
                times = {"rate": 25, "time_base": Fraction(1, 1000), "pts": list(steps)}
            make_video(
                path, frames=frames, size=size, codec=kind.codec, first_number=i * 64, **times, **kind.options
            )
        found[str(path.relative_to(folder))] = decoded(path)
        assert len(found[str(path.relative_to(folder))]) == (1 if kind.codec == "png" else frames)
    return found


def make_broken(folder: Path) -> None:
    """Five that are: one cut, one of noise, one empty, one of text, one with bytes turned."""
    (folder / "broken").mkdir()
    truncate(make_video(folder / "broken/cut.ts", frames=50, size=(320, 240), gop=5), keep=0.6)
    (folder / "broken/noise.mp4").write_bytes(random.Random(8).randbytes(50_000))
    (folder / "broken/empty.mkv").write_bytes(b"")
    (folder / "broken/text.mp4").write_text("no video\n" * 100)
    flip_bytes(make_video(folder / "broken/turned.mkv", frames=50, gop=10), start=0.4, end=0.6)


def decoded(path: Path) -> list[int | None]:
    """Timestamps of all frames, from the first to the last, in one go."""
    with av.open(str(path)) as container:
        return [frame.pts for frame in container.decode(video=0)]


def records(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.mark.slow
def test_two_hundred_files(tmp_path: Path, label_archive: Runner) -> None:
    archive, out = tmp_path / "in", tmp_path / "out"
    expected = make_good(archive)
    make_broken(archive)
    (archive / "poison").mkdir()
    make_plain(archive / "poison/red.mp4", "red")
    make_plain(archive / "poison/blue.mp4", "blue")
    options = {"model": DEADLY, "stall": 10, "workers": 2, "processes": True, "labels": "jsonl,parquet"}
    report = label_archive(archive, **options)

    assert report.exit_status == 1
    rows = manifest(out)
    assert len(rows) == len(report.sources) == 200
    assert rows.keys() == {str(path.relative_to(archive)) for path in archive.rglob("*") if path.is_file()}
    for name, times in expected.items():
        row, lines = rows[name], records((out / name).with_suffix(".labels.jsonl"))
        assert row["status"] == "complete", (name, row["error"])
        assert row["decoded"] == row["labelled"] == len(times), name
        assert [row[key] for key in ("corrupt", "failed", "gaps", "skipped")] == [0] * 4, name
        assert [line["frame"] for line in lines] == [*range(len(times))], name
        assert [line["pts"] for line in lines] == times, name
        assert {line["outcome"] for line in lines} == {"labelled"}, name

    poisonous = {name: row for name, row in rows.items() if name.startswith("poison")}
    assert {row["status"] for row in poisonous.values()} == {"quarantined"}
    assert REASONS["red"] in str(poisonous["poison/red.mp4"]["error"])
    assert "no frame for 10 s" in str(poisonous["poison/blue.mp4"]["error"])
    held = (out / ".vidinfer/quarantine.jsonl").read_text().splitlines()
    assert len(held) == 2

    broken = {name: rows[f"broken/{name}"] for name in ("noise.mp4", "empty.mkv", "text.mp4")}
    assert {row["status"] for row in broken.values()} == {"failed"}
    assert all(row["error"] for row in broken.values())
    for name in ("cut.ts", "turned.mkv"):
        row, lines = rows[f"broken/{name}"], records(out / "broken" / f"{name.split('.')[0]}.labels.jsonl")
        assert row["status"] == "damaged", name
        assert row["decoded"] == row["labelled"] + row["corrupt"] + row["failed"] + row["skipped"], name
        assert len(lines) == row["decoded"] + row["gaps"], name
        assert 0 < int(str(row["labelled"])) < 50, name

    before = outputs(out)
    seen = Seen()
    assert label_archive(archive, observer=seen, **options).exit_status == 1, "it is told again"
    assert seen.todo == 0
    assert outputs(out) == before
