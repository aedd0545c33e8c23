"""Faults by a script, once or for long: cameras lost, silent or late, a model that stumbles."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import numpy as np

from benchmarks.live_bench import RATE, Bench, checked
from benchmarks.live_cameras import Outage
from benchmarks.live_model import Hitch
from benchmarks.live_simulation import Camera, spread
from vidinfer.memory import resident_bytes
from vidinfer.service import Service, sustained

__all__ = ["faults", "script_of_faults", "soak"]

RECOVERY = 3.0
"""Seconds from a camera's return to its first label, at most."""
SLOPE = 0.5
"""Megabytes a minute, at most."""


def script_of_faults(count: int, seconds: float) -> tuple[dict[int, list[Outage]], list[Hitch]]:
    """Every minute the same: a camera is lost, one falls silent, one hiccups, the model stumbles, all reboot."""
    outages: dict[int, list[Outage]] = {number: [] for number in range(count)}
    hitches = []
    for minute in range(0, max(1, int(seconds) - 50), 60):
        outages[0].append(Outage(minute + 8, 6))
        outages[1 % count].append(Outage(minute + 10, 5, silent=True))
        outages[2 % count].append(Outage(minute + 14, 1, silent=True))
        hitches += [Hitch(minute + 22, seconds=2.0), Hitch(minute + 30, fails=True)]
        for mine in outages.values():
            mine.append(Outage(minute + 38, 4))
        outages[2 % count].append(Outage(minute + 54, 0.4))
    return outages, hitches


def faults(
    bench: Bench, line: Service, seconds: float = 58.0, memory: list[tuple[float, int]] | None = None
) -> Iterator[dict[str, Any]]:
    """A script of faults: the ledger stays balanced, and each camera is back soon."""
    count = max(3, min(6, int(0.6 * sustained(line, bench.budget) / RATE)))
    outages, hitches = script_of_faults(count, seconds)
    scripts = spread(count, RATE, bench.options.seed, jitter=0.002)
    slow, pausing = 1 % count, count - 1
    scripts[slow] = Camera(0.84 * RATE, scripts[slow].phase, 0.002)
    scripts[pausing] = Camera(RATE, scripts[pausing].phase, 0.002, pause_every=2.0, pause=0.5)
    cameras = bench.cameras(scripts, seconds, outages=outages, claimed={slow: RATE})
    began, threads = bench.clock.now(), threading.active_count()

    def note() -> None:
        if memory is not None:
            memory.append((bench.clock.now() - began, resident_bytes()))

    ran = checked(
        bench.rig.run(
            "ours",
            cameras,
            bench.settings(count),
            seconds=seconds,
            hitches=hitches,
            from_the_start=True,
            each=note,
        )
    )
    times = [one["recovered"] for one in ran.recovered]
    within = sum(took is not None and took <= RECOVERY for took in times)
    yield {
        **ran.figures(bench.budget),
        "rate": RATE,
        "slow_clock": slow,
        "pausing": pausing,
        "outages": len(times),
        "recovered_within_3_s": within,
        "slowest_recovery": None if None in times else max(times),
        "recovered": ran.recovered[:40],
        "threads_left": threading.active_count() - threads,
        "met": {"recovery": within == len(times), "threads": threading.active_count() == threads},
    }


def soak(bench: Bench, line: Service) -> Iterator[dict[str, Any]]:
    """The faults again and again: does memory grow?"""
    memory: list[tuple[float, int]] = []
    row = next(faults(bench, line, 60.0 * bench.options.minutes, memory))
    late = [(at / 60, size / 1e6) for at, size in memory if at >= min(180.0, 0.5 * memory[-1][0])]
    slope = float(np.polyfit(*zip(*late, strict=True), 1)[0]) if len(late) > 2 else None
    row["memory_mb_by_minute"] = [round(size / 1e6, 1) for at, size in memory if at % 60 < 5]
    row["mb_a_minute"] = None if slope is None else round(slope, 3)
    row["met"]["memory"] = slope is not None and slope < SLOPE
    row.pop("recovered")
    yield row
