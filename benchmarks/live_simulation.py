"""Cameras x a model's service times x a policy, simulated: ``python -m benchmarks.live_simulation``.

A discrete-event simulation of one executor. The scheduler is the one that runs are made with; cameras and service times
are made up, from a seed, and nothing waits. So the figures compare policies; they say nothing about any machine.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from vidinfer.scheduling import Eager, Policy, Rounds, Scheduler, ServiceTimes, Settings, Ticket

MS = 0.001
POLICIES = ("eager", "window 10 ms", "rounds", "ours")


@dataclass(frozen=True, slots=True)
class Camera:
    """Times in seconds."""

    rate: float
    """Frames a second."""
    phase: float
    """Of the first frame."""
    jitter: float = 0.0
    """Each frame is late by up to this, evenly spread; frames never overtake each other."""
    pause_every: float = 0.0
    """Around a keyframe nothing comes for ``pause``, and then all that was held back at once; 0: never."""
    pause: float = 0.0
    lag: float = 0.0
    """From when a frame arrives until it is decoded and waits for the model."""

    def times(self, until: float, random_: random.Random) -> list[float]:
        """When each frame arrives."""
        found: list[float] = []
        for i in range(math.ceil((until - self.phase) * self.rate)):
            at = self.phase + i / self.rate
            since = (at - self.phase) % self.pause_every if self.pause_every else math.inf
            held = at - since + self.pause if since < self.pause else at
            held += random_.uniform(0, self.jitter)
            found.append(max(held, found[-1]) if found else held)
        return found


@dataclass(frozen=True, slots=True)
class Model:
    """l(n) = a·n + b in seconds, times 1 + up to ``noise``; a share ``tail`` of the batches times ``stretch``, too."""

    a: float = 1 * MS
    b: float = 4 * MS
    noise: float = 0.0
    tail: float = 0.0
    stretch: float = 2.5
    pace: float = 1.0
    """Every ``pace_lasts`` seconds the machine takes another pace: all times are 1 to ``pace`` times as long."""
    pace_lasts: float = 2.0

    def __call__(self, frames: int) -> float:
        """Without noise."""
        return self.a * frames + self.b

    def takes(self, frames: int, random_: random.Random, paces: Sequence[float], now: float) -> float:
        """With it, at the pace of this moment."""
        long = self.stretch if self.tail and random_.random() < self.tail else 1.0
        pace = paces[min(len(paces) - 1, int(now / self.pace_lasts))]
        return self(frames) * (1 + random_.uniform(0, self.noise)) * long * pace

    def paces(self, seconds: float, seed: int) -> list[float]:
        """One after the other; as often near 1 as near ``pace``."""
        random_ = random.Random(f"pace {seed}")
        return [self.pace ** random_.random() for _ in range(math.ceil(seconds / self.pace_lasts) + 1)]

    def within(self, budget: float) -> float:
        """Frames a second that are labelled within ``budget``: (1 - 2b/L)/a."""
        return (1 - 2 * self.b / budget) / self.a


@dataclass(slots=True)
class Outcome:
    """What became of the frames; latencies in milliseconds."""

    latencies: list[float] = field(default_factory=list)
    labelled: dict[int, int] = field(default_factory=dict)
    dropped: dict[int, int] = field(default_factory=dict)
    batches: int = 0
    arrived: int = 0
    closed_by: dict[str, int] = field(default_factory=dict)

    def percentile(self, share: float) -> float:
        """Of the labelled frames."""
        ordered = sorted(self.latencies)
        return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else math.inf

    @property
    def mean_batch(self) -> float:
        """Frames."""
        return len(self.latencies) / max(1, self.batches)

    def overtime(self, budget: float) -> float:
        """Share of all frames that had no label within ``budget`` milliseconds."""
        late = sum(one > budget for one in self.latencies)
        return (late + sum(self.dropped.values())) / max(1, self.arrived)


def scheduler_of(policy: str, settings: Settings, model: Model) -> Scheduler:
    """Ours with all it knows; the others as their systems have them: no budget, frames of up to half a second."""
    service = ServiceTimes()
    service.seed((n, model(n)) for n in (1, 2, 4, 8) for _ in range(2))
    if policy == "ours":
        return Scheduler(settings, service)
    plain = replace(settings, latency_slo=None, policy="fixed")
    rival: dict[str, Policy | None] = {"eager": Eager(), "rounds": Rounds(), "window 10 ms": None}
    return Scheduler(plain, service, rival[policy])


def simulate(
    scheduler: Scheduler,
    cameras: Sequence[Camera],
    model: Model,
    *,
    seconds: float,
    seed: int,
    skip: float = 0.0,
) -> Outcome:
    """Run it; frames of the first ``skip`` seconds are not counted."""
    random_ = random.Random(seed)
    arrivals = sorted(
        (at + cam.lag, stream, i)
        for stream, cam in enumerate(cameras)
        for i, at in enumerate(cam.times(seconds, random_))
    )
    for stream in range(len(cameras)):
        scheduler.join(stream, "", 0.0)
    paces = model.paces(seconds, seed)
    outcome, running, done_at, wake, took = Outcome(), (), math.inf, math.inf, 0.0
    running: tuple[Ticket, ...] = ()
    next_arrival = 0
    while True:
        arrives = arrivals[next_arrival][0] if next_arrival < len(arrivals) else math.inf
        now = min(arrives, done_at, wake)
        if now == math.inf:
            break
        if now == done_at:
            scheduler.finished(now, len(running), took)
            for ticket in running:
                if ticket.received >= skip:
                    outcome.latencies.append((now - ticket.received) / MS)
                    outcome.labelled[ticket.stream] = outcome.labelled.get(ticket.stream, 0) + 1
            running, done_at = (), math.inf
        elif now == arrives:
            _, stream, number = arrivals[next_arrival]
            next_arrival += 1
            ticket = Ticket(stream, number, now - cameras[stream].lag, now)
            outcome.arrived += ticket.received >= skip
            evicted = scheduler.arrived(ticket, now)
            if evicted is not None and evicted.received >= skip:
                outcome.dropped[evicted.stream] = outcome.dropped.get(evicted.stream, 0) + 1
        wake = math.inf
        decision = scheduler.decide(now)
        for ticket, _ in decision.dropped:
            if ticket.received >= skip:
                outcome.dropped[ticket.stream] = outcome.dropped.get(ticket.stream, 0) + 1
        if decision.dispatch is not None:
            running = decision.dispatch.tickets
            took = model.takes(len(running), random_, paces, now)
            done_at = now + took
            outcome.batches += now >= skip
            reason = decision.dispatch.closed_by
            outcome.closed_by[reason] = outcome.closed_by.get(reason, 0) + 1
        elif decision.wait_until is not None:
            wake = max(now, decision.wait_until)
    return outcome


def spread(count: int, rate: float, seed: int, **more: float) -> list[Camera]:
    """Cameras that know nothing of each other."""
    random_ = random.Random(f"phases {seed}")
    return [Camera(rate, random_.random() / rate, **more) for _ in range(count)]


def together(count: int, rate: float, **more: float) -> list[Camera]:
    """Cameras that one clock drives."""
    return [Camera(rate, 0.0, **more) for _ in range(count)]


ROWS: dict[str, Callable[[int], list[Camera]]] = {
    "1 camera, 30 fps": lambda seed: spread(1, 30, seed),
    "4 in phase, 1 ms jitter": lambda _: together(4, 30, jitter=MS),
    "4 random phases": lambda seed: spread(4, 30, seed),
    "8 at 15 fps, random": lambda seed: spread(8, 15, seed),
    "8 at 15 fps, in phase": lambda _: together(8, 15, jitter=MS),
    "16 random phases": lambda seed: spread(16, 30, seed),
    "8 random, 5 ms jitter": lambda seed: spread(8, 30, seed, jitter=5 * MS),
    "8 in phase, 5 ms jitter": lambda _: together(8, 30, jitter=5 * MS),
    "8 random, pauses": lambda seed: spread(8, 15, seed, jitter=MS, pause_every=2.0, pause=0.4),
    "24 random phases": lambda seed: spread(24, 30, seed),
}
"""The first six are those of the policies' first comparison, the others what real cameras add."""


def table(seeds: int, seconds: float, noise: float) -> Iterator[dict[str, object]]:
    """Every row with every policy; percentiles over all seeds together, in milliseconds."""
    model = Model(noise=noise)
    for name, cameras_of in ROWS.items():
        for policy in POLICIES:
            outcomes = []
            for seed in range(seeds):
                cameras = cameras_of(seed)
                settings = Settings(max_batch_size=len(cameras) if len(cameras) > 1 else 8, max_queue_size=16)
                scheduler = scheduler_of(policy, settings, model)
                outcomes.append(simulate(scheduler, cameras, model, seconds=seconds, seed=seed, skip=3.0))
            yield {"row": name, "noise": noise, "policy": policy, **_figures(outcomes, 0.1)}


def capacity(policy: str, model: Model, slo: float, rate: float, *, seconds: float, seeds: int) -> int:
    """Most cameras of which at most 1 % of the frames have no label within ``slo``: MLPerf's MultiStream of 2019."""
    count = math.ceil(1.1 * model.within(slo) / rate)
    while (
        count and overtime(policy, model, slo, spread_of=(count, rate), seconds=seconds, seeds=seeds) > 0.01
    ):
        count -= 1
    return count


def overtime(
    policy: str, model: Model, slo: float, *, spread_of: tuple[int, float], seconds: float, seeds: int
) -> float:
    """Share of frames without a label in time, of so many cameras at such a rate."""
    count, rate = spread_of
    shares = []
    for seed in range(seeds):
        settings = Settings(max_batch_size=64, latency_slo=slo)
        cameras = spread(count, rate, seed)
        scheduler = scheduler_of(policy, settings, model)
        outcome = simulate(scheduler, cameras, model, seconds=seconds, seed=seed, skip=2.0)
        shares.append(outcome.overtime(slo / MS))
    return sum(shares) / len(shares)


def capacities(seeds: int, seconds: float) -> Iterator[dict[str, object]]:
    """Cameras at 15 frames a second within 100 ms, by model and policy."""
    for a, b, noise in ((1, 4, 0.0), (4, 8, 0.0), (4, 8, 0.1), (10, 5, 0.0), (20, 10, 0.0)):
        model = Model(a * MS, b * MS, noise)
        found = {
            policy: capacity(policy, model, 0.1, 15, seconds=seconds, seeds=seeds) for policy in POLICIES
        }
        yield {"a_ms": a, "b_ms": b, "noise": noise, "theory": round(model.within(0.1) / 15, 2), **found}


def overloads(seconds: float) -> Iterator[dict[str, object]]:
    """Three times more frames than can be labelled within 100 ms, at rates that differ."""
    model = Model(4 * MS, 8 * MS, 0.1)
    for rates in ((15,), (30, 10, 5), (30, 15, 2)):
        each = math.ceil(3 * model.within(0.1) / sum(rates))
        cameras = [camera for rate in rates for camera in spread(each, rate, rate)]
        for policy in POLICIES:
            scheduler = scheduler_of(
                policy, Settings(max_batch_size=32, latency_slo=0.1, max_queue_size=8), model
            )
            outcome = simulate(scheduler, cameras, model, seconds=seconds, seed=1, skip=2.0)
            by_rate = {
                rate: sum(outcome.labelled.get(i, 0) for i, cam in enumerate(cameras) if cam.rate == rate)
                / each
                for rate in rates
            }
            shares = {f"labels_per_s_at_{rate}": round(n / (seconds - 2.0), 2) for rate, n in by_rate.items()}
            yield {"cameras": len(cameras), "policy": policy, **shares, **_figures([outcome], 0.1)}


TIGHT: dict[str, tuple[Callable[[int], list[Camera]], Model]] = {
    "1 at 25 fps": (
        lambda seed: spread(1, 25, seed, jitter=2 * MS, lag=11 * MS),
        Model(25 * MS, 10 * MS, 0.3, 0.03),
    ),
    "2 at 15 fps": (
        lambda seed: spread(2, 15, seed, jitter=2 * MS, lag=11 * MS),
        Model(25 * MS, 7 * MS, 0.3, 0.02),
    ),
    "6 at 15 fps": (
        lambda seed: spread(6, 15, seed, jitter=2 * MS, lag=5 * MS),
        Model(9 * MS, 3 * MS, 0.2, 0.03),
    ),
}
"""As much as the model can do, and one batch in thirty or fifty takes two and a half times as long as it should: up to
what the budget is, or beyond it."""


def tight(policy: str, row: str, *, seconds: float, seeds: int) -> list[Outcome]:
    """A row of ``TIGHT`` within 100 ms."""
    cameras_of, model = TIGHT[row]
    outcomes = []
    for seed in range(seeds):
        cameras = cameras_of(seed)
        scheduler = scheduler_of(policy, Settings(latency_slo=0.1, max_queue_size=8), model)
        outcomes.append(simulate(scheduler, cameras, model, seconds=seconds, seed=seed, skip=2.0))
    return outcomes


def _figures(outcomes: Sequence[Outcome], slo: float) -> dict[str, object]:
    total = Outcome()
    for one in outcomes:
        total.latencies += one.latencies
        total.batches += one.batches
        total.arrived += one.arrived
        total.dropped[len(total.dropped)] = sum(one.dropped.values())
    return {
        **{f"p{p}": round(total.percentile(p / 100), 2) for p in (50, 95, 99)},
        "mean": round(sum(total.latencies) / max(1, len(total.latencies)), 2),
        "batch": round(total.mean_batch, 2),
        "dropped": sum(total.dropped.values()),
        "overtime": round(total.overtime(slo / MS), 4),
    }


def main() -> int:
    """Print everything as JSON lines."""
    parser = argparse.ArgumentParser(description="Policies for live streams, in simulation.")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=20.0, help="of simulated time")
    options = parser.parse_args()
    for noise in (0.0, 0.1):
        for row in table(options.seeds, options.seconds, noise):
            print(json.dumps({"latency": row}), flush=True)
    for row in capacities(options.seeds, options.seconds):
        print(json.dumps({"capacity": row}), flush=True)
    for name in TIGHT:
        for policy in POLICIES:
            outcomes = tight(policy, name, seconds=options.seconds, seeds=options.seeds)
            print(
                json.dumps({"tight": {"row": name, "policy": policy, **_figures(outcomes, 0.1)}}), flush=True
            )
    for row in overloads(options.seconds):
        print(json.dumps({"overload": row}), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
