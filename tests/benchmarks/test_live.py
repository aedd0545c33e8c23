"""The live benchmark: codes in pictures, the percentile rule, cameras that keep to their script, a whole run."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from benchmarks.live import options_of, table
from benchmarks.live_bench import Effort
from benchmarks.live_cameras import PATIENCE, Album, Outage, SimulatedCamera, SimulatedSource
from benchmarks.live_code import CAMERAS, COLUMNS, ROWS, TICKS, Reader, block, decode, draw, encode
from benchmarks.live_faults import script_of_faults
from benchmarks.live_figures import Log, early_stopping, latency_figures, spared
from benchmarks.live_model import Hitch
from benchmarks.live_rig import POLICIES, Rig, scheduler_of
from benchmarks.live_scenarios import FINE, capacity
from benchmarks.live_simulation import Camera
from benchmarks.live_theory import Theory
from vidinfer.arrival import Arrival, Received, Shed, TimeSource
from vidinfer.clock import MonotonicClock
from vidinfer.errors import SourceUnreachable
from vidinfer.interrupt import Interrupt
from vidinfer.scheduling import Settings
from vidinfer.service import Service
from vidinfer.testing import FakeModel, VirtualClock

WIDTH, HEIGHT = 128, 96
GREY = [np.full((HEIGHT * 3 // 2, WIDTH), 128, np.uint8)]


class Passing(Interrupt):
    """Waiting lets the virtual time pass."""

    def __init__(self, clock: VirtualClock) -> None:
        super().__init__()
        self._clock = clock

    def wait(self, seconds: float) -> bool:
        self._clock.advance(max(0.0, seconds))
        return self.is_set


def camera(
    clock: VirtualClock, outages: Sequence[Outage] = (), *, rate: float = 10.0, **more: Any
) -> SimulatedCamera:
    made = SimulatedCamera(
        3,
        Camera(rate, 0.05),
        Album(GREY, WIDTH, HEIGHT),
        (WIDTH, HEIGHT),
        clock,
        seed=1,
        seconds=20.0,
        outages=outages,
        **more,
    )
    made.begin()
    return made


def read(source: SimulatedSource) -> list[Received]:
    items = list(source)
    assert all(isinstance(item, Received) for item in items)
    return [item for item in items if isinstance(item, Received)]


@given(st.integers(0, CAMERAS - 1), st.integers(0, TICKS - 1))
def test_a_code_tells_camera_and_tick(number: int, tick: int) -> None:
    assert decode(encode(number, tick)) == (number, tick)


def test_a_square_that_is_misread_is_nearly_always_noticed() -> None:
    noticed = []
    for number, tick in ((0, 0), (3, 77), (255, TICKS - 1)):
        for wrong in range(ROWS * COLUMNS):
            squares = encode(number, tick).ravel()
            squares[wrong] ^= True
            noticed.append(decode(squares.reshape(ROWS, COLUMNS)) is None)
    assert np.mean(noticed) >= 0.8


@pytest.mark.parametrize("size", [(1280, 720), (640, 360), (320, 240)])
def test_codes_survive_cutting_scaling_and_normalising(size: tuple[int, int]) -> None:
    width, height = size

    def show(squares: NDArray[np.bool_]) -> NDArray[Any]:
        luma = np.full((height, width), 90, np.uint8)
        draw(luma, squares)
        middle = luma[:, width // 8 : -width // 8]  # as a network's centre crop
        place: NDArray[Any] = (middle[::2, ::2].astype(np.float32) / 255 - 0.45) / -0.22
        return np.stack([place] * 3)

    reader = Reader(show)
    for number, tick in ((0, 0), (255, TICKS - 1), (7, 123_456)):
        assert reader.read(show(encode(number, tick))) == (number, tick)


def test_a_place_that_does_not_show_the_middle_has_no_codes() -> None:
    with pytest.raises(ValueError, match="too little of the middle"):
        Reader(lambda _: np.zeros((8, 8, 3), np.uint8))


def test_the_code_lies_in_the_picture() -> None:
    left, top, wide, high = block(1280, 720)
    assert (left, top, wide, high) == (480, 300, 40, 30)


@pytest.mark.parametrize(
    ("count", "share", "over"),
    [
        (458, 0.99, -1),
        (459, 0.99, 0),
        (661, 0.99, 0),
        (662, 0.99, 1),
        (838, 0.99, 2),
        (2010, 0.99, 10),
        (64, 0.9, 1),
    ],
)
def test_early_stopping_spares_as_many_as_mlperf_does(count: int, share: float, over: int) -> None:
    assert spared(count, share) == over


def test_a_percentile_is_told_of_enough_frames_only() -> None:
    assert early_stopping(np.arange(661.0)) is None
    assert early_stopping(np.arange(662.0)) == 661.0  # the largest: one may be over
    assert early_stopping(np.arange(838.0)) == 836.0  # the largest is discarded
    assert latency_figures(np.zeros(0)) == {"p50": None, "p95": None, "p99": None, "max": None}


def test_frames_that_never_get_a_label_are_overtime() -> None:
    log = Log()
    for i, (took, reason) in enumerate([(0.05, ""), (0.15, ""), (None, "stale"), (None, "stale")]):
        labelled = None if took is None else i + took
        arrival = Arrival(1, i, i, None, TimeSource.RECEIVED, labelled=labelled, batch_size=2)
        log.add(0, float(i), arrival, reason)
    window = log.window(0.0, 4.0)
    assert window.overtime(100.0) == 0.75
    assert window.overtime(100.0, never=4) == 1 - 1 / 8
    assert window.reasons == {"stale": 2}
    assert window.milliseconds == pytest.approx([50.0, 150.0])
    assert (window.mean_batch(), window.labels_of(2)) == (2.0, [2, 0])
    assert len(log.window(1.0, 3.0)) == 2


def test_a_camera_keeps_to_its_script_and_each_picture_says_which_it_is() -> None:
    clock = VirtualClock(100.0)
    mine = camera(clock, claimed=12.5)
    luma = Reader(lambda squares: _luma(mine, squares))
    source, came = mine.connect(Passing(clock), 5), []
    for item in source:
        assert isinstance(item, Received)
        came.append(item)
        planes = item.frame.picture.planes()  # type: ignore[attr-defined]
        assert luma.read(planes.y) == (3, item.frame.stamp.pts)
    assert [item.received for item in came[:3]] == pytest.approx([100.05, 100.15, 100.25])
    assert [item.frame.stamp.index for item in came[:3]] == [5, 6, 7]
    assert all(
        item.received == pytest.approx(mine.scheduled(int(item.frame.stamp.pts or 0))) for item in came
    )
    assert came[-1].frame.stamp.time == pytest.approx(199 / 12.5)  # by its own clock, which is wrong
    assert came[0].frame.stamp.keyframe
    assert not came[1].frame.stamp.keyframe
    assert source.facts()["ended"] == "the simulation is over"


def _luma(mine: SimulatedCamera, squares: NDArray[np.bool_]) -> NDArray[np.uint8]:
    planes = mine.album.picture(squares).planes()  # type: ignore[attr-defined]
    return np.asarray(planes.y).copy()


def test_what_a_lost_camera_sees_is_lost() -> None:
    clock = VirtualClock(100.0)
    mine, interrupt = camera(clock, [Outage(2.0, 3.0)]), Passing(clock)
    source = mine.connect(interrupt, 0)
    assert [item.frame.stamp.pts for item in read(source)] == list(range(20))
    assert (clock.now(), source.facts()["ended"]) == (102.0, "the other end hung up")
    assert not mine.answers()
    with pytest.raises(SourceUnreachable, match="nobody answers"):
        mine.connect(interrupt, 20)
    clock.advance(4.0)
    assert mine.answers()
    again = read(mine.connect(interrupt, 20))
    assert (again[0].frame.stamp.pts, again[0].frame.stamp.index) == (60, 20)
    assert mine.missed == list(range(50, 60))  # it was back, and nobody asked


def test_a_long_silence_ends_the_connection_and_a_short_one_ends_in_a_burst() -> None:
    clock = VirtualClock(100.0)
    mine, interrupt = (
        camera(clock, [Outage(1.0, 0.5, silent=True), Outage(5.0, 3.0, silent=True)]),
        Passing(clock),
    )
    source = mine.connect(interrupt, 0)
    came = read(source)
    assert [round(item.received - 100, 2) for item in came[9:16]] == [0.95, 1.5, 1.5, 1.5, 1.5, 1.5, 1.55]
    assert (clock.now(), source.facts()["ended"]) == (105.0 + PATIENCE, "nothing came for 2 s")
    assert mine.answers()
    with pytest.raises(SourceUnreachable):
        mine.connect(interrupt, 50)
    assert clock.now() == pytest.approx(108.0)


def test_a_camera_leaves_out_all_but_keyframes_where_it_is_told_to() -> None:
    clock = VirtualClock(100.0)
    mine = camera(clock)
    source = mine.connect(Passing(clock), 0)
    source.shed(Shed.NON_KEY)
    came = read(source)
    assert [item.frame.stamp.pts for item in came] == list(range(0, 200, 20))
    assert source.facts()["packets_shed"] == {"non_key": 190}
    assert len(mine.shed_ticks) == 190


def test_an_interrupt_ends_a_source() -> None:
    clock = VirtualClock(100.0)
    mine, interrupt = camera(clock), Passing(clock)
    source = mine.connect(interrupt, 0)
    for _ in source:
        source.interrupt()
    assert source.facts()["ended"] == "interrupted"


@pytest.mark.parametrize("count", [3, 6])
@pytest.mark.parametrize("seconds", [58.0, 1800.0])
def test_the_script_of_faults_leaves_each_camera_time_to_recover(count: int, seconds: float) -> None:
    outages, hitches = script_of_faults(count, seconds)
    assert len(hitches) == 2 * max(1, int(seconds) // 60)
    for mine in outages.values():
        for one, other in pairwise(mine):
            assert other.at - one.end >= 10 or other.at - one.at >= 24


def test_policies_take_turns_in_their_order_or_only_those_that_are_named() -> None:
    assert options_of([]).policies == POLICIES
    assert options_of(["--policy", "ours", "--policy", "eager"]).policies == ("eager", "ours")


def test_each_policy_has_a_scheduler() -> None:
    for policy in POLICIES:
        settings = scheduler_of(policy, Settings(latency_slo=0.1)).settings
        assert settings.latency_slo == (0.1 if policy == "ours" else None)


@pytest.mark.parametrize("policy", POLICIES)
def test_a_whole_run_accounts_for_every_frame(policy: str) -> None:
    """Real threads and real time; what counts is that everything is there, not when."""
    clock = MonotonicClock()
    album = Album(GREY, WIDTH, HEIGHT)
    rig = Rig(FakeModel(), clock, Reader(lambda squares: album.picture(squares).rgb()))
    outages = {0: [Outage(0.4, 0.2)], 1: [Outage(0.2, 0.2, silent=True)]}
    cameras = [
        SimulatedCamera(
            number,
            Camera(60.0, 0.0),
            Album(GREY, WIDTH, HEIGHT),
            (WIDTH, HEIGHT),
            clock,
            seed=1,
            seconds=1.2,
            outages=outages.get(number, ()),
        )
        for number in range(3)
    ]
    settings = Settings(max_batch_size=4, latency_slo=5.0, max_queue_size=200)
    ran = rig.run(
        policy, cameras, settings, seconds=1.0, hitches=[Hitch(0.1, fails=True)], from_the_start=True
    )
    assert ran.problems == []
    assert ran.ledger["balanced"]
    assert ran.ledger["labelled"] > 0
    assert ran.codes.get("right", 0) > 0
    assert ran.codes.get("wrong", 0) == 0
    figures = ran.figures(5000.0)
    assert figures["labelled"] + sum(figures["dropped"].values()) == figures["frames"]
    assert policy in table([{"scenario": "test", **figures}])


def test_an_unknown_scenario_is_a_mistake(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        options_of(["singel"])
    assert "scenario 'singel': choose single" in capsys.readouterr().err
    assert options_of([]).scenarios == ["single", "multi", "overload", "faults"]


def test_the_size_of_the_pictures_is_checked(capsys: pytest.CaptureFixture[str]) -> None:
    assert options_of([]).size == (1280, 720)
    assert options_of(["--size", "320x240"]).size == (320, 240)
    for wrong in ("320", "320x", "x240", "321x240", "64x64", "-320x240"):
        with pytest.raises(SystemExit):
            options_of([f"--size={wrong}"])
        assert wrong in capsys.readouterr().err


def test_the_theory_counts_preparing_on_the_same_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.live_theory.available_cores", lambda: 2)
    theory = Theory.of(Service(8.0, 10.0, None), prepare_ms=4.0, budget=100.0)
    assert theory.model_alone == pytest.approx(0.8 / 0.008)
    assert theory.with_preparing == pytest.approx(0.8 / 0.010)
    assert theory.shares(64.0) == {"of_theory_model_alone": 0.64, "of_theory_with_preparing": 0.8}


class Bearing:
    """Stands for a bench whose policies bear so many frames a second, and no more."""

    def __init__(self, most: float) -> None:
        self.most = most
        self.options = Namespace(seed=1)
        self.effort = Effort.quick()

    def settings(self, cameras: int) -> int:
        return cameras

    def run(self, policy: str, scripts: list[Camera], seconds: float, settings: int) -> Bearing:
        self.overtime = float(sum(script.rate for script in scripts) > self.most)
        return self

    budget = 100.0

    def figures(self, budget: float) -> dict[str, float]:
        return {"overtime": self.overtime}


@given(most=st.floats(5, 400), guess=st.floats(1, 400), step=st.sampled_from([5.0, 10.0]))
def test_capacity_is_the_largest_load_that_is_borne(most: float, guess: float, step: float) -> None:
    found, tried = capacity(Bearing(most), "ours", guess, step)  # type: ignore[arg-type]
    assert found <= most < found + FINE
    assert {one["rate"]: one["overtime"] for one in tried}[found] == 0.0
