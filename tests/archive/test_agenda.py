"""The order in which units are begun, and what the journal keeps of them."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from vidinfer.archive.agenda import Agenda
from vidinfer.archive.journal import Journal
from vidinfer.archive.order import begun_in_order, long_ones_first, scouts
from vidinfer.archive.planning import KnownFile, PlannedSource, plan_source
from vidinfer.archive.unit import Unit
from vidinfer.outputs import name_outputs
from vidinfer.source import Part


def planned(name: str, *frames: int) -> PlannedSource:
    """A source of parts of so many frames."""
    parts = tuple(
        Part(i or None, i + 1 if i + 1 < len(frames) else None, frames=count)
        for i, count in enumerate(frames)
    )
    (names,) = name_outputs([f"{name}.mp4"], Path("out"), ("jsonl",), video=False)
    file = KnownFile(f"{name}.mp4", Path(f"{name}.mp4"), (1, "0"), name, parts, sum(frames))
    return plan_source(file, names, "recipe", ("jsonl",))


def filled(*sources: PlannedSource) -> Agenda:
    agenda = Agenda()
    for source in sources:
        for unit in agenda.add(source):
            agenda.put(unit)
    return agenda


def told(agenda: Agenda) -> list[tuple[str, int]]:
    """What is taken, in order, as names and frames."""
    found = []
    while (unit := agenda.take()) is not None:
        found.append((unit.path.stem, unit.frames))
    return found


def test_what_would_be_late_goes_first_and_the_rest_stays_source_by_source() -> None:
    agenda = filled(
        planned("a", 100, 100, 40), planned("long", 300), planned("b", 100, 70), planned("huge", 900)
    )
    agenda.order()
    rest = [("a", 100), ("a", 100), ("a", 40), ("b", 100), ("b", 70)]
    assert told(agenda) == [("huge", 900), ("long", 300), *rest]


def test_units_of_unknown_length_are_told_apart_by_their_bytes() -> None:
    units = [Unit(str(i), Path(f"{i}.ts"), (size, "0")) for i, size in enumerate((10**6, 10**6, 10**8))]
    assert [unit.id for unit in long_ones_first(units)] == ["2", "0", "1"]
    assert long_ones_first([]) == []


def test_what_is_done_again_comes_after_a_while_not_at_the_end() -> None:
    agenda = filled(planned("a", *range(1, 11)))
    first = agenda.take()
    assert first is not None
    agenda.put_back(first, after=3)
    second = agenda.take()
    assert second is not None
    agenda.put_back(second)
    assert [frames for _, frames in told(agenda)] == [2, 3, 4, 1, 5, 6, 7, 8, 9, 10]
    agenda.put_back(first, after=100)
    assert told(agenda) == [("a", 1)]


def test_tries_that_begin_together_are_durable_with_one_sync(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    syncs = []
    real = os.fdatasync
    monkeypatch.setattr("os.fdatasync", lambda file: (syncs.append(lines(tmp_path)), real(file)))
    journal = Journal(tmp_path / "journal.jsonl")
    journal.begin(*"abc")
    journal.begin()
    journal.begin("d")
    journal.close()
    assert syncs == [3, 4], "after the last line of each"
    again = Journal(tmp_path / "journal.jsonl")
    again.close()
    assert [again.open_tries(unit) for unit in "abcde"] == [1, 1, 1, 1, 0]


def lines(folder: Path) -> int:
    return len((folder / "journal.jsonl").read_text().splitlines())


def test_a_unit_that_went_well_leaves_nothing_in_memory(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.jsonl")
    for number in range(100):
        journal.begin(f"{number}")
        journal.failed(f"{number}", "crashed") if number % 2 else None
        journal.done(f"{number}")
    assert not journal._open
    assert not journal._failed
    assert (journal.open_tries("1"), journal.failures("1")) == (0, 0)
    journal.close()


def test_a_source_that_is_withdrawn_counts_no_more() -> None:
    long, other = planned("long", 100, 100, 100, 100), planned("other", 50)
    agenda = filled(long, other)
    first, second = agenda.take(), agenda.take()
    assert first is not None
    assert second is not None
    assert not agenda.settle(first.id)
    assert [unit.id for unit in agenda.withdraw(long)] == [unit.id for unit in long.units[2:]]
    assert (agenda.units, agenda.settled, agenda.waiting) == (1, 0, 1)
    assert agenda.settle(second.id) == []  # it was under way, and ends in vain
    assert agenda.settled == 0
    assert told(agenda) == [("other", 50)]
    assert agenda.open_sources() == [other]


def test_a_copy_keeps_the_units_until_it_is_withdrawn_too() -> None:
    long = planned("long", 100, 100)
    copy = replace(long, file=replace(long.file, name="copy.mp4"))
    agenda = filled(long, copy)
    assert agenda.units == 2
    assert agenda.withdraw(long) == []
    assert (agenda.units, agenda.waiting) == (2, 2)
    assert agenda.withdraw(copy) == list(copy.units)
    assert (agenda.units, agenda.settled, agenda.waiting) == (0, 0, 0)


def test_units_of_finished_sources_count_once_whoever_else_has_them() -> None:
    first, copy, new = planned("a", 10, 20), planned("a", 10, 20), planned("a", 10, 20)
    agenda = Agenda()
    assert len(agenda.add_finished(first)) == 2
    assert agenda.add_finished(copy) == []
    assert (agenda.units, agenda.settled) == (2, 2)
    again = agenda.add(new)
    assert (agenda.units, agenda.settled) == (2, 0), "whoever gets them settles them"
    assert agenda.add_finished(copy) == []
    assert [source for unit in again for source in agenda.settle(unit.id)] == [new]
    assert (agenda.units, agenda.settled) == (2, 2)


def of_kind(kind: str, *frames: int) -> list[Unit]:
    return [
        Unit(f"{kind} {i}", Path(f"{kind}{i}.mp4"), (1, "0"), frames=count, kind=kind, pixels=10**6)
        for i, count in enumerate(frames)
    ]


def test_short_ones_of_each_kind_go_before_all_others() -> None:
    small, large = of_kind("small", *[300] * 40, 250, 1000), of_kind("large", *[500] * 39, 240, 260, 9000)
    told = [240, 250, 260, 300, 500, 300]
    assert [unit.frames for unit in scouts(small + large)[0]] == told, (
        "in turn, first that of which most is to do"
    )
    first = begun_in_order(small + large)
    assert [unit.frames for unit in first[:8]] == [*told, 9000, 1000]
    assert sorted(unit.id for unit in first) == sorted(unit.id for unit in small + large)


def test_scouts_that_would_tell_nothing_or_take_too_long() -> None:
    assert scouts([]) == scouts(of_kind("one", 300, 400, 500)) == ([], [])
    first, again = scouts(of_kind("one", *[30] * 20, *[3000] * 20))
    assert [unit.frames for unit in first + again] == [30] * 16, "of one kind, those that tell the overhead"
    clips, films = of_kind("clips", *[20, 30, 25] * 200), of_kind("films", *[90_000] * 3)
    first, again = scouts(clips + films)
    assert [unit.frames for unit in first] == [30] * 6 + [20] * 4, (
        "the longest clips and then the shortest; no film is a scout"
    )
    assert [unit.frames for unit in again] == [20] * 12


def test_short_ones_are_begun_again_when_processes_are_up_to_speed() -> None:
    small, large = of_kind("small", *[30] * 40, *[900] * 20), of_kind("large", *[30] * 40, *[900] * 20)
    ordered = begun_in_order(small + large)
    first, again = scouts(small + large)
    assert ordered[: len(first)] == first
    assert [unit.frames for unit in again] == [30] * 24
    at = ordered.index(again[0])
    assert ordered[at : at + 24] == again
    before = sum(unit.frames for unit in ordered[:at])
    assert 0.06 <= before / sum(unit.frames for unit in ordered) < 0.06 + 0.03
    assert sorted(unit.id for unit in ordered) == sorted(unit.id for unit in small + large)
