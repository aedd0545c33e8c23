"""From what was typed to the files, and the names that the outputs mirror."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from vidinfer.errors import UsageError
from vidinfer.source import expand_sources


def touch(root: Path, *names: str) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")


def names(*specs: Path | str) -> list[str]:
    return [str(file.name) for file in expand_sources([str(spec) for spec in specs]).files]


def only_error(spec: Path | str) -> str:
    expanded = expand_sources([str(spec)])
    assert expanded.files == ()
    ((given, error),) = expanded.errors
    assert given == str(spec)
    assert "\n" not in str(error)
    return str(error)


def test_a_file_keeps_its_name_whatever_its_suffix(tmp_path: Path) -> None:
    touch(tmp_path, "clip.dat")
    assert names(tmp_path / "clip.dat") == ["clip.dat"]


def test_a_folder_is_mirrored_sorted_and_only_media(tmp_path: Path) -> None:
    touch(tmp_path, "b.mp4", "a.MOV", "notes.txt", "sub/deep/c.mkv", "sub/d.png", ".hidden.mp4", ".git/e.mp4")
    assert names(tmp_path) == ["a.MOV", "b.mp4", "sub/d.png", "sub/deep/c.mkv"]


def test_a_glob_is_relative_to_what_it_spells_out(tmp_path: Path) -> None:
    touch(tmp_path, "day1/a.mp4", "day2/a.mp4", "day2/notes.txt", "day2/x/b.mp4")
    assert names(tmp_path / "day*" / "*.mp4") == ["day1/a.mp4", "day2/a.mp4"]
    assert names(tmp_path / "day2" / "*") == ["a.mp4"]
    assert names(tmp_path / "**" / "*.mp4") == ["day1/a.mp4", "day2/a.mp4", "day2/x/b.mp4"]


def test_a_file_that_is_named_like_a_glob(tmp_path: Path) -> None:
    touch(tmp_path, "clip[1].mp4")
    assert names(tmp_path / "clip[1].mp4") == ["clip[1].mp4"]


def test_each_file_once(tmp_path: Path) -> None:
    touch(tmp_path, "a.mp4", "b.mp4")
    assert names(tmp_path / "b.mp4", tmp_path, tmp_path / "*.mp4") == ["b.mp4", "a.mp4"]


def test_equal_names_are_told_apart_by_their_folders(tmp_path: Path) -> None:
    touch(tmp_path, "x/1/a.mp4", "y/1/a.mp4", "y/2/b.mp4")
    got = names(tmp_path / "x/1/a.mp4", tmp_path / "y/1/a.mp4", tmp_path / "y/2/b.mp4")
    assert got == ["x/1/a.mp4", "y/1/a.mp4", "b.mp4"]
    folders = names(tmp_path / "x", tmp_path / "y")
    assert folders == ["x/1/a.mp4", "y/1/a.mp4", "2/b.mp4"]


def test_one_bad_does_not_stop_the_rest(tmp_path: Path) -> None:
    touch(tmp_path, "a.mp4")
    expanded = expand_sources([str(tmp_path / "gone.mp4"), str(tmp_path / "a.mp4")])
    assert [file.path.name for file in expanded.files] == ["a.mp4"]
    assert [given for given, _ in expanded.errors] == [str(tmp_path / "gone.mp4")]


def test_a_folder_that_cannot_be_looked_into_is_told_and_the_rest_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its path is longer than the system takes, which holds for every user."""
    touch(tmp_path, "in/a.mp4", "in/z/b.mp4")
    monkeypatch.chdir(tmp_path / "in")
    for _ in range(20):
        Path("d" * 250).mkdir()
        os.chdir("d" * 250)
    Path("lost.mp4").touch()
    os.chdir(tmp_path)
    for spec, more in (("in", ""), ("in/**/*.mp4", ""), ("@list", "@list, line 1: ")):
        Path("list").write_text("in\n")
        expanded = expand_sources([spec])
        assert [file.path.name for file in expanded.files] == ["a.mp4", "b.mp4"]
        ((_, error),) = expanded.errors
        assert str(error).startswith(f"{more}in/ddd")
        assert "cannot be looked into (File name too long)" in str(error)


def test_what_comes_to_nothing(tmp_path: Path) -> None:
    touch(tmp_path, "docs/readme.txt")
    assert "no such file" in only_error(tmp_path / "gone.mp4")
    assert "without media" in only_error(tmp_path / "docs")
    assert "no media file matches" in only_error(tmp_path / "*.mp4")


@pytest.mark.parametrize(
    "spec",
    ["rtsp://cam/1", "http://host/a.mp4", "udp://@:1234", "camera:0", "/dev/video0", "/dev/v4l/by-id/a", "-"],
)
def test_live_streams_are_not_in_this_version(spec: str) -> None:
    with pytest.raises(UsageError, match="live streams are not in this version"):
        expand_sources([spec])


def test_what_an_earlier_run_drew_into_the_same_folder_is_no_source(tmp_path: Path) -> None:
    for name in ("clip.mp4", "clip.annotated.mp4", "clip.run.json", "mine.annotated.mp4"):
        (tmp_path / name).touch()
    for spec in (str(tmp_path), str(tmp_path / "*")):
        assert [f.path.name for f in expand_sources([spec]).files] == ["clip.mp4", "mine.annotated.mp4"]
    (named,) = expand_sources([str(tmp_path / "clip.annotated.mp4")]).files
    assert named.path.name == "clip.annotated.mp4"


def test_links(tmp_path: Path) -> None:
    """A file goes by its own name if it is there; a link that leads nowhere is a file that cannot be opened."""
    touch(tmp_path, "z.mp4", "elsewhere/y.mp4")
    archive = tmp_path / "in"
    touch(archive, "m.mp4", "sub/n.mp4")
    for link, target in {
        "a-link.mp4": "m.mp4",
        "outside.mp4": "../z.mp4",
        "loop.mp4": "loop.mp4",
        "gone.mp4": "nowhere.mp4",
        "sub/up": "..",
        "sub/self": ".",
    }.items():
        (archive / link).symlink_to(target)
    assert names(archive) == ["m.mp4", "gone.mp4", "loop.mp4", "outside.mp4", "sub/n.mp4"]
    assert names(archive / "a-link.mp4") == ["a-link.mp4"]
    assert names(archive / "**" / "*.mp4") == ["m.mp4", "outside.mp4", "sub/n.mp4"]


def test_two_stars_stand_for_folders_anywhere(tmp_path: Path) -> None:
    touch(tmp_path, "a.mp4", "day[1]/a.mp4", "day[1]/x/y/b.mp4", "day2/x/.hidden/c.mp4", "day2/x/c.mp4")
    assert names(tmp_path / "**" / "x" / "**" / "*.mp4") == ["day2/x/c.mp4", "day[1]/x/y/b.mp4"]
    assert names(tmp_path / "d*" / "**") == ["day2/x/c.mp4", "day[1]/a.mp4", "day[1]/x/y/b.mp4"]
    assert names(tmp_path / "nowhere" / "**" / "*.mp4") == []


def test_a_tilde_is_the_home_folder_only_where_a_shell_would_say_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    touch(tmp_path, "home/h.mp4", "~.mp4", "~nobody-of-this-name.mp4", "~/in-a-folder.mp4")
    assert names("~nobody-of-this-name.mp4") == ["~nobody-of-this-name.mp4"]
    assert names("./~/in-a-folder.mp4") == ["in-a-folder.mp4"]
    (tmp_path / "list").write_bytes(b"./~nobody-of-this-name.mp4\0~/h.mp4\0~.mp4\0")
    with monkeypatch.context() as here:
        here.setenv("HOME", str(tmp_path / "home"))
        assert names("~/h.mp4") == ["h.mp4"]
        assert names("@list") == ["~nobody-of-this-name.mp4", "h.mp4", "~.mp4"]
