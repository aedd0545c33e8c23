"""Which encoder is taken, and what is told of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import av
import pytest

from tests.sink_video.cases import BASE, MODEL, Blank, noise, write_stamps
from vidinfer.frame import FrameStamp, SourceInfo
from vidinfer.sink.codec import choose_codec
from vidinfer.sink.video import VideoSink

STAMPS = [FrameStamp(i, i, BASE) for i in range(3)]
OPTIONS = {"x264": {"preset": "ultrafast"}, "crf": 23.0, "threads": 1}


def test_libx264_unless_asked_otherwise(tmp_path: Path) -> None:
    sink = write_stamps(tmp_path / "out.mp4", STAMPS)
    assert sink.facts()["encoder"] == "libx264"
    assert sink.facts()["warnings"] == []


@pytest.mark.parametrize("device", ["cpu", "cuda:0"])
def test_libx264_is_not_replaced_where_it_was_asked_for(device: str) -> None:
    codec = choose_codec("libx264", device, **OPTIONS)  # type: ignore[arg-type]
    assert (codec.name, codec.warning) == ("libx264", None)


def test_auto_without_a_gpu_is_libx264() -> None:
    codec = choose_codec("auto", "cpu", **OPTIONS)  # type: ignore[arg-type]
    assert (codec.name, codec.warning) == ("libx264", None)


def test_auto_on_a_gpu_takes_its_encoder_or_says_why_not(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Most machines that run this have no NVENC; on one that has, it must work just as well."""
    sink = VideoSink(tmp_path / "out.mp4", Blank(), x264={"preset": "ultrafast"}, threads=1, encoder="auto")
    sink.open(SourceInfo("made", 320, 240, BASE), replace(MODEL, device="cuda:0"))
    for batch in noise(3):
        sink.write(batch)
    sink.close()
    facts = sink.facts()
    warnings = facts["warnings"]
    assert isinstance(warnings, list)
    if facts["encoder"] == "libx264":
        assert len(warnings) == 1
        assert "the GPU's encoder cannot be used (" in warnings[0]
        assert "encoded by libx264" in warnings[0]
    else:
        assert facts["encoder"] == "h264_nvenc"
        assert warnings == []
    with av.open(str(tmp_path / "out.mp4")) as container:
        assert container.streams.video[0].codec_context.codec.canonical_name == "h264"
        assert sum(1 for _ in container.decode(video=0)) == 3
    assert capfd.readouterr() == ("", ""), "FFmpeg's own words are no use to anybody"


def test_no_other_encoder_can_be_named() -> None:
    with pytest.raises(ValueError, match="no encoder 'h265'; there are libx264, auto"):
        VideoSink(Path("out.mp4"), Blank(), encoder="h265")
