"""What is asked of live streams: one camera, as many as the model bears, too many, faults, and faults for long."""

from __future__ import annotations

import argparse
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.live_cameras import Album, Outage, SimulatedCamera
from benchmarks.live_code import Reader, encode
from benchmarks.live_figures import latency_figures
from benchmarks.live_model import Hitch
from benchmarks.live_rig import MOST_READY, Ran, Rig
from benchmarks.live_simulation import Camera, spread
from vidinfer.clock import MonotonicClock
from vidinfer.feeder import fill_for
from vidinfer.memory import resident_bytes
from vidinfer.scheduling import Settings
from vidinfer.service import Service, fit, sustained
from vidinfer.stages import Model, ModelInput

__all__ = [
    "SCENARIOS",
    "SIZE",
    "Bench",
    "Effort",
    "Theory",
    "measured_line",
    "preparing",
    "reader_for",
]

SIZE = (1280, 720)
RATE, SINGLE_RATE = 15.0, 25.0
STEP = 5.0
"""Frames a second, the least from one load to the next: a slower camera makes up the difference."""
STEPS = 20
"""Loads up to the theory, where that makes larger steps."""
OVERTIME = 0.01
SIZES = (1, 2, 4, 8, 12)
LARGEST = 16
ALLOWED = 8.0
"""Milliseconds beyond l(1) for one camera."""
RECOVERY = 3.0
SLOPE = 0.5


@dataclass(frozen=True, slots=True)
class Effort:
    """Seconds that count, by scenario."""

    single: float = 80.0
    bare: float = 27.0
    multi: float = 25.0
    overload: float = 30.0

    @classmethod
    def quick(cls) -> Effort:
        return cls(single=8.0, bare=4.0, multi=6.0, overload=8.0)


@dataclass(slots=True)
class Bench:
    """What every scenario needs."""

    rig: Rig
    clock: MonotonicClock
    frames: list[NDArray[np.uint8]]
    options: argparse.Namespace
    effort: Effort
    size: tuple[int, int] = SIZE
    """Of the cameras' pictures."""

    @property
    def budget(self) -> float:
        """Milliseconds."""
        return float(self.options.latency_slo)

    @property
    def policies(self) -> tuple[str, ...]:
        """That take turns."""
        return tuple(self.options.policies)

    def cameras(
        self, scripts: Sequence[Camera], seconds: float, **more: dict[int, Any]
    ) -> list[SimulatedCamera]:
        """``more``: keyword arguments by the camera's number."""
        return [
            SimulatedCamera(
                number,
                script,
                Album(self.frames, *self.size),
                self.size,
                self.clock,
                seed=self.options.seed,
                seconds=seconds + MOST_READY,
                **{name: by[number] for name, by in more.items() if number in by},
            )
            for number, script in enumerate(scripts)
        ]

    def run(self, policy: str, scripts: Sequence[Camera], seconds: float, settings: Settings) -> Ran:
        """One policy."""
        return checked(self.rig.run(policy, self.cameras(scripts, seconds), settings, seconds=seconds))

    def settings(self, cameras: int) -> Settings:
        """Those of a run with a budget, and for the policies that have none."""
        return Settings(
            "latency",
            LARGEST,
            0.0 if cameras == 1 else 0.010,
            self.budget / 1000,
            max_queue_size=self.options.queue,
        )


def checked(ran: Ran) -> Ran:
    """Raises: a frame is unaccounted for, or has the label of another."""
    if ran.problems:
        raise RuntimeError(f"{ran.policy}: " + "; ".join(ran.problems))
    return ran


def measured_line(bench: Bench) -> tuple[Service, dict[str, Any]]:
    """l(n) = a·n + b in milliseconds, of the model alone: nothing prepared beside it."""
    model, clock = bench.rig.model, bench.clock
    spec = model.input_for(*bench.size)
    places = np.stack([_place(spec, bench, i) for i in range(8)])
    model.begin(None, (), 0.0)
    model.settle(places, *bench.size, 1)
    slot = model.allocate(max(SIZES), spec)
    slot[:] = places[np.arange(len(slot)) % len(places)]
    took: dict[int, list[float]] = {n: [] for n in SIZES}
    for turn in range(6 if bench.options.quick else 25):
        for n in SIZES:  # in turns: what else the machine does hits all alike
            began = clock.now()
            model.predict(slot[:n], *bench.size)
            if turn:
                took[n].append(1000 * (clock.now() - began))
    medians = {n: float(np.median(times)) for n, times in took.items()}
    line = fit(list(medians.items()))
    return line, {**line.as_dict(), "median_ms": {n: round(t, 2) for n, t in medians.items()}}


def preparing(bench: Bench) -> float:
    """Milliseconds of a core to draw a picture and prepare it for the model, alone: the median."""
    spec = bench.rig.model.input_for(*bench.size)
    album, fill, place = Album(bench.frames, *bench.size), fill_for(spec), np.zeros(spec.place, spec.dtype)
    took = []
    for i in range(20 if bench.options.quick else 100):
        began = time.thread_time()
        fill(album.picture(encode(0, i)), place)
        took.append(1000 * (time.thread_time() - began))
    return float(np.median(took))


def available_cores() -> int:
    """That this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@dataclass(frozen=True, slots=True)
class Theory:
    """Frames a second that have their labels within the budget L: (1 - 2b/L)/a."""

    model_alone: float
    """As if frames came prepared."""
    with_preparing: float
    """Preparing takes cores that the model would use: a is larger by its core-seconds over the cores."""

    @classmethod
    def of(cls, line: Service, prepare_ms: float, budget: float) -> Theory:
        beside = Service(line.marginal + prepare_ms / available_cores(), line.fixed, None)
        return cls(sustained(line, budget), sustained(beside, budget))

    def shares(self, capacity: float) -> dict[str, float]:
        """What of it was reached, 0 to 1."""
        return {
            f"of_theory_{name}": round(capacity / value, 3) if value else 0.0
            for name, value in asdict(self).items()
        }


def bare_loop(bench: Bench) -> dict[str, Any]:
    """l(1) as one camera would see it: nothing between the picture and the model, at the camera's pace."""
    model, clock = bench.rig.model, bench.clock
    spec = model.input_for(*bench.size)
    album, fill, slot = Album(bench.frames, *bench.size), fill_for(spec), model.allocate(1, spec)
    waits, alone, whole = threading.Event(), [], []
    due = clock.now()
    for i in range(int(bench.effort.bare * SINGLE_RATE)):
        due += 1 / SINGLE_RATE
        waits.wait(max(0.0, due - clock.now()))
        fill(album.picture(encode(0, i)), slot[0])
        began = clock.now()
        model.predict(slot, *bench.size)
        done = clock.now()
        alone.append(1000 * (done - began))
        whole.append(1000 * (done - due))
    return {
        "model": latency_figures(np.asarray(alone)),
        "due_to_label": latency_figures(np.asarray(whole)),
    }


def single(bench: Bench, _: Service) -> Iterator[dict[str, Any]]:
    """One camera: is anything added to what the model takes?"""
    bare = bare_loop(bench)
    yield {"bare_loop": bare}
    seconds = bench.effort.single
    for policy in bench.policies:
        settings = Settings("latency", 2, 0.0, bench.budget / 1000)
        ran = bench.run(policy, [Camera(SINGLE_RATE, 0.0)], seconds, settings)
        figures = ran.figures(bench.budget)
        own = figures["stages"]["inference"]
        bar = {"l1_p50_ms": own["p50"], "l1_p99_ms": own["p99"]}
        if figures["p99"] is not None:
            # Like with like: the model's own p99 has what it wavers by, which is none of the batching's doing.
            added = {
                "p99_over_l1_p99_ms": round(figures["p99"] - own["p99"], 2),
                "p99_over_l1_p50_ms": round(figures["p99"] - own["p50"], 2),
            }
            bar |= {**added, "met": {name: ms <= ALLOWED for name, ms in added.items()}}
        yield {**figures, **bar, "rate": SINGLE_RATE}


def load(frames_per_second: float, seed: int) -> list[Camera]:
    """As many cameras as make up the load, the last one slower where it takes less than a whole one."""
    whole, rest = divmod(round(frames_per_second / STEP) * STEP, RATE)
    scripts = spread(int(whole), RATE, seed, jitter=0.002)
    return scripts + (spread(1, rest, seed + 1, jitter=0.002) if rest else [])


def capacity(bench: Bench, policy: str, guess: float, step: float) -> tuple[float, list[dict[str, Any]]]:
    """The largest load with at most 1 % overtime. A load counts as too much when two runs say so."""
    tried: dict[float, dict[str, Any]] = {}

    def bears(rate: float) -> bool:
        scripts = load(rate, bench.options.seed)
        for _ in range(2):
            ran = bench.run(policy, scripts, bench.effort.multi, bench.settings(len(scripts)))
            tried[rate] = {**ran.figures(bench.budget), "rate": rate}
            if tried[rate]["overtime"] <= OVERTIME:
                return True
        return False

    rate = max(step, step * round(guess / step))
    if bears(rate):
        while bears(rate + step):
            rate += step
    else:
        while rate > step and not bears(rate - step):
            rate -= step
        rate -= step
    return rate, list(tried.values())


def multi(bench: Bench, line: Service) -> Iterator[dict[str, Any]]:
    """How many frames a second have their labels within the budget?"""
    theory, found = Theory.of(line, preparing(bench), bench.budget), {}
    guess, step = 0.9 * theory.with_preparing, STEP * max(1, round(theory.with_preparing / STEPS / STEP))
    for policy in reversed(bench.policies):
        found[policy], tried = capacity(bench, policy, guess, step)
        guess = found[policy] or guess
        best = next((one for one in tried if one["rate"] == found[policy]), {})
        lines = [one["line_ms"] for one in tried if one["line_ms"]]
        yield {
            **best,
            "policy": policy,
            "capacity": found[policy],
            **theory.shares(found[policy]),
            "of_theory_in_the_run": round(
                found[policy] / sustained(Service(*np.median(lines, 0), None), bench.budget), 3
            ),
            "step": step,
            "tried": {one["rate"]: one["overtime"] for one in tried},
        }
    rivals = [rate for policy, rate in found.items() if policy != "ours"]
    shares = theory.shares(found["ours"]) if "ours" in found else {}
    met = {name: share >= 0.9 for name, share in shares.items()}
    if shares and rivals:
        met["of_the_best_other"] = found["ours"] >= 0.95 * max(rivals)
    told = {name: round(value, 1) for name, value in asdict(theory).items()}
    yield {"theory": told, "capacity": found, "met": met}


def overload(bench: Bench, line: Service) -> Iterator[dict[str, Any]]:
    """Three times what can be labelled in time."""
    count = max(2, round(3 * sustained(line, bench.budget) / RATE))
    scripts = spread(count, RATE, bench.options.seed, jitter=0.002)
    for policy in bench.policies:
        ran = bench.run(policy, scripts, bench.effort.overload, bench.settings(count))
        figures = ran.figures(bench.budget)
        labels = np.asarray(ran.window.labels_of(count), np.float64)
        fair = (labels.min() / labels.mean(), labels.max() / labels.mean()) if labels.any() else (0.0, 0.0)
        p99 = figures["p99"]
        met = {
            "budget": p99 is not None and p99 <= bench.budget,
            "fair": min(fair) >= 0.9 and max(fair) <= 1.1,
        }
        yield {**figures, "rate": RATE, "share_of_each": [round(float(x), 3) for x in fair], "met": met}


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


def _place(spec: ModelInput, bench: Bench, i: int) -> NDArray[Any]:
    place = np.zeros(spec.place, spec.dtype)
    fill_for(spec)(Album(bench.frames[i % len(bench.frames) :], *bench.size).picture(encode(0, i)), place)
    return place


def reader_for(model: Model, frames: list[NDArray[np.uint8]], size: tuple[int, int]) -> Reader | None:
    """``None``: this model looks at several frames at once, or not at the middle."""
    spec = model.input_for(*size)
    if spec.window is not None:
        return None
    album = Album(frames[:1], *size)

    def show(squares: NDArray[np.bool_]) -> NDArray[Any]:
        place = np.zeros(spec.place, spec.dtype)
        fill_for(spec)(album.picture(squares), place)
        return place

    try:
        return Reader(show)
    except ValueError:
        return None


SCENARIOS: dict[str, Callable[[Bench, Service], Iterator[dict[str, Any]]]] = {
    "single": single,
    "multi": multi,
    "overload": overload,
    "faults": faults,
    "soak": soak,
}
