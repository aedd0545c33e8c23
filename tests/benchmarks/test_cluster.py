"""The simulated cluster: a whole run by the real planner and commits, with everything that can go wrong in it."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.cluster import Setup, Simulated, figures, simulate, table
from benchmarks.cluster_clock import DriverClock
from benchmarks.cluster_faults import Troubles
from vidinfer.run_archive import TRIES
from vidinfer.sink.unit_read import read_receipt

TROUBLES = Troubles(
    crashes=0.03,
    hangs=0.03,
    stall=30.0,
    poison=0.015,
    refused=0.015,
    stragglers=0.01,
    machine_every=300.0,
    absence=(60.0, 120.0),
)
SETUP = Setup(workers=16, units=200, frames=600, rows=2, seed=3, charged=False, troubles=TROUBLES)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cluster")


@pytest.fixture(scope="module")
def simulated(folder: Path) -> Simulated:
    return simulate(SETUP, folder)


def test_every_unit_is_committed_once_or_given_up(folder: Path, simulated: Simulated) -> None:
    state = folder / "out/.vidinfer"
    ends, committed = simulated.cluster.spent.ends, simulated.cluster.committed
    held = [json.loads(line)["unit"] for line in (state / "quarantine.jsonl").read_text().splitlines()]
    assert {"crash", "hang", "machine", "poison", "refused"} <= set(ends), "all of it happened"
    assert set(committed.values()) == {1}
    assert len(set(held)) == len(held)
    assert not set(held) & set(committed)
    assert len(committed) + len(held) + ends["refused"] == SETUP.units
    assert ends["poison"] <= TRIES * len(held)
    files = {path.stem: path for path in (state / "units").rglob("*.parquet")}
    assert set(files) == set(committed)
    assert all(read_receipt(path)["unit"] == unit for unit, path in files.items())  # type: ignore[index]


def test_every_source_is_whole(folder: Path, simulated: Simulated) -> None:
    """Their outputs hold each unit's rows, in order, and a gap for each that was given up."""
    statuses = Counter(one.status for one in simulated.report.sources)
    assert sum(statuses.values()) == simulated.sources
    assert statuses["complete"] > statuses["damaged"] > 0
    seen: Counter[str] = Counter()
    for path in (folder / "out").rglob("*.run.json"):
        document = json.loads(path.read_text())
        labels = path.with_name(path.name.replace(".run.json", ".labels.jsonl"))
        rows = [json.loads(line) for line in labels.read_text().splitlines()]
        units = document["archive"]["units"]
        done = [unit for unit in units if unit in simulated.cluster.committed]
        seen.update(units)
        frames = [row["frame"] for row in rows if row["outcome"] == "labelled"]
        assert len(frames) == SETUP.rows * len(done)
        assert frames == sorted(frames)
        assert sum(row["outcome"] == "gap" for row in rows) == len(units) - len(done)
    failed = [one for one in simulated.report.sources if one.status == "failed"]
    assert len(seen) == SETUP.units - len(failed), "those that failed whole are of one unit each"
    assert set(seen.values()) == {1}


def test_the_sums_are_all_of_the_time(simulated: Simulated) -> None:
    found = figures(SETUP, simulated)
    assert found["unaccounted"] == pytest.approx(0, abs=0.001)
    assert found["waiting_for_the_driver"] < 0.002, "the driver's time does not count here"
    assert 0 < found["tries_in_vain"] + found["restarting"] < 0.25
    assert f"{found['lost']:.2%}" in table(found)


def test_without_troubles_nothing_is_lost_but_the_end(tmp_path: Path) -> None:
    setup = replace(SETUP, units=64, troubles=Troubles().without())
    found = figures(setup, simulate(setup, tmp_path))
    assert found["tries"] == {"done": 64}
    assert found["tries_in_vain"] == found["restarting"] == found["machines_away"] == 0
    assert found["lost"] == pytest.approx(found["end_of_the_run"] + found["waiting_for_the_driver"], abs=1e-4)
    again = simulate(setup, tmp_path / "again")
    assert again.cluster.last == simulate(setup, tmp_path / "third").cluster.last, "the seed tells all"


def test_the_drivers_time_passes_on_the_clock_unless_the_simulation_works() -> None:
    clock = DriverClock(charged=True)
    with clock.standing():
        before = clock.now()
        assert clock.now() == before
        clock.jump(before + 100)
        clock.jump(before)
    assert clock.now() >= before + 100
    free = DriverClock(charged=False)
    assert free.now() == free.now() == 0
    with free.standing():
        free.jump(5)
    assert free.now() == 5
    assert free.driver > 0
