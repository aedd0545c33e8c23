"""Warnings of a live run: when they are noted, how many are kept."""

from __future__ import annotations

from itertools import count

from tests.preview.made import ledger, stream
from vidinfer.live.warned import KEPT, Warnings, found_in
from vidinfer.status import OutletStatus


def made() -> Warnings:
    ticks = count(1)
    return Warnings(lambda: float(next(ticks)))


def test_each_is_noted_once_while_it_goes_on_and_again_when_it_comes_back() -> None:
    warnings = made()
    assert warnings.look([]) == ((), 0)
    warnings.look(["too slow"])
    kept, total = warnings.look(["too slow", "gate, labels: no room"])
    assert ([(one.at, one.text) for one in kept], total) == (
        [(2.0, "gate, labels: no room"), (1.0, "too slow")],
        2,
    )
    assert warnings.look(["too slow"]) == (kept, 2)
    again, total = warnings.look(["too slow", "gate, labels: no room"])
    assert (again[0].at, again[1:], total) == (3.0, kept, 3)


def test_a_figure_that_counts_up_is_no_news() -> None:
    warnings = made()
    warnings.look(["stuck for 3 s"])
    assert warnings.look(["stuck for 14 s"])[1] == 1


def test_only_the_newest_are_kept_all_are_counted() -> None:
    warnings = made()
    for i in range(KEPT + 5):
        warnings.look(["x" * (i + 1)])
    kept, total = warnings.look([])
    assert (len(kept), total, kept[0].text) == (KEPT, KEPT + 5, "x" * (KEPT + 5))


def test_outputs_that_fail_and_frames_the_model_failed_on_are_found() -> None:
    lost = OutletStatus("labels", 900, 5, 2, "No space left on device", 5)
    assert list(found_in([stream("door"), stream("gate", ledger=ledger(failed=1), outlets=(lost,))])) == [
        "gate: the model failed on frames, which have no labels",
        "gate, labels: No space left on device",
        "gate, labels: records are lost, as it failed",
    ]
    slow = OutletStatus("labels", 900, 5, 2, failed=3)
    assert list(found_in([stream("gate", outlets=(slow,))])) == [
        "gate, labels: records are lost, as it failed",
        "gate, labels: records are left out, it cannot keep up",
    ]
