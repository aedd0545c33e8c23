"""What is asked of live streams: one camera, as many as the model bears, too many, faults, and faults for long."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import asdict
from typing import Any

import numpy as np

from benchmarks.live_bench import RATE, Bench
from benchmarks.live_cameras import Album
from benchmarks.live_code import encode
from benchmarks.live_faults import faults, soak
from benchmarks.live_figures import latency_figures
from benchmarks.live_simulation import Camera, spread
from benchmarks.live_theory import Theory, mean_line, measured_line, preparing
from vidinfer.feeder import fill_for
from vidinfer.scheduling import Settings
from vidinfer.service import Service, sustained

__all__ = ["SCENARIOS"]

SINGLE_RATE = 25.0
STEP = 5.0
"""Frames a second, the least from one load to the next: a slower camera makes up the difference."""
FINE = 1.25
"""Frames a second, to which the largest load is then known."""
STEPS = 20
"""Loads up to the theory, where that makes larger steps."""
OVERTIME = 0.01
ALLOWED = 8.0
"""Milliseconds beyond l(1) for one camera."""


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
    whole, rest = divmod(round(frames_per_second / FINE) * FINE, RATE)
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
    while step > FINE:
        step /= 2
        rate += step * bears(rate + step)
    return rate, list(tried.values())


def multi(bench: Bench, line: Service) -> Iterator[dict[str, Any]]:
    """How many frames a second have their labels within the budget?

    l(n) is measured before and behind the runs of each policy, and its theory is that of the mean: within minutes a
    machine that is shared wanders by as much as is to be shown.
    """
    prepare, found, shares = preparing(bench), dict[str, float](), dict[str, float]()
    theory = Theory.of(line, prepare, bench.budget)
    guess, step = 0.9 * theory.with_preparing, STEP * max(1, round(theory.with_preparing / STEPS / STEP))
    for policy in reversed(bench.policies):
        found[policy], tried = capacity(bench, policy, guess, step)
        guess = found[policy] or guess
        before, line = line, measured_line(bench)[0]
        theory = Theory.of(mean_line(before, line), prepare, bench.budget)
        if policy == "ours":
            shares = theory.shares(found[policy])
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
            "theory": {name: round(value, 1) for name, value in asdict(theory).items()},
            "lines": [one.as_dict() for one in (before, line)],
            "step": step,
            "tried": {one["rate"]: one["overtime"] for one in tried},
        }
    rivals = [rate for policy, rate in found.items() if policy != "ours"]
    met = {name: share >= 0.9 for name, share in shares.items()}
    if shares and rivals:
        met["of_the_best_other"] = found["ours"] >= 0.95 * max(rivals)
    yield {"capacity": found, "met": met}


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


SCENARIOS: dict[str, Callable[[Bench, Service], Iterator[dict[str, Any]]]] = {
    "single": single,
    "multi": multi,
    "overload": overload,
    "faults": faults,
    "soak": soak,
}
