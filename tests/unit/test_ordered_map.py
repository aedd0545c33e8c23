from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress

import pytest

from vidinfer.errors import Interrupted
from vidinfer.ordered_map import ordered_map


def go_on() -> bool:
    return False


def until(off: Callable[[], bool]) -> None:
    """Wait as work does: with looks at whether anybody still wants its result."""
    pause = threading.Event()
    while not off():
        pause.wait(0.01)
    raise Interrupted("called off")


def test_results_come_in_the_order_of_the_items_whichever_is_done_first() -> None:
    done = [threading.Event() for _ in range(4)]

    def work(item: int, off: Callable[[], bool]) -> str:
        del off
        if item + 1 < len(done):
            done[item + 1].wait()  # each ends after the one behind it
        done[item].set()
        return f"of {item}"

    with ordered_map("test", work, range(4), threads=4, stopped=go_on) as results:
        assert list(results) == ["of 0", "of 1", "of 2", "of 3"]


def test_so_many_at_a_time_and_no_more() -> None:
    together = threading.Barrier(3)
    lock = threading.Lock()
    now, most = [0], [0]

    def work(item: int, off: Callable[[], bool]) -> int:
        del off
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
        together.wait()  # nobody gets on alone
        with lock:
            now[0] -= 1
        return item

    with ordered_map("test", work, range(12), threads=3, stopped=go_on) as results:
        assert list(results) == list(range(12))
    assert most == [3]


def test_a_stop_ends_waits_on_both_sides() -> None:
    stop, begun = threading.Event(), threading.Barrier(3)

    def work(item: int, off: Callable[[], bool]) -> None:
        del item
        begun.wait()
        until(off)

    with (
        pytest.raises(Interrupted),
        ordered_map("test", work, range(10), threads=2, stopped=stop.is_set) as results,
    ):
        begun.wait()
        stop.set()
        next(results)


def test_after_a_stop_nothing_is_begun_and_nothing_given_out() -> None:
    stop = threading.Event()
    begun = []

    def work(item: int, off: Callable[[], bool]) -> int:
        del off
        begun.append(item)
        if item == 1:
            stop.set()
        return item

    with ordered_map("test", work, range(10), threads=1, stopped=stop.is_set) as results:
        found: list[int] = []
        with pytest.raises(Interrupted):
            found += results
    assert begun == [0, 1]


def test_what_work_raises_ends_the_rest_and_comes_out_with_its_stage() -> None:
    both, called_off = threading.Barrier(2), threading.Event()

    def work(item: int, off: Callable[[], bool]) -> None:
        both.wait()
        if item == 1:
            raise ValueError("broken")
        with suppress(Interrupted):
            until(off)
        called_off.set()

    with (
        pytest.raises(ValueError, match="broken") as caught,
        ordered_map("test", work, range(2), threads=2, stopped=go_on) as results,
    ):
        list(results)
    assert called_off.is_set()
    assert "in stage: test-" in caught.value.__notes__[0]


def test_work_that_was_interrupted_interrupts_who_waits_for_it() -> None:
    def work(item: int, off: Callable[[], bool]) -> int:
        del off
        if item == 1:
            raise Interrupted("by somebody else")
        return item

    with (
        pytest.raises(Interrupted, match="somebody else"),
        ordered_map("test", work, range(3), threads=1, stopped=go_on) as results,
    ):
        assert next(results) == 0
        next(results)


@pytest.mark.parametrize("failing", [False, True])
def test_leaving_early_ends_it(failing: bool) -> None:
    begun = threading.Barrier(2)

    def work(item: int, off: Callable[[], bool]) -> int:
        if item:
            begun.wait()
            until(off)
        return item

    with (
        suppress(KeyError),
        ordered_map("test", work, range(5), threads=1, stopped=go_on) as results,
    ):
        assert next(results) == 0
        begun.wait()
        if failing:
            raise KeyError("of whoever takes them")


def test_nothing_to_do() -> None:
    with ordered_map("test", lambda item, _: item, [], threads=4, stopped=go_on) as results:
        assert list(results) == []
