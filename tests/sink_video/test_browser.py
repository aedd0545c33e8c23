"""Chromium plays what the sink writes: from the start, after a seek, to the end, in the right colours."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.media import make_video, read_number
from tests.sink_video.cases import CLICK_SECONDS, MODEL, make_clip, one_box, render
from tests.sink_video.conftest import Watch
from vidinfer.annotate import DrawingAnnotator
from vidinfer.annotate.palette import Palette

pytestmark = pytest.mark.browser


def number_in(look: dict[str, Any], width: int, height: int) -> int:
    return read_number(look["rgba"].reshape(height, width, 4)[..., :3])


def test_plays_and_seeks_with_the_right_pictures(tmp_path: Path, watch: Watch) -> None:
    source = make_video(tmp_path / "in.mp4", frames=50, size=(160, 120), rate=25, b_frames=2)
    render(source, tmp_path / "out.mp4")
    seen = watch(tmp_path / "out.mp4", [1.02, 0.02, 1.94, 0.5])
    assert (seen["width"], seen["height"]) == (160, 120)
    assert seen["duration"] == pytest.approx(2.0, abs=0.01)
    assert [number_in(look, 160, 120) for look in seen["looks"]] == [25, 0, 48, 12]
    assert seen["end"] == pytest.approx(2.0, abs=0.01)


def test_shows_frames_at_their_own_times(tmp_path: Path, watch: Watch) -> None:
    pts = [0, 100, 150, 700, 720, 1500, 1900]
    base = Fraction(1, 1000)
    source = make_video(tmp_path / "in.mkv", frames=7, size=(160, 120), pts=pts, time_base=base)
    render(source, tmp_path / "out.mp4")
    seen = watch(tmp_path / "out.mp4", [0.3, 0.69, 0.71, 1.3, 1.6])
    assert [number_in(look, 160, 120) for look in seen["looks"]] == [2, 2, 3, 4, 5]


def test_shows_the_box_in_the_colour_of_its_class(tmp_path: Path, watch: Watch) -> None:
    source = make_video(tmp_path / "in.mp4", frames=30, size=(640, 480))
    render(source, tmp_path / "out.mp4", results=one_box((100, 150, 500, 400)), annotator=DrawingAnnotator())
    seen = watch(tmp_path / "out.mp4", [0.5], pixel=(300, 400))  # on the lower edge, away from the label
    assert np.abs(seen["looks"][0]["rgba"][:3].astype(int) - Palette(len(MODEL.categories))[1]).max() < 40


def test_starts_at_once_although_the_source_starts_late(tmp_path: Path, watch: Watch) -> None:
    source = make_clip(tmp_path / "in.ts", start=4.0)
    render(source, tmp_path / "out.mp4")
    seen = watch(tmp_path / "out.mp4", [4.0 + CLICK_SECONDS + 0.05, 4.5], pixel=(40, 30))
    assert seen["start"] == pytest.approx(4.0, abs=0.1), (
        "it begins with the first picture, not with emptiness"
    )
    assert seen["looks"][0]["rgba"][1] > 200
    assert seen["looks"][1]["rgba"][1] < 60
    assert seen["end"] == pytest.approx(6.0, abs=0.1)


@pytest.mark.parametrize(
    ("suffix", "audio", "rate"),
    [("mp4", "aac", 48000), ("mkv", "libopus", 48000), ("mkv", "flac", 44100), ("mov", "pcm_mulaw", 8000)],
)
def test_the_sound_is_decoded(tmp_path: Path, watch: Watch, suffix: str, audio: str, rate: int) -> None:
    source = make_clip(tmp_path / f"in.{suffix}", audio=audio, audio_rate=rate)
    render(source, tmp_path / "out.mp4")
    seen = watch(tmp_path / "out.mp4", [1.0], pixel=(0, 0))
    assert seen["audio"] > 0
    assert seen["end"] == pytest.approx(2.0, abs=0.05)
