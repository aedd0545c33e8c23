"""Lists of sources: ``@list.txt`` and ``@-``."""

from __future__ import annotations

import io
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


class Given(io.StringIO):
    """Standard input that holds ``data``."""

    def __init__(self, data: bytes) -> None:
        super().__init__()
        self.buffer = io.BytesIO(data)  # type: ignore[misc]


def test_lines_are_relative_to_the_list_and_outputs_mirror_them(tmp_path: Path) -> None:
    touch(tmp_path, "in/a.mp4", "in/cam/b.mp4", "in/cam/c.mkv", "in/notes.txt", "else/z.mp4")
    lines = [
        "# what to label",
        "",
        "a.mp4",
        "  cam/  ",
        "notes.txt",
        f"{tmp_path}/else/z.mp4",
        "../else/z.mp4",
    ]
    (tmp_path / "in" / "list").write_bytes(b"\xef\xbb\xbf" + "\r\n".join(lines).encode())
    assert names(f"@{tmp_path}/in/list") == ["a.mp4", "cam/b.mp4", "cam/c.mkv", "notes.txt", "z.mp4"]


def test_globs_in_a_list(tmp_path: Path) -> None:
    touch(tmp_path, "x/1/a.mp4", "x/2/a.mp4")
    (tmp_path / "list.txt").write_text("x/*/a.mp4\n")
    assert names(f"@{tmp_path}/list.txt") == ["x/1/a.mp4", "x/2/a.mp4"]


def test_nul_keeps_names_as_they_are(tmp_path: Path) -> None:
    odd = ["# no comment.mp4", " space .mp4", "two\nlines.mp4", os.fsdecode(b"\xff.mp4"), "@at.mp4"]
    touch(tmp_path, *odd)
    (tmp_path / "list").write_bytes(b"\0".join(map(os.fsencode, odd)) + b"\0")
    assert names(f"@{tmp_path}/list") == odd


def test_standard_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    touch(tmp_path, "a.mp4", "b.mp4")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.stdin", Given(b"b.mp4\na.mp4\n"))
    assert names("@-") == ["b.mp4", "a.mp4"]


def test_a_terminal_is_no_list(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Given(b"")
    monkeypatch.setattr(terminal, "isatty", lambda: True)
    monkeypatch.setattr("sys.stdin", terminal)
    with pytest.raises(UsageError, match="find"):
        expand_sources(["@-"])


def test_what_is_wrong_with_a_line_says_where(tmp_path: Path) -> None:
    touch(tmp_path, "a.mp4")
    (tmp_path / "list").write_text("# one\na.mp4\ngone.mp4\n")
    expanded = expand_sources([f"@{tmp_path}/list"])
    assert [file.path.name for file in expanded.files] == ["a.mp4"]
    ((spec, error),) = expanded.errors
    assert spec == "gone.mp4"
    assert "line 3: " in str(error)
    assert "no such file" in str(error)


def test_lists_that_are_none(tmp_path: Path) -> None:
    (tmp_path / "empty").write_text("\n# nothing\n")
    for spec, says in (("empty", "empty list"), ("gone", "No such file"), (".", "Is a directory")):
        ((_, error),) = expand_sources([f"@{tmp_path}/{spec}"]).errors
        assert says in str(error)
    with pytest.raises(UsageError, match="expected @FILE"):
        expand_sources(["@"])


def test_a_stream_in_a_list_is_refused(tmp_path: Path) -> None:
    (tmp_path / "list").write_text("rtsp://user:secret@cam/1\n")
    with pytest.raises(UsageError) as caught:
        expand_sources([f"@{tmp_path}/list"])
    assert "secret" not in str(caught.value)


def test_many_files_of_one_name_take_no_square_of_time(tmp_path: Path) -> None:
    touch(tmp_path, *(f"{i:04}/clip.mp4" for i in range(1000)))
    (tmp_path / "list").write_text("".join(f"{tmp_path}/{i:04}/../{i:04}/clip.mp4\n" for i in range(1000)))
    got = names(f"@{tmp_path}/list")
    assert len(set(got)) == 1000
    assert got[7] == "0007/clip.mp4"
