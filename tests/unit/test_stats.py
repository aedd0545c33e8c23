from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vidinfer.report import RunReport, SourceReport
from vidinfer.stats import Ledger, StageTimes, together
from vidinfer.testing import VirtualClock

OUTCOMES = ["labelled", "corrupt", "failed", "skip:sampling", "skip:range", "drop:stale"]


@given(st.lists(st.sampled_from(OUTCOMES)), st.integers(0, 3))
def test_the_ledger_balances_exactly_when_every_frame_has_one_outcome(
    outcomes: list[str], extra: int
) -> None:
    ledger = Ledger()
    for outcome in outcomes:
        ledger.add("decoded")
        kind, _, reason = outcome.partition(":")
        if kind == "skip":
            ledger.skip(reason)
        elif kind == "drop":
            ledger.drop(reason)
        else:
            ledger.add(kind)
    ledger.add("decoded", extra)
    ledger.add("gaps")
    snapshot = ledger.snapshot()
    assert snapshot.balanced == (extra == 0)
    assert snapshot.accounted == len(outcomes)
    assert snapshot.labelled == outcomes.count("labelled")
    assert sum(snapshot.skipped.values()) == sum(o.startswith("skip") for o in outcomes)


def test_ledgers_of_several_sources_add_up() -> None:
    one, two = Ledger(), Ledger()
    one.add("decoded", 5)
    one.add("labelled", 3)
    one.skip("sampling", 2)
    two.add("decoded", 4)
    two.add("failed")
    two.drop("stale", 3)
    two.add("gaps")
    two.add("packets_lost", 7)
    found = together(ledger.snapshot() for ledger in (one, two))
    assert (found.decoded, found.labelled, found.corrupt, found.failed) == (9, 3, 0, 1)
    assert (found.skipped, found.dropped) == ({"sampling": 2}, {"stale": 3})
    assert (found.gaps, found.packets_lost) == (1, 7)
    assert found.balanced
    assert together([]) == Ledger().snapshot()


def test_unknown_counts_are_refused() -> None:
    with pytest.raises(ValueError, match="no such count"):
        Ledger().add("lost")
    with pytest.raises(ValueError, match="no such count"):
        Ledger().add("skipped")


def test_settling_gives_what_is_in_flight_a_reason() -> None:
    ledger = Ledger()
    ledger.add("decoded", 5)
    ledger.add("labelled", 2)
    ledger.settle("interrupted")
    assert ledger.snapshot().skipped == {"interrupted": 3}
    assert ledger.snapshot().balanced
    ledger.settle("interrupted")
    assert ledger.snapshot().skipped == {"interrupted": 3}


def test_stage_times_add_up_per_stage() -> None:
    clock = VirtualClock()
    times = StageTimes(clock)
    for _ in range(3):
        with times.busy("decode"):
            clock.advance(2)
        with times.busy("infer"):
            clock.advance(0.5)
    assert times.seconds() == {"decode": 6.0, "infer": 1.5}


@pytest.mark.parametrize(
    ("statuses", "expected"),
    [
        ([], 0),
        (["complete", "skipped"], 0),
        (["complete", "damaged"], 1),
        (["failed"], 1),
        (["failed", "interrupted"], 130),
    ],
)
def test_exit_status_is_that_of_the_worst(statuses: list[str], expected: int) -> None:
    reports = tuple(SourceReport("a", s) for s in statuses)  # type: ignore[arg-type]
    assert RunReport(reports, 1.0).exit_status == expected
