"""Sound: copied bit for bit where MP4 and players take it, encoded again where not, in step with the pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from tests.media import make_video
from tests.sink_video.cases import (
    MODEL,
    NOTHING,
    Blank,
    burst_time,
    entries,
    ffprobe,
    flash_time,
    make_clip,
    payloads,
    render,
)
from vidinfer.frame import Frame
from vidinfer.record import LabelledBatch
from vidinfer.sink.adts import audio_specific_config
from vidinfer.sink.video import VideoSink
from vidinfer.source.open import open_source

ONE_FRAME = 1024


def in_step(source: Path, out: Path, rate: int = 48000) -> bool:
    """Sound and picture are as far apart as in the source, to within one audio frame."""
    before = burst_time(source) - flash_time(source)
    after = burst_time(out) - flash_time(out)
    return abs(after - before) < ONE_FRAME / rate


def actions(sink: VideoSink) -> list[str]:
    audio: Any = sink.facts()["audio"]
    return [stream["action"] for stream in audio]


def test_odd_names_and_foreign_text_are_no_obstacle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    source, out = (
        Path("cam:1.mp4"),
        Path("out:1.mp4"),
    )  # a colon, which FFmpeg takes for the end of a protocol
    data = make_clip(tmp_path / "good.mp4").read_bytes()
    assert data.count(b"Lavf") == 1
    source.write_bytes(data.replace(b"Lavf", b"L\xe4vf"))  # metadata that is not UTF-8
    sink = render(source, out)
    assert actions(sink) == ["aac copied"]
    assert payloads(out.absolute()) == payloads(tmp_path / "good.mp4")


@pytest.mark.parametrize(
    ("name", "audio", "options"),
    [
        ("aac.mp4", "aac", {}),
        ("b-frames.mp4", "aac", {"b_frames": 3}),
        ("aac.mkv", "aac", {"start": 5.0}),
        ("opus.mkv", "libopus", {}),
        ("opus.webm", "libopus", {"video": "libvpx"}),
        ("mp3.avi", "libmp3lame", {"video": "mpeg4"}),
        ("flac.mkv", "flac", {}),
        ("later.mkv", "aac", {"audio_start": 0.5}),
        ("earlier.mkv", "aac", {"start": 2.0, "audio_start": 0.5}),
        ("far.mkv", "aac", {"start": 3600.0}),
        ("longer.mp4", "aac", {"audio_seconds": 4.0}),
        ("shorter.mp4", "aac", {"audio_seconds": 1.5}),
    ],
)
def test_copied_bit_for_bit(tmp_path: Path, name: str, audio: str, options: dict[str, Any]) -> None:
    source, out = make_clip(tmp_path / name, audio=audio, **options), tmp_path / "out.mp4"
    sink = render(source, out)
    assert payloads(out) == payloads(source)
    assert actions(sink)[0].endswith(" copied")
    assert in_step(source, out)
    assert sink.facts()["warnings"] == []


@pytest.mark.parametrize(
    ("name", "audio", "options"),
    [
        ("mulaw.mov", "pcm_mulaw", {"audio_rate": 8000}),
        ("mulaw.avi", "pcm_mulaw", {"audio_rate": 8000, "video": "mpeg4"}),
        ("alaw.avi", "pcm_alaw", {"audio_rate": 8000, "video": "mpeg4"}),
        ("s16.mkv", "pcm_s16le", {}),
        ("odd-rate.mkv", "pcm_s16le", {"audio_rate": 11111}),
        ("surround.mkv", "pcm_s24le", {"audio_rate": 96000, "layout": "5.1"}),
        ("three.mkv", "pcm_s16le", {"layout": "2.1"}),
        ("vorbis.mkv", "vorbis", {"layout": "stereo"}),
        ("ac3.mkv", "ac3", {}),
        ("mp2.ts", "mp2", {}),
        ("alac.mov", "alac", {}),
        ("later.mkv", "pcm_s16le", {"audio_start": 0.5}),
        ("far.mkv", "pcm_s16le", {"start": 3600.0}),
    ],
)
def test_encoded_where_players_need_it(
    tmp_path: Path, name: str, audio: str, options: dict[str, Any]
) -> None:
    source, out = make_clip(tmp_path / name, audio=audio, **options), tmp_path / "out.mp4"
    sink = render(source, out)
    assert actions(sink)[0].endswith(" encoded as aac")
    assert [s["codec_name"] for s in ffprobe(out)["streams"]] == ["h264", "aac"]
    assert in_step(source, out, options.get("audio_rate", 48000))
    assert sink.facts()["warnings"] == []


def test_the_headers_of_broadcast_aac_are_taken_off_and_nothing_else(tmp_path: Path) -> None:
    source, out = make_clip(tmp_path / "in.ts", start=1.0), tmp_path / "out.mp4"
    sink = render(source, out)
    assert payloads(out) == [packet[7:] for packet in payloads(source)]
    assert actions(sink) == ["aac copied"]
    assert in_step(source, out)


@pytest.mark.parametrize(
    ("frame", "expected"),
    [
        (bytes.fromhex("fff14c40039ffc"), "1188"),  # AAC-LC, 48 kHz, mono
        (bytes.fromhex("fff15080039ffc"), "1210"),  # AAC-LC, 44.1 kHz, stereo
        (bytes.fromhex("fff14c00039ffc"), None),  # channels described inside
        (b"\xff\xf1", None),
        (b"no header at all", None),
    ],
)
def test_description_from_a_header(frame: bytes, expected: str | None) -> None:
    found = audio_specific_config(frame)
    assert (None if found is None else found.hex()) == expected


def test_all_audio_streams_come_along(tmp_path: Path) -> None:
    source, out = make_clip(tmp_path / "in.mkv", audio=["aac", "pcm_s16le", "libopus"]), tmp_path / "out.mp4"
    sink = render(source, out)
    assert actions(sink) == ["aac copied", "pcm_s16le encoded as aac", "opus copied"]
    assert [s["codec_name"] for s in ffprobe(out)["streams"]] == ["h264", "aac", "aac", "opus"]
    assert payloads(out, 2) == payloads(source, 2)
    assert abs(burst_time(out, 1) - burst_time(source, 1)) < ONE_FRAME / 48000


def test_a_source_without_sound(tmp_path: Path) -> None:
    sink = render(make_video(tmp_path / "in.mp4"), tmp_path / "out.mp4")
    assert sink.facts()["audio"] == []
    assert [s["codec_type"] for s in ffprobe(tmp_path / "out.mp4")["streams"]] == ["video"]


def test_only_the_part_with_pictures_when_a_range_was_asked_for(tmp_path: Path) -> None:
    source, out = make_clip(tmp_path / "in.mp4", seconds=4.0), tmp_path / "out.mp4"
    render(source, out, frames=slice(20, 50))  # 0.8 s to 2.0 s of 4 s
    streams = ffprobe(out)["streams"]
    assert in_step(source, out)
    for stream in streams:
        assert float(stream["start_time"]) == pytest.approx(0.8, abs=0.03)
        assert float(stream["duration"]) == pytest.approx(1.2, abs=0.05)


def test_sampled_pictures_keep_all_the_sound(tmp_path: Path) -> None:
    source, out = make_clip(tmp_path / "in.mp4", seconds=2.0), tmp_path / "out.mp4"
    render(source, out, frames=slice(None, None, 7))
    assert payloads(out) == payloads(source)


def test_an_empty_stream_is_told(tmp_path: Path) -> None:
    source = tmp_path / "in.mkv"
    with av.open(str(source), "w") as container:
        video = container.add_stream("libx264", rate=25)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        container.add_stream("aac", rate=48000, layout="mono")
        for _ in range(5):
            container.mux(video.encode(av.VideoFrame.from_ndarray(np.zeros((48, 64, 3), np.uint8), "rgb24")))
        container.mux(video.encode(None))
    sink = render(source, tmp_path / "out.mp4")
    assert sink.facts()["warnings"] == ["audio stream 1 is empty where there are pictures"]


def test_damaged_sound_is_told_and_the_rest_kept(tmp_path: Path) -> None:
    source, out = make_clip(tmp_path / "in.mkv", audio="ac3", seconds=3.0), tmp_path / "out.mp4"
    packets, before = payloads(source), burst_time(source)
    data = bytearray(source.read_bytes())
    for packet in packets[10:14]:
        at = data.index(packet)
        data[at : at + len(packet)] = bytes(len(packet))
    source.write_bytes(data)
    sink = render(source, out)
    assert sink.facts()["warnings"] == ["audio stream 1: packets that could not be decoded: 4"]
    assert abs(burst_time(out) - before) < ONE_FRAME / 48000
    sound = ffprobe(out)["streams"][1]
    assert float(sound["start_time"]) + float(sound["duration"]) == pytest.approx(3.0, abs=0.05)


def test_a_source_that_vanished_costs_the_sound_only(tmp_path: Path) -> None:
    source, out = make_clip(tmp_path / "in.mp4"), tmp_path / "out.mp4"
    opened = open_source(source, name="in.mp4", threads=1)
    source.unlink()
    sink = VideoSink(out, Blank(), threads=1)
    sink.open(opened.info, MODEL)
    frames = [item for item in opened if isinstance(item, Frame)]
    sink.write(LabelledBatch(list(entries(frames)), NOTHING))
    sink.close()
    opened.close()
    assert len(sink.facts()["warnings"]) == 1  # type: ignore[arg-type]
    assert "cannot be opened again" in sink.facts()["warnings"][0]  # type: ignore[index]
