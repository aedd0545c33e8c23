"""A run over an archive on a simulated cluster: ``python -m benchmarks cluster [options]``.

Planner, agenda, journal, quarantine, commits, outputs and status are those of every archive run, on a real disk. The
workers are simulated (``benchmarks.cluster_simulation``) on a virtual clock, on which the driver's own work passes as
fast as it really does: while it is busy, workers that have nothing to do wait for it.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.cluster_archive import looked_up, make_folder, make_up
from benchmarks.cluster_clock import DriverClock
from benchmarks.cluster_faults import Troubles
from benchmarks.cluster_simulation import SimulatedCluster
from vidinfer.clock import Clock
from vidinfer.config import RunConfig
from vidinfer.progress import SilentObserver, StopSignal
from vidinfer.report import RunReport
from vidinfer.run_archive import run_archive

BAR = 0.03


@dataclass(frozen=True, slots=True)
class Setup:
    """What is simulated."""

    workers: int = 1000
    units: int = 100_000
    frames: int = 2000
    """Of a unit: the default of ``--unit-frames``."""
    rows: int = 8
    """Frames in what a worker commits, in place of all."""
    seed: int = 1
    charged: bool = True
    """The driver's own time counts."""
    troubles: Troubles = field(default_factory=Troubles)


@dataclass(frozen=True, slots=True)
class Simulated:
    """A run that is over."""

    report: RunReport
    cluster: SimulatedCluster
    clock: DriverClock
    sources: int
    real: float
    """Seconds that the simulation took."""


def simulate(setup: Setup, root: Path) -> Simulated:
    """Run into ``root/out``."""
    archive = make_up(setup.units, setup.frames, random.Random(setup.seed))
    folder = make_folder(root / "in", len(archive))
    began = time.perf_counter()
    clock = DriverClock(charged=setup.charged)
    clusters: list[SimulatedCluster] = []

    def engine(
        config: RunConfig, fallback: RunConfig | None, *, logs: Path, clock: Clock
    ) -> SimulatedCluster:
        del config, fallback, logs
        assert isinstance(clock, DriverClock)
        with clock.standing():
            made = SimulatedCluster(
                clock, setup.workers, troubles=setup.troubles, seed=setup.seed, rows=setup.rows
            )
        clusters.append(made)
        return made

    config = RunConfig(
        sources=(str(folder),), out=root / "out", backend="eager", precision="fp32", unit_frames=setup.frames
    )
    report = run_archive(
        config,
        observer=SilentObserver(),
        stop=StopSignal(),
        engine=engine,
        stills=lambda wanted, _: [None] * len(wanted),
        look=looked_up(archive),
        clock=clock,
    )
    with clock.standing():
        return Simulated(report, clusters[-1], clock, len(archive), time.perf_counter() - began)


def figures(setup: Setup, run: Simulated) -> dict[str, Any]:
    """Shares of all worker-seconds from when the workers were there to the last commit, without those of machines that
    were away."""
    cluster, spent = run.cluster, run.cluster.spent
    span = cluster.last - cluster.began
    there = setup.workers * span - spent.away

    def share(seconds: float) -> float:
        return round(seconds / there, 5)

    parts = {
        "waiting_for_the_driver": share(spent.waiting),
        "end_of_the_run": share(spent.unneeded),
        "tries_in_vain": share(spent.thrown),
        "restarting": share(spent.restarting),
    }
    return {
        "workers": setup.workers,
        "units": setup.units,
        "sources": run.sources,
        "driver_charged": setup.charged,
        "virtual_seconds": round(span, 1),
        "lost": share(there - spent.useful),
        "bar": BAR,
        **parts,
        "unaccounted": share(there - spent.useful) - sum(parts.values()),
        "machines_away": round(spent.away / (setup.workers * span), 5),
        "tries": dict(spent.ends),
        "sources_by_status": dict(Counter(one.status for one in run.report.sources)),
        "driver_seconds": round(run.clock.driver, 1),
        "driver_ms_a_unit": round(run.clock.driver / setup.units * 1000, 2),
        "after_the_last_commit": round(run.clock.now() - cluster.last, 1),
        "peak_mib": _peak_mib(),
        "simulation_seconds": round(run.real, 1),
    }


def _peak_mib() -> int:
    """Of this process; what getrusage tells may be that of the process which started it."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) // 1024


def table(found: dict[str, Any]) -> str:
    """For people."""
    rows = [
        ("lost in all", f"{found['lost']:.2%}", f"< {found['bar']:.0%}"),
        ("free, waiting for the driver", f"{found['waiting_for_the_driver']:.2%}", ""),
        ("free, nothing left to do", f"{found['end_of_the_run']:.2%}", ""),
        ("tries that came to nothing", f"{found['tries_in_vain']:.2%}", ""),
        ("processes being started again", f"{found['restarting']:.2%}", ""),
        ("machines away (not counted)", f"{found['machines_away']:.2%}", ""),
        ("driver, ms a unit", f"{found['driver_ms_a_unit']:.1f}", ""),
        ("driver, peak memory, MiB", f"{found['peak_mib']}", ""),
    ]
    head = f"{found['workers']} workers, {found['units']} units, {found['virtual_seconds']:.0f} s"
    return "\n".join([head, *(f"  {what:32}{figure:>10}  {bar}" for what, figure, bar in rows)])


def main(arguments: Sequence[str]) -> int:
    """Simulate, print one JSON line and a table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks cluster", description=__doc__)
    parser.add_argument("--workers", type=int, default=1000)
    parser.add_argument("--units", type=int, default=100_000)
    parser.add_argument("--rows", type=int, default=8, help="frames in what a worker commits")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--uncharged", action="store_true", help="the driver's own time does not count")
    parser.add_argument("--untroubled", action="store_true", help="nothing goes wrong")
    parser.add_argument("--folder", type=Path, help="where to work; a temporary folder unless given")
    given = parser.parse_args(arguments)
    troubles = Troubles().without() if given.untroubled else Troubles()
    setup = Setup(given.workers, given.units, 2000, given.rows, given.seed, not given.uncharged, troubles)
    with tempfile.TemporaryDirectory(prefix="vidinfer-cluster-", dir=given.folder) as root:
        found = figures(setup, simulate(setup, Path(root)))
    print(json.dumps({"cluster": found}), flush=True)
    print(table(found), flush=True)
    return 0 if found["lost"] < BAR else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
