from __future__ import annotations

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vidinfer.interrupt import Interrupt
from vidinfer.live.connection import FIRST, HEALTHY, MOST, SLOW, SOON, Connection, HostGate
from vidinfer.status import StreamState
from vidinfer.testing import VirtualClock
from vidinfer.workers import Workers


def test_waits_double_up_to_a_bound_and_begin_anew_after_a_healthy_connection() -> None:
    connection, waits = Connection(0.0, lambda: 1.0), []
    for _ in range(9):
        waits.append(connection.lost(0.0, "gone"))
        connection.connecting(waits[-1])
    assert waits == [0.5, 1, 2, 4, 8, 16, 30, 30, 30]
    connection.connected(100.0)
    assert connection.lost(100.0 + HEALTHY, "gone") == 100.0 + HEALTHY + FIRST


def test_a_connection_that_breaks_at_once_is_another_failure() -> None:
    connection = Connection(0.0, lambda: 1.0)
    connection.lost(0.0, "gone")
    connection.connecting(1.0)
    connection.connected(1.0)
    assert connection.lost(1.0 + HEALTHY / 2, "gone") == 1.0 + HEALTHY / 2 + 2 * FIRST


def test_a_refusal_waits_in_the_slow_lane() -> None:
    connection = Connection(0.0, lambda: 0.5)
    assert connection.lost(0.0, "401", slow=True) == SLOW
    assert connection.retry_in(20.0) == SLOW - 20


def test_whoever_answers_again_is_asked_soon() -> None:
    connection = Connection(0.0, lambda: 0.9)
    for _ in range(8):
        connection.lost(0.0, "nobody there")
        connection.connecting(0.0)
    connection.lost(0.0, "nobody there")
    assert connection.answers(3.0) <= 3.0 + SOON


def test_states_and_epochs() -> None:
    connection = Connection(0.0, lambda: 0.0)
    assert (connection.state, connection.epoch) == (StreamState.CONNECTING, 0)
    assert connection.connected(1.0) == 1
    connection.stalled(2.0)
    assert (connection.state, connection.since) == (StreamState.STALLED, 2.0)
    connection.frame(3.0)
    assert (connection.state, connection.since) == (StreamState.LIVE, 3.0)
    connection.lost(4.0, "gone")
    assert (connection.state, connection.error, connection.retry_in(4.0)) == (
        StreamState.WAITING,
        "gone",
        0.0,
    )
    connection.connecting(4.0)
    assert connection.connected(5.0) == 2
    assert connection.reconnects == 1
    connection.end(6.0)
    connection.end(7.0)
    assert (connection.state, connection.since) == (StreamState.ENDED, 6.0)
    with pytest.raises(ValueError, match="not while ended"):
        connection.connecting(8.0)


ALLOWED = {
    StreamState.CONNECTING: {"connected", "lost", "end"},
    StreamState.LIVE: {"frame", "stalled", "lost", "end"},
    StreamState.STALLED: {"frame", "stalled", "lost", "end"},
    StreamState.WAITING: {"connecting", "answers", "end"},
    StreamState.ENDED: {"end"},
}


@given(
    events=st.lists(
        st.tuples(
            st.sampled_from(
                ["connecting", "connected", "frame", "stalled", "lost", "slow", "answers", "end"]
            ),
            st.floats(0, 40),
        ),
        max_size=60,
    ),
    chance=st.floats(0, 1, exclude_max=True),
)
def test_whatever_happens_the_machine_stays_sound(events: list[tuple[str, float]], chance: float) -> None:
    clock = VirtualClock()
    connection = Connection(clock.now(), lambda: chance)
    epochs = 0
    for event, passed in events:
        clock.advance(passed)
        now, before = clock.now(), connection.state
        if ("lost" if event == "slow" else event) not in ALLOWED[before] | (
            {"connecting"} if before is StreamState.CONNECTING else set()
        ):
            continue
        if event in ("lost", "slow"):
            wait = connection.lost(now, "gone", slow=event == "slow") - now
            assert (
                0
                <= wait
                <= (1.2 * SLOW if event == "slow" else min(MOST, FIRST * 2 ** (connection.failures - 1)))
            )
        else:
            getattr(connection, event)(now)
        epochs += event == "connected"
        assert connection.epoch == epochs
        assert connection.since <= now
        assert (connection.retry_at is not None) == (connection.state is StreamState.WAITING)
        assert connection.failures >= (connection.state is StreamState.WAITING)


def test_no_more_attempts_at_a_host_than_allowed_and_nobody_is_forgotten() -> None:
    gate, interrupt, lock = HostGate(2), Interrupt(), threading.Lock()
    inside, most, done = 0, 0, 0
    both = threading.Barrier(2, timeout=20)

    def attempt() -> None:
        nonlocal inside, most, done
        with gate.attempt("recorder", interrupt) as admitted:
            assert admitted
            with lock:
                inside += 1
                most = max(most, inside)
            both.wait()  # two are inside, or this fails
            with lock:
                inside -= 1
                done += 1

    with Workers(interrupt.set) as workers:
        for i in range(6):
            workers.start(f"attempt-{i}", attempt)
    assert (most, done) == (2, 6)


def test_waiting_for_a_turn_can_be_interrupted_and_other_hosts_do_not_wait() -> None:
    gate, interrupt, other = HostGate(1), Interrupt(), Interrupt()
    admitted: list[bool] = []

    def attempt() -> None:
        with gate.attempt("recorder", interrupt) as turn:
            admitted.append(turn)

    with gate.attempt("recorder", other) as first, gate.attempt("elsewhere", other) as second:
        assert (first, second) == (True, True)
        with Workers(other.set) as workers:
            workers.start("attempt", attempt)
            interrupt.set()
    assert admitted == [False]
    with gate.attempt("recorder", other) as again:
        assert again
