"""What headers tell of an archive, and what is told apart."""

from __future__ import annotations

import os
import shutil
import signal
import stat
from fractions import Fraction
from pathlib import Path

import pytest

from tests.media import make_video, truncate
from tests.source.test_images import draw
from vidinfer.archive import header_reader
from vidinfer.archive.fingerprint import fingerprint
from vidinfer.archive.header_reader import HeaderReader
from vidinfer.archive.survey import Surveyed, survey
from vidinfer.errors import Interrupted, VidinferError
from vidinfer.source import expand_sources, read_header


def surveyed(*specs: Path, **options: object) -> dict[str, Surveyed]:
    files = expand_sources([str(spec) for spec in specs]).files
    return {str(one.name): one for one in survey(files, **options)}  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "codec", "found"),
    [
        ("a.mp4", "libx264", "h264"),
        ("a.mkv", "libx264", "h264"),
        ("a.webm", "libvpx-vp9", "vp9"),
        ("a.ts", "libx264", "h264"),
        ("a.avi", "mpeg4", "mpeg4"),
        ("a.mov", "libx265", "hevc"),
        ("a.mpg", "mpeg2video", "mpeg2video"),
    ],
)
def test_headers_of_each_container(tmp_path: Path, name: str, codec: str, found: str) -> None:
    clip = make_video(tmp_path / name, codec=codec, frames=50, size=(192, 112), audio=None)
    header = read_header(clip)
    assert (header.kind, header.codec, header.width, header.height) == ("video", found, 192, 112)
    assert header.error is None
    assert header.size == clip.stat().st_size
    assert header.duration == pytest.approx(2.0, abs=0.25)  # MPEG-PS guesses by its bit rate
    assert header.rate == "25"


def test_each_kind_is_told_apart(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    make_video(folder / "good.mp4", frames=5)
    shutil.copy(folder / "good.mp4", folder / "same.mp4")
    (folder / "text.mp4").write_text("BM this is no video at all\n" * 50)
    (folder / "empty.mp4").touch()
    truncate(make_video(folder / "cut.mp4", frames=40), keep=0.5)
    make_video(folder / "short.avi", frames=60, codec="mpeg4")
    truncate(folder / "short.avi", keep=0.7)
    draw(folder, ("photo.png", 3))
    (folder / "random.mkv").write_bytes(bytes(range(7, 256)) * 40)
    (folder / "notes.txt").write_text("nothing\n")
    got = surveyed(folder, folder / "notes.txt")
    assert {name: one.kind for name, one in got.items()} == {
        "good.mp4": "video",
        "same.mp4": "duplicate",
        "text.mp4": "foreign",
        "empty.mp4": "broken",
        "cut.mp4": "broken",
        "short.avi": "video",
        "photo.png": "image",
        "random.mkv": "foreign",
        "notes.txt": "foreign",
    }
    assert "the same content as good.mp4" in str(got["same.mp4"].error)
    assert "moov" in str(got["cut.mp4"].error)
    assert "bytes are missing" in str(got["short.avi"].error)
    assert "not media" in str(got["notes.txt"].error)
    assert all("\n" not in str(one.error) for one in got.values())
    assert got["photo.png"].frames == 1
    assert got["good.mp4"].rate == Fraction(25)
    assert got["good.mp4"].fingerprint == fingerprint(folder / "good.mp4")
    assert got["photo.png"].fingerprint is None


def test_sound_only_is_foreign_and_cover_art_is_no_video(tmp_path: Path) -> None:
    make_video(
        tmp_path / "cover.mp4", frames=1, codec="png", pix_fmt="rgb24", audio="aac", attached_picture=True
    )
    (one,) = surveyed(tmp_path).values()
    assert one.kind == "foreign"
    assert "sound only" in str(one.error)


def test_a_folder_of_images_and_a_link(tmp_path: Path) -> None:
    draw(tmp_path / "seq", ("1.png", 1), ("4.png", 4))
    make_video(tmp_path / "a.mp4", frames=3)
    os.link(tmp_path / "a.mp4", tmp_path / "b.mp4")
    got = surveyed(tmp_path)
    assert (got["seq"].kind, got["seq"].frames, got["seq"].duration) == ("image", 2, 4 / 25)
    assert got["b.mp4"].kind == "duplicate"
    assert got["a.mp4"].fingerprint is None  # nothing was read for that


def test_a_patched_copy_is_no_duplicate(tmp_path: Path) -> None:
    from tests.archive.test_fingerprint import big_mp4

    one = big_mp4(tmp_path / "a.mp4")
    two = tmp_path / "b.mp4"
    shutil.copy(one, two)
    size = one.stat().st_size
    before = fingerprint(one, "fast")
    at = next(at for at in range(3 * 2**20, size, 70_001) if _unseen(two, at, before))
    got = surveyed(tmp_path)
    assert got["a.mp4"].fingerprint == got["b.mp4"].fingerprint  # fast, and it cannot know
    assert [one.kind for one in got.values()] == ["video", "video"], at


def _unseen(path: Path, at: int, before: object) -> bool:
    """Patch where ``fast`` does not look; undone where it does."""
    from tests.archive.test_fingerprint import patch

    patch(path, at)
    if fingerprint(path, "fast") == before:
        return True
    patch(path, at)
    return False


def test_all_fingerprints_where_asked_for(tmp_path: Path) -> None:
    make_video(tmp_path / "a.mp4", frames=3)
    make_video(tmp_path / "b.mp4", frames=5)
    assert [one.fingerprint for one in surveyed(tmp_path).values()] == [None, None]
    got = surveyed(tmp_path, fingerprints="all")
    assert all(one.fingerprint is not None for one in got.values())
    assert all(one.fingerprint is None for one in surveyed(tmp_path, fingerprints="none").values())


def test_order_and_names_are_kept_and_progress_is_told(tmp_path: Path) -> None:
    clip = make_video(tmp_path / "0.mp4", frames=2)
    for i in range(1, 250):
        (tmp_path / f"{i}.mp4").write_bytes(clip.read_bytes() + i.to_bytes(4))
    files = expand_sources([str(tmp_path)]).files
    told: list[int] = []
    got = survey(files, fingerprints="none", advanced=told.append)
    assert [one.name for one in got] == [file.name for file in files]
    assert {one.kind for one in got} == {"video"}
    assert sum(told) == 250


def test_odd_names(tmp_path: Path) -> None:
    for name in (os.fsdecode(b"\xff\n.mp4"), "a:b.mp4", "-.mp4"):
        shutil.copy(make_video(tmp_path / "x.mp4", frames=2), tmp_path / name)
        assert surveyed(tmp_path / name, fingerprints="none")[name].kind == "video"


def test_a_stop_ends_it(tmp_path: Path) -> None:
    make_video(tmp_path / "a.mp4", frames=2)
    with pytest.raises(Interrupted):
        surveyed(tmp_path, stopped=lambda: True)


CRASHES = """
import os, signal, sys
sys.path.insert(0, sys.argv[1])
from vidinfer.archive import header_child
def read(path, _=header_child.read_header):
    if path.name == "deadly.mp4":
        os.kill(os.getpid(), signal.SIGSEGV)
    return _(path)
header_child.read_header = read
header_child.main()
"""


def test_a_file_that_crashes_its_reader_is_broken_and_the_next_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clip = make_video(tmp_path / "a.mp4", frames=2)
    monkeypatch.setattr(header_reader, "_CODE", CRASHES)
    with HeaderReader(lambda: False) as reader:
        assert reader.read(clip).kind == "video"
        crashed = reader.read(tmp_path / "deadly.mp4")
        assert crashed.kind == "broken"
        assert "crashed on it, 2 times in a row (signal 11)" in str(crashed.error)
        assert reader.read(clip).kind == "video"


def test_a_reader_that_somebody_kills_is_replaced(tmp_path: Path) -> None:
    clip = make_video(tmp_path / "a.mp4", frames=2)
    with HeaderReader(lambda: False) as reader:
        assert reader.read(clip).kind == "video"
        assert reader._child is not None
        os.kill(reader._child.pid, signal.SIGKILL)
        assert reader.read(clip).kind == "video"
        os.kill(reader._child.pid, signal.SIGKILL)
        assert len(reader.split(clip, frames=2000)) == 1


def test_a_file_that_hangs_its_reader_is_broken_and_a_stop_is_heard(tmp_path: Path) -> None:
    clip = make_video(tmp_path / "a.mp4", frames=2)
    stops = [False]
    with HeaderReader(lambda: stops[0], longest=0.3) as reader:
        assert reader.read(clip).kind == "video"
        assert reader._child is not None
        os.kill(reader._child.pid, signal.SIGSTOP)
        assert "within 0.3 s" in str(reader.read(clip).error)
        assert reader.read(clip).kind == "video"
        os.kill(reader._child.pid, signal.SIGSTOP)
        stops[0] = True
        with pytest.raises(Interrupted):
            reader.read(clip)


def test_a_reader_that_does_not_start_is_no_verdict_on_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(header_reader, "_CODE", "raise SystemExit(3)")
    words = r"do not start, 3 times in a row \(exit status 3\)"
    with HeaderReader(lambda: False) as reader, pytest.raises(VidinferError, match=words):
        reader.read(tmp_path / "a.mp4")


def test_a_reader_that_ends_while_it_starts_is_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clip, left = make_video(tmp_path / "a.mp4", frames=2), tmp_path / "left"
    left.write_bytes(b"12")
    killed = f"""
import os, signal, pathlib
left = pathlib.Path({str(left)!r})
if data := left.read_bytes():
    left.write_bytes(data[1:])
    os.kill(os.getpid(), signal.SIGKILL)
"""
    monkeypatch.setattr(header_reader, "_CODE", killed + header_reader._CODE)
    with HeaderReader(lambda: False) as reader:
        assert reader.read(clip).kind == "video"
    assert left.read_bytes() == b""


def test_no_permission_is_said(tmp_path: Path) -> None:
    clip = make_video(tmp_path / "a.mp4", frames=2)
    clip.chmod(0)
    try:
        if os.access(clip, os.R_OK):  # root reads everything
            assert read_header(clip).kind == "video"
        else:
            assert "permission" in str(read_header(clip).error)
    finally:
        clip.chmod(stat.S_IRUSR | stat.S_IWUSR)


def test_objects_in_a_store(tmp_path: Path) -> None:
    import fsspec

    clip = make_video(tmp_path / "a.mp4", frames=7)
    memory = fsspec.filesystem("memory")
    try:
        memory.pipe("/b/x/a.mp4", clip.read_bytes())
        memory.pipe("/b/x/same.mp4", clip.read_bytes())
        memory.pipe("/b/x/text.mp4", b"no video")
        files = expand_sources(["memory://b/"]).files
        got = {str(one.name): one for one in survey(files)}
    finally:
        memory.store.clear()
    assert got["x/a.mp4"].kind == "video"
    assert got["x/a.mp4"].frames == 7
    assert got["x/text.mp4"].kind == "foreign"
    assert got["x/same.mp4"].kind == "video"  # this store has no ETags, only dates
