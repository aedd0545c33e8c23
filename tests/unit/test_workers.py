from __future__ import annotations

import threading

import pytest

from vidinfer.errors import RingAborted
from vidinfer.workers import Workers


def test_the_first_failure_ends_the_others_and_comes_out_with_its_stage() -> None:
    stop = threading.Event()
    with pytest.raises(ValueError, match="broken") as caught, Workers(on_failure=stop.set) as workers:

        def waits() -> None:
            stop.wait()
            raise RingAborted

        def fails() -> None:
            raise ValueError("broken")

        workers.start("waits", waits)
        workers.start("fails", fails)
    assert caught.value.__notes__ == ["in stage: fails"]


def test_all_failures_come_out_together() -> None:
    both = threading.Barrier(2)

    def fail(error: Exception) -> None:
        both.wait()
        raise error

    with pytest.raises(ExceptionGroup) as caught, Workers(on_failure=lambda: None) as workers:
        workers.start("a", lambda: fail(ValueError("a")))
        workers.start("b", lambda: fail(KeyError("b")))
    assert {type(e) for e in caught.value.exceptions} == {ValueError, KeyError}


def test_a_failing_block_ends_the_workers_and_keeps_its_own_error() -> None:
    stop = threading.Event()

    def fails_later() -> None:
        stop.wait()
        raise ValueError("while stopping")

    with pytest.raises(KeyError, match="mine") as caught, Workers(on_failure=stop.set) as workers:
        workers.start("later", fails_later)
        raise KeyError("mine")
    assert "while stopping" in caught.value.__notes__[0]


def test_a_worker_that_asks_to_exit_is_a_failure() -> None:
    def leaves() -> None:
        raise SystemExit(3)

    with pytest.raises(RuntimeError, match="SystemExit"), Workers(on_failure=lambda: None) as workers:
        workers.start("leaves", leaves)
