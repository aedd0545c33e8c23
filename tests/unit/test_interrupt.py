from __future__ import annotations

import threading

from vidinfer.interrupt import Interrupt
from vidinfer.workers import Workers


def test_it_ends_a_wait_from_another_thread_and_whatever_begins_later() -> None:
    interrupt, ended, waiting = Interrupt(), threading.Event(), threading.Event()

    def wait() -> None:
        with interrupt.ended_by(ended.set):
            waiting.set()
            assert ended.wait(20)

    with Workers(interrupt.set) as workers:
        workers.start("wait", wait)
        assert waiting.wait(20)
        interrupt.set()
    later: list[str] = []
    with interrupt.ended_by(lambda: later.append("at once")):
        assert later == ["at once"]
    assert interrupt.wait(60)


def test_a_wait_that_is_over_is_not_ended() -> None:
    interrupt, ended = Interrupt(), []
    with interrupt.ended_by(lambda: ended.append(1)):
        pass
    assert not interrupt.wait(0)
    interrupt.set()
    interrupt.set()
    assert ended == []
