"""Archives on Ray, as commands: the bytes of the local engine, whatever is killed on the way."""

from __future__ import annotations

import json
import os
import random
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.archive.conftest import Runner, make_archive, make_plain, outputs
from tests.archive.test_run import manifest
from vidinfer.run_archive import TRIES

pytestmark = pytest.mark.ray

QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_AUTH_MODE": "token",  # Ray listens on all interfaces
    "RAY_AUTH_TOKEN": secrets.token_hex(32),
    "PYTHONUNBUFFERED": "1",
}
OPTIONS = ("--task", "classification", "--backend", "eager", "--precision", "fp32", "--engine", "ray")
LABELS = "jsonl,csv,parquet"
PATIENCE = 240.0


def start(archive: Path, out: Path, *more: str, model: str = "patient") -> subprocess.Popen[str]:
    """The command, in a session of its own."""
    named = f"tests.archive.models:{model}"
    command = [sys.executable, "-m", "vidinfer", str(archive), "--out", str(out), "--model", named]
    return subprocess.Popen(
        [*command, "--labels", LABELS, *OPTIONS, *more],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env=os.environ | QUIET,
    )


def ended(process: subprocess.Popen[str], status: int = 0) -> str:
    """Its messages; it ends as expected, and nothing of Ray is on standard output."""
    said, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == status, errors
    assert said == ""
    return errors


def until(process: subprocess.Popen[str], met: Callable[[], bool]) -> None:
    """Wait for something that the command brings about."""
    for _ in range(round(PATIENCE / 0.1)):
        if met():
            return
        try:
            _, errors = process.communicate(timeout=0.1)
        except subprocess.TimeoutExpired:
            continue
        raise AssertionError(f"it ended first: {errors}")
    raise AssertionError("it never came about")


def committed(out: Path) -> int:
    return len(list((out / ".vidinfer/units").rglob("*.parquet")))


def has_committed(out: Path, units: int) -> bool:
    return committed(out) >= units


def actors(out: Path) -> list[int]:
    """Processes whose messages go into this run's logs."""
    found = []
    for folder in Path("/proc").iterdir():
        try:
            if folder.name.isdecimal() and str(out / ".vidinfer/logs/worker-") in str(
                (folder / "fd/1").readlink()
            ):
                found.append(int(folder.name))
        except OSError:
            continue
    return found


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


class Cluster:
    """Nodes of one CPU each, on loopback."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.address = f"127.0.0.1:{free_port()}"
        self.nodes: list[subprocess.Popen[str]] = []
        port = self.address.rpartition(":")[2]
        self._add(
            "--head", "--port", port, "--ray-client-server-port", str(free_port()), "--temp-dir", folder
        )

    def _add(self, *how: object) -> None:
        ray = Path(sys.executable).with_name("ray")
        options = (
            "--num-cpus",
            "1",
            "--object-store-memory",
            "100000000",
            "--disable-usage-stats",
            "--block",
        )
        words = [ray, "start", *how, "--node-ip-address", "127.0.0.1", *options]
        node = subprocess.Popen(
            list(map(str, words)),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
            env=os.environ | QUIET,
        )
        self.nodes.append(node)
        assert node.stdout is not None
        said = ""
        for line in node.stdout:
            said += line
            if "Ray runtime started" in line:
                return
        raise AssertionError(f"a node did not start: {said}")

    def add(self) -> None:
        self._add("--address", self.address)

    def kill(self, node: int) -> None:
        """At once, with all that runs on it: as when a machine loses its power."""
        gone = self.nodes[node]
        for process in _family(gone.pid):
            os.kill(process, signal.SIGKILL)
        gone.wait()

    def close(self) -> None:
        for number, node in enumerate(self.nodes):
            if node.poll() is None:
                self.kill(number)
            assert node.stdout is not None
            node.stdout.close()


def _family(first: int) -> list[int]:
    """A process and all that descend from it."""
    children: dict[int, list[int]] = {}
    for folder in Path("/proc").iterdir():
        try:
            if folder.name.isdecimal():
                parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
                children.setdefault(parent, []).append(int(folder.name))
        except OSError:
            continue
    found = [first]
    for one in found:
        found += children.get(one, [])
    return found


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    """Two nodes."""
    with tempfile.TemporaryDirectory(prefix="ray-", dir="/tmp", ignore_cleanup_errors=True) as folder:
        one = Cluster(Path(folder))
        try:
            one.add()
            yield one
        finally:
            one.close()


@pytest.fixture
def archive(tmp_path: Path, label_archive: Runner) -> Path:
    """Clips, and in ``whole`` what is to come of them."""
    found = make_archive(tmp_path / "in", clips=8, frames=24)
    label_archive(found, model="tests.archive.models:patient", labels=LABELS, out=tmp_path / "whole")
    return found


def check(tmp_path: Path) -> None:
    """The outputs are those of a run that nobody disturbed."""
    assert outputs(tmp_path / "out") == outputs(tmp_path / "whole")


def test_a_ray_for_this_run_alone(tmp_path: Path, archive: Path) -> None:
    before = set(Path("/tmp").glob("vidinfer-ray-*"))
    process = start(archive, tmp_path / "out")
    ended(process)
    check(tmp_path)
    assert actors(tmp_path / "out") == [], "no process is left"
    assert set(Path("/tmp").glob("vidinfer-ray-*")) <= before, "and no folder"


def test_a_worker_that_is_killed_loses_nothing(tmp_path: Path, archive: Path) -> None:
    out = tmp_path / "out"
    process = start(archive, out, "--workers", "1")
    until(process, lambda: committed(out) >= 2)
    (actor,) = actors(out)
    os.kill(actor, signal.SIGKILL)
    assert "tried again" in ended(process)
    check(tmp_path)


def test_a_node_that_is_killed_loses_nothing_and_nothing_is_blamed(
    tmp_path: Path, archive: Path, cluster: Cluster
) -> None:
    out = tmp_path / "out"
    process = start(archive, out, "--address", cluster.address)
    until(process, lambda: len(actors(out)) == 2 and committed(out) >= 2)
    cluster.kill(1)
    assert "tried again" not in ended(process)
    check(tmp_path)
    journal = (out / ".vidinfer/journal.jsonl").read_text()
    assert "failed" not in journal


@pytest.mark.parametrize("where", ["alone", "cluster"])
def test_a_driver_that_is_killed_loses_nothing(
    tmp_path: Path, archive: Path, where: str, request: pytest.FixtureRequest
) -> None:
    more = () if where == "alone" else ("--address", request.getfixturevalue("cluster").address)
    out, rng = tmp_path / "out", random.Random(3)
    for _ in range(3):
        process = start(archive, out, *more)
        wanted = min(7, committed(out) + rng.randint(0, 2))
        until(process, partial(has_committed, out, wanted))
        process.kill()
        process.communicate()
    ended(start(archive, out, *more))
    check(tmp_path)
    assert not list(out.rglob("*.partial")), "leftovers"


def test_ctrl_c_ends_it_properly(tmp_path: Path, archive: Path) -> None:
    out = tmp_path / "out"
    process = start(archive, out)
    until(process, lambda: committed(out) >= 1)
    os.killpg(process.pid, signal.SIGINT)
    ended(process, 130)
    assert actors(out) == []
    ended(start(archive, out))
    check(tmp_path)


def test_sigterm_is_ours(tmp_path: Path, archive: Path) -> None:
    out = tmp_path / "out"
    process = start(archive, out)
    until(process, lambda: committed(out) >= 1)
    process.terminate()
    ended(process, 130)


@pytest.mark.parametrize(
    ("colour", "reason", "more"),
    [
        ("red", "crashed", ()),
        ("blue", "no frame for 3 s", ("--stall", "3")),
        ("green", "MiB of memory", ("--worker-memory", "2000")),
    ],
)
def test_a_poisonous_file_is_put_in_quarantine(
    tmp_path: Path, colour: str, reason: str, more: tuple[str, ...]
) -> None:
    archive = make_archive(tmp_path / "in", clips=2)
    make_plain(archive / "poison.mp4", colour, 8)
    errors = ended(start(archive, tmp_path / "out", *more, model="deadly"), 1)
    rows = manifest(tmp_path / "out")
    assert {name: row["status"] for name, row in rows.items()} == {
        "clip0.mp4": "complete",
        "cam/clip1.mp4": "complete",
        "poison.mp4": "quarantined",
    }, errors
    assert reason in str(rows["poison.mp4"]["error"])
    (held,) = map(json.loads, (tmp_path / "out/.vidinfer/quarantine.jsonl").read_text().splitlines())
    assert held["tries"] == TRIES


def test_nobody_at_the_address(tmp_path: Path) -> None:
    archive = make_archive(tmp_path / "in", clips=1)
    errors = ended(start(archive, tmp_path / "out", "--address", f"127.0.0.1:{free_port()}"), 2)
    assert "no Ray cluster can be used there" in errors
    assert "ray start --head" in errors


def test_a_model_that_is_not_there(tmp_path: Path) -> None:
    archive = make_archive(tmp_path / "in", clips=1)
    errors = ended(start(archive, tmp_path / "out", model="nothing"), 3)
    assert "nothing" in errors
