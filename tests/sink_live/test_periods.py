"""When files end, and how leftovers and old files are dealt with."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.sink_live.cases import QUARTER_PAST_TEN
from vidinfer.clock import utc_compact
from vidinfer.errors import SinkError
from vidinfer.sink.periods import Periods
from vidinfer.sink.rotating import whole_lines
from vidinfer.sink.series import Keep, Series

HOUR = 3600.0


def test_a_file_ends_at_a_round_time() -> None:
    periods = Periods(HOUR)
    periods.begin(QUARTER_PAST_TEN)
    assert not periods.over(QUARTER_PAST_TEN + 45 * 60 - 0.001)
    assert periods.over(QUARTER_PAST_TEN + 45 * 60)


def test_a_clock_set_back_a_little_changes_nothing_and_much_begins_a_file() -> None:
    periods = Periods(HOUR)
    periods.begin(QUARTER_PAST_TEN)
    assert not periods.over(QUARTER_PAST_TEN - HOUR)
    assert periods.over(QUARTER_PAST_TEN - 2 * HOUR)


def test_without_a_limit_a_file_is_never_over() -> None:
    periods = Periods(None)
    periods.begin(0)
    assert not periods.over(1e12)
    with pytest.raises(ValueError, match="lasts some seconds, got 0"):
        Periods(0)


@given(seconds=st.sampled_from([1.0, 60.0, 3600.0]), walls=st.lists(st.floats(0, 1e5), min_size=1))
def test_whatever_the_clock_does_a_file_spans_two_periods_at_most(seconds: float, walls: list[float]) -> None:
    periods = Periods(seconds)
    periods.begin(walls[0])
    inside = [walls[0]]
    for wall in walls[1:]:
        if periods.over(wall):
            periods.begin(wall)
            inside = []
        inside.append(wall)
        assert max(inside) - min(inside) < 2 * seconds


def test_names_are_utc() -> None:
    assert utc_compact(QUARTER_PAST_TEN + 0.999) == "20261125T101500Z"
    assert utc_compact(0) == "19700101T000000Z"


def series(folder: Path, keep: Keep | None = None, name: str = "cam") -> Series:
    return Series(folder, name, ".labels.jsonl", mend=whole_lines, keep=keep)


def make(one: Series, wall: float, data: bytes = b"{}\n") -> Path:
    piece = one.begin(wall)
    piece.append(data)
    one.complete(piece, durable=False)
    return piece.final


def test_a_name_that_is_taken_is_not_used_again(tmp_path: Path) -> None:
    one = series(tmp_path)
    names = [make(one, QUARTER_PAST_TEN).name for _ in range(3)]
    stem = "cam.20261125T101500Z"
    assert names == [f"{stem}{end}.labels.jsonl" for end in ("", "_2", "_3")]
    assert names == sorted(names)


def test_a_name_that_somebody_took_meanwhile_is_not_used(tmp_path: Path) -> None:
    one = series(tmp_path)
    piece = one.begin(QUARTER_PAST_TEN)
    piece.append(b"mine\n")
    piece.final.write_text("somebody else's")
    one.complete(piece, durable=True)
    assert {p.name: p.read_text() for p in tmp_path.iterdir()} == {
        "cam.20261125T101500Z.labels.jsonl": "somebody else's",
        "cam.20261125T101500Z_2.labels.jsonl": "mine\n",
    }


def leave(folder: Path, data: bytes, wall: float = QUARTER_PAST_TEN, name: str = "cam") -> None:
    """What a killed run leaves behind."""
    piece = series(folder, name=name).begin(wall)
    piece.append(data)
    piece.release()


@pytest.mark.parametrize("torn", [b"", b'{"half":', b"x" * 200_000])
def test_a_leftover_is_cut_to_whole_lines_and_named(tmp_path: Path, torn: bytes) -> None:
    leave(tmp_path, b"one\ntwo\n" + torn)
    one = series(tmp_path)
    one.open()
    one.open()
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == {
        "cam.20261125T101500Z.labels.jsonl": b"one\ntwo\n"
    }
    assert one.recovered == 1


def test_a_leftover_without_a_line_goes(tmp_path: Path) -> None:
    leave(tmp_path, b'{"half":')
    leave(tmp_path, b"")
    series(tmp_path).open()
    assert list(tmp_path.iterdir()) == []


def test_a_leftover_never_replaces_a_file(tmp_path: Path) -> None:
    leave(tmp_path, b"one\n")
    (tmp_path / "cam.20261125T101500Z.labels.jsonl").write_text("precious")
    leave(tmp_path, b"two\n")
    series(tmp_path).open()
    assert [p.read_text() for p in sorted(tmp_path.iterdir())] == ["precious", "one\n", "two\n"]


def test_what_is_being_written_and_what_is_of_others_is_left_alone(tmp_path: Path) -> None:
    living = series(tmp_path).begin(QUARTER_PAST_TEN)
    living.append(b"{}\n")
    leave(tmp_path, b"{}\n", name="camera")
    leave(tmp_path, b"{}\n", name="xcam")
    before = {p.name for p in tmp_path.iterdir()}
    one = series(tmp_path)
    one.open()
    assert {p.name for p in tmp_path.iterdir()} == before
    assert one.recovered == 0
    living.release()


def test_the_oldest_files_go(tmp_path: Path) -> None:
    one = series(tmp_path, Keep(files=2))
    made = [make(one, QUARTER_PAST_TEN + i * HOUR) for i in range(4)]
    assert sorted(tmp_path.iterdir()) == made[2:]
    assert one.removed == 2
    bytewise = series(tmp_path, Keep(nbytes=25))
    newest = make(bytewise, QUARTER_PAST_TEN + 9 * HOUR, b"x" * 19 + b"\n")
    assert sorted(tmp_path.iterdir()) == [made[3], newest]


def test_what_was_just_completed_stays_though_the_clock_was_set_back(tmp_path: Path) -> None:
    one = series(tmp_path, Keep(files=1, nbytes=1))
    make(one, QUARTER_PAST_TEN)
    newest = make(one, QUARTER_PAST_TEN - 24 * HOUR)
    assert list(tmp_path.iterdir()) == [newest]


def test_files_of_others_are_not_counted(tmp_path: Path) -> None:
    names = [
        "notes.txt",
        "cam.labels.jsonl",
        "cam2.20261125T101500Z.labels.jsonl",
        "cam.20261125T101500Z.labels.csv",
    ]
    for name in names:
        (tmp_path / name).touch()
    make(series(tmp_path, Keep(files=1)), QUARTER_PAST_TEN)
    assert {p.name for p in tmp_path.iterdir()} == {*names, "cam.20261125T101500Z.labels.jsonl"}


@pytest.mark.parametrize("name", ["", "a/b", "n" * 250, "a\0b"])
def test_names_that_no_file_can_have(tmp_path: Path, name: str) -> None:
    with pytest.raises(SinkError, match="no file can be named"):
        series(tmp_path, name=name)


def test_the_longest_name(tmp_path: Path) -> None:
    name = "n" * 199
    leave(tmp_path, b"{}\n", name=name)
    make(series(tmp_path, name=name), QUARTER_PAST_TEN)
    assert len(list(tmp_path.iterdir())) == 2


def test_a_folder_that_is_a_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "out").touch()
    with pytest.raises(SinkError, match="a part of the path is a file"):
        series(tmp_path / "out").open()


def test_a_leftover_that_cannot_be_mended_does_not_stop_anybody(tmp_path: Path) -> None:
    def broken(path: Path) -> bool:
        raise OSError(5, "the disk is broken")

    leave(tmp_path, b"one\n")
    one = Series(tmp_path, "cam", ".labels.jsonl", mend=broken)
    make(one, QUARTER_PAST_TEN + HOUR)
    assert len(list(tmp_path.iterdir())) == 2
    series(tmp_path).open()
    assert [p.read_text() for p in sorted(tmp_path.iterdir())] == ["one\n", "{}\n"]


def test_what_was_left_is_rescued_with_the_next_file(tmp_path: Path) -> None:
    one = series(tmp_path)
    piece = one.begin(QUARTER_PAST_TEN)
    piece.append(b"one\n")
    one.leave(piece)
    make(one, QUARTER_PAST_TEN + HOUR)
    assert [p.read_text() for p in sorted(tmp_path.iterdir())] == ["one\n", "{}\n"]


def test_somebody_removes_the_open_file_and_the_folder(tmp_path: Path) -> None:
    one = series(tmp_path / "out")
    piece = one.begin(QUARTER_PAST_TEN)
    piece.path.unlink()
    (tmp_path / "out").rmdir()
    with pytest.raises(SinkError, match="cannot finish"):
        one.complete(piece, durable=True)
    assert make(one, QUARTER_PAST_TEN).exists()
