"""How many predicted arrivals to wait for, so that the slowest label comes soonest."""

from __future__ import annotations

from collections.abc import Callable, Sequence

__all__ = ["worth_waiting_for"]

EQUAL = 1e-6
"""Seconds: latencies closer than this are equal."""


def worth_waiting_for(
    now: float,
    received: tuple[int, float],
    expected: Sequence[tuple[float, float]],
    seconds: Callable[[int], float],
    latest: Callable[[int], float],
    most: int,
) -> int:
    """How many of ``expected`` to wait for; 0: send what there is.

    For each k: sent after the k-th arrival, with the rest in the next batch, when is everybody done? Taken is the k for
    which the largest latency is smallest; among equals, the one with the smallest sum. O(len(expected)).

    Args:
        now: seconds.
        received: how many frames wait, and when the oldest of them was received.
        expected: when each will be queued and was then received, ascending.
        seconds: the predicted time of a batch.
        latest: when a batch of so many frames must be sent.
        most: frames that fit into the batch.
    """
    waiting, oldest = received
    count = len(expected)
    best, best_worst, best_sum = 0, 0.0, 0.0
    # Sums of latencies are compared, so what the frames were received at cancels out: only the ends count.
    for k in range(min(count, most - waiting) + 1):
        at = expected[k - 1][0] if k else now
        if k and at > latest(waiting + k):
            break
        end = at + seconds(waiting + k)
        worst = end - min(oldest, expected[0][1] if k else oldest)
        total = end * (waiting + k)
        if k < count:
            last = max(end, expected[-1][0]) + seconds(count - k)
            worst = max(worst, last - expected[k][1])
            total += last * (count - k)
        better = (
            not k or worst < best_worst - EQUAL or (worst <= best_worst + EQUAL and total < best_sum - EQUAL)
        )
        if better:
            best, best_worst, best_sum = k, worst, total
    return best
