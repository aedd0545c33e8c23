"""What cannot be a source says so in one line, with what to do; what can be closed is closed."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import av
import pytest

from tests.media import make_video, truncate
from vidinfer.errors import SourceError
from vidinfer.frame import Frame
from vidinfer.source import open_source
from vidinfer.stages import Source


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def refused(path: Path) -> str:
    with pytest.raises(SourceError) as caught:
        open_source(path, name=path.name, threads=1)
    message = str(caught.value)
    assert "\n" not in message
    assert str(path) in message
    return message


def test_no_such_file(tmp_path: Path) -> None:
    assert "no such file" in refused(tmp_path / "nothing.mp4")


def test_a_folder(tmp_path: Path) -> None:
    assert "a folder" in refused(tmp_path)


def test_zero_bytes(tmp_path: Path) -> None:
    path = tmp_path / "empty.mp4"
    path.touch()
    assert "0 bytes" in refused(path)


@pytest.mark.parametrize("name", ["notes.mp4", "notes.txt", "notes.nfo", "notes.mkv"])
def test_text(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_text("These are notes on a meeting, and no film.\n" * 50)
    assert "not media" in refused(path)


def test_noise(tmp_path: Path) -> None:
    path = tmp_path / "noise.mp4"
    path.write_bytes(bytes((i * i * 7 + i // 3) % 256 for i in range(5000)))
    assert "not media" in refused(path)


def test_audio_only(tmp_path: Path) -> None:
    both = make_video(tmp_path / "both.mp4", frames=5, audio="aac")
    path = tmp_path / "audio.m4a"
    with av.open(str(both)) as source, av.open(str(path), "w", format="mp4") as out:
        stream = source.streams.audio[0]
        copy = out.add_stream_from_template(stream)
        for packet in source.demux(stream):
            if packet.dts is not None:
                packet.stream = copy
                out.mux(packet)
    assert "audio only" in refused(path)


def test_cover_art_is_no_video(tmp_path: Path) -> None:
    path = tmp_path / "song.m4a"
    make_video(path, frames=1, codec="png", pix_fmt="rgb24", format="mp4", audio="aac", attached_picture=True)
    assert "audio only" in refused(path)


def test_missing_index(tmp_path: Path) -> None:
    """A recorder that lost power: all the pictures, and no moov box to find them by."""
    path = truncate(make_video(tmp_path / "crash.mp4", frames=60), keep=0.7)
    message = refused(path)
    assert "moov" in message
    assert "cut off" in message


def test_nothing_that_decodes(tmp_path: Path) -> None:
    path = make_video(tmp_path / "hurt.mp4", frames=10, codec="libx264", options={"movflags": "faststart"})
    data = bytearray(path.read_bytes())
    start = data.rindex(b"mdat") + 4
    data[start:] = bytes(len(data) - start)
    path.write_bytes(data)
    assert "no frame" in refused(path)


def test_a_pipe_is_refused_without_waiting(tmp_path: Path) -> None:
    path = tmp_path / "pipe.mp4"
    os.mkfifo(path)
    assert "not a regular file" in refused(path)


def test_a_device_is_refused() -> None:
    assert "not a regular file" in refused(Path("/dev/zero"))


def test_no_permission(tmp_path: Path) -> None:
    path = make_video(tmp_path / "secret.mp4", frames=2)
    path.chmod(0)
    if os.geteuid() == 0:  # root may read everything: nothing to refuse
        open_source(path, name="secret.mp4", threads=1).close()
    else:
        assert "permission" in refused(path)


def test_a_name_is_never_taken_for_a_protocol_or_pattern(tmp_path: Path) -> None:
    for name in ("concat:a.mp4", "a b%03d.mp4", "rtsp:x.mp4", "weird[1]*.mp4"):
        made = make_video(tmp_path / "made.mp4", frames=3)
        path = made.rename(tmp_path / name)
        source = open_source(path, name=name, threads=1)
        assert len(list(source)) == 3
        source.close()


def test_a_playlist_cannot_reach_the_network(tmp_path: Path) -> None:
    path = tmp_path / "list.m3u8"
    path.write_text("#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\nhttp://127.0.0.1:9/a.ts\n#EXT-X-ENDLIST\n")
    refused(path)


def test_at_least_one_thread(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        open_source(make_video(tmp_path / "a.mp4", frames=1), name="a", threads=0)


def test_facts_are_ready_before_the_first_frame(tmp_path: Path) -> None:
    path = make_video(tmp_path / "clip.mp4", frames=5, audio="aac")
    source: Source = open_source(path, name="folder/clip.mp4", threads=1)
    info = source.info
    assert info.name == "folder/clip.mp4"
    assert info.path == str(path)
    assert info.details["codec"] == "h264"
    assert source.facts()["frames"] == 0
    source.close()


def test_interrupt_ends_the_iteration(tmp_path: Path) -> None:
    source = open_source(make_video(tmp_path / "clip.mp4", frames=60), name="clip", threads=2)
    seen = []
    for item in source:
        seen.append(item)
        if len(seen) == 5:
            stopper = threading.Thread(target=source.interrupt)
            stopper.start()
            stopper.join()
    assert len(seen) == 5
    assert all(isinstance(item, Frame) for item in seen)  # being stopped is no damage
    source.interrupt()
    assert list(source) == []
    source.close()


def test_interrupt_before_the_first_frame(tmp_path: Path) -> None:
    source = open_source(make_video(tmp_path / "clip.mp4", frames=10), name="clip", threads=1)
    source.interrupt()
    assert list(source) == []
    source.close()


def test_leaving_early_and_closing_twice(tmp_path: Path) -> None:
    path = make_video(tmp_path / "clip.mkv", frames=30)
    before = open_files()
    for _ in range(20):
        source = open_source(path, name="clip", threads=2)
        frame = next(iter(source))
        source.close()
        source.close()
        assert list(source) == []
        assert isinstance(frame, Frame)
        assert frame.picture.rgb().shape == (64, 96, 3)  # what was given out stays good
    assert open_files() <= before


def test_a_failed_opening_leaves_nothing_open(tmp_path: Path) -> None:
    path = truncate(make_video(tmp_path / "crash.mp4", frames=30), keep=0.5)
    before = open_files()
    for _ in range(10):
        refused(path)
    assert open_files() <= before
