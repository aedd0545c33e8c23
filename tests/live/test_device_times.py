"""Whether the kernel's stamps of a camera can be believed, by clocks that the test sets."""

from __future__ import annotations

import pytest
from av.packet import Packet

from vidinfer.arrival import TimeSource
from vidinfer.source.capture import DeviceTimes
from vidinfer.source.live_read import Arrived

AHEAD = 1.7e9
"""Seconds by which the wall clock is ahead of the monotonic one, in the beginning."""


class Wall:
    """A wall clock that can be set."""

    def __init__(self) -> None:
        self.unix = 0.0

    def __call__(self) -> float:
        return self.unix


class Camera:
    """A picture each time ``at`` is called."""

    def __init__(self) -> None:
        self.wall = Wall()
        self.times = DeviceTimes(AHEAD, self.wall)

    def at(self, received: float, stamp: float | None, unix: float | None = None) -> float | None:
        """The time of capture of a picture that came at ``received``, stamped ``stamp``, all in seconds."""
        self.wall.unix = received + AHEAD if unix is None else unix
        packet = Packet(b"picture")
        packet.pts = None if stamp is None else round(stamp * 1e6)
        self.times.packet(Arrived(packet, received))  # type: ignore[arg-type]
        return self.times.captured(packet.pts)


def test_stamps_of_the_monotonic_clock_are_put_on_the_wall_clock_of_the_beginning() -> None:
    camera = Camera()
    assert camera.at(100.0, 99.9) == pytest.approx(AHEAD + 99.9, abs=1e-6)
    # Somebody sets the clock: times within a connection go on as they were.
    assert camera.at(101.0, 100.9, unix=5.0) == pytest.approx(AHEAD + 100.9, abs=1e-6)
    assert camera.times.facts()["stamps"] == "monotonic"


def test_stamps_of_the_wall_clock_are_held_against_what_it_shows_now() -> None:
    camera = Camera()
    assert camera.at(100.0, AHEAD + 99.9) == pytest.approx(AHEAD + 99.9, abs=1e-6)
    assert camera.at(101.0, AHEAD + 500.9, unix=AHEAD + 501.0) == pytest.approx(AHEAD + 500.9, abs=1e-6)
    assert camera.times.facts() == {"source": "device", "stamps": "unix", "stamps_refused": 0, "why_not": ""}


@pytest.mark.parametrize(
    ("stamp", "why"),
    [
        (None, "gives no times"),
        (99.0, "do not go forward"),
        (98.0, "do not go forward"),
        (102.1, r"-0.1 s old"),
        (99.9, r"2.1 s old"),
    ],
)
def test_one_that_cannot_be_is_not_told(stamp: float | None, why: str) -> None:
    camera = Camera()
    camera.at(99.1, 99.0)
    assert camera.at(102.0, stamp) is None
    facts = camera.times.facts()
    assert (facts["source"], facts["stamps_refused"]) == ("device", 1)
    assert why in str(facts["why_not"])
    assert camera.at(103.0, 102.9) == pytest.approx(AHEAD + 102.9, abs=1e-6)


def test_before_there_is_a_picture_nothing_is_known() -> None:
    times = DeviceTimes(AHEAD)
    assert times.source is TimeSource.RECEIVED
    assert times.captured(5) is None
    assert times.facts()["why_not"] == "no picture has come"
