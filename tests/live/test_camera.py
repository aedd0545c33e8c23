"""One stream and its connections, without a network."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from vidinfer.arrival import Received, Shed
from vidinfer.clock import MonotonicClock
from vidinfer.errors import SourceUnreachable
from vidinfer.frame import Frame, Gap, SourceInfo
from vidinfer.interrupt import Interrupt
from vidinfer.live.camera import Camera, Wanted
from vidinfer.live.connection import Connection, HostGate
from vidinfer.live.lobby import Lobby
from vidinfer.live.tally import StreamTally
from vidinfer.sampling import Sampler, Sampling
from vidinfer.scheduling import Scheduler, ServiceTimes, Settings
from vidinfer.stages import LiveSource
from vidinfer.testing import TIME_BASE, FakeModel, make_frames

SOON = 10.0
"""Seconds: far below the longest wait, far above what is needed."""


class Skipping(MonotonicClock):
    """The real one, and what the test lets pass at once."""

    ahead = 0.0

    def now(self) -> float:
        return super().now() + self.ahead


class Short:
    """Gives one frame, lets ``lasting`` seconds pass, and is gone."""

    info = SourceInfo("cam", 32, 24, TIME_BASE)

    def __init__(self, clock: Skipping, first_index: int, lasting: float) -> None:
        self._clock, self._first, self._lasting = clock, first_index, lasting

    def __iter__(self) -> Iterator[Received | Gap]:
        for frame in make_frames(1, first=self._first):
            yield Received(Frame(frame.stamp, frame.picture), self._clock.now())
        self._clock.ahead += self._lasting

    def shed(self, level: Shed) -> None: ...

    def facts(self) -> dict[str, object]:
        return {"ended": "closed by the other end"}

    def interrupt(self) -> None: ...

    def close(self) -> None: ...


class Script:
    """A stream that has been unreachable many times, so that its next wait is half a minute."""

    def __init__(self, lasting: float = 0.0) -> None:
        self.clock, self.lasting = Skipping(), lasting
        self.tally = StreamTally()
        self.connected, self.looked = threading.Semaphore(0), threading.Event()
        scheduler = Scheduler(Settings(), ServiceTimes())
        self.lobby = Lobby(scheduler, self.clock, _allocate, max_batch_size=2, max_queue_size=4)
        connection = Connection(self.clock.now(), lambda: 0.99)
        for _ in range(10):
            connection.connecting(self.clock.now())
            connection.lost(self.clock.now(), "refused")
        wanted = Wanted("rtsp://cam", self._connect, "cam", Sampler(Sampling()), answers=self._answers)
        self.camera = Camera(
            0,
            wanted,
            FakeModel(),
            self.lobby,
            self.tally,
            connection,
            HostGate(),
            self.clock,
            lambda: 0.0,
            _nothing,
        )

    def _connect(self, interrupt: Interrupt, first_index: int) -> LiveSource:
        self.connected.release()
        return Short(self.clock, first_index, self.lasting)

    def _answers(self, interrupt: Interrupt) -> bool:
        self.looked.set()
        return True

    def __enter__(self) -> Script:
        self._thread = threading.Thread(target=self.camera.run)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.camera.interrupt()
        self._thread.join(SOON)
        assert not self._thread.is_alive()


def _allocate(frames: int, spec: Any) -> Any:
    return np.zeros((frames, *spec.place), spec.dtype)


def _nothing(info: SourceInfo, epoch: int) -> None: ...


def test_a_camera_that_sent_for_a_while_is_looked_for_whatever_it_took_before() -> None:
    with Script(lasting=3.0) as script:
        assert script.connected.acquire(timeout=SOON)
        assert script.connected.acquire(timeout=SOON)
        assert script.looked.is_set()


def test_one_that_hangs_up_at_once_waits_as_its_back_off_says() -> None:
    with Script(lasting=0.0) as script:
        assert script.connected.acquire(timeout=SOON)
        assert not script.looked.wait(2.5)  # twice as long as it would take
        assert script.camera.view().retry_at is not None


class Ending(Short):
    """Leaves out packets; the run ends while its camera has a frame in hand."""

    lobby: Lobby

    def __iter__(self) -> Iterator[Received | Gap]:
        yield from super().__iter__()
        self.lobby.close()
        yield from super().__iter__()

    def facts(self) -> dict[str, object]:
        return {"packets_shed": {"non_key": 7}}


def test_what_was_left_out_is_told_though_the_end_comes_with_a_frame_in_hand(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def connect(self: Script, interrupt: Interrupt, first_index: int) -> LiveSource:
        source = Ending(self.clock, first_index, 0.0)
        source.lobby = self.lobby
        return source

    monkeypatch.setattr(Script, "_connect", connect)
    script = Script()
    script.camera.run()
    facts = script.camera.facts()
    assert facts["packets_shed"] == {"non_key": 7}
    assert facts["last_ends"] == ["interrupted"]
    assert script.tally.ledger.snapshot().skipped == {"interrupted": 1}


def test_an_end_comes_in_the_midst_of_a_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Script, interrupt: Interrupt, first_index: int) -> LiveSource:
        self.connected.release()
        raise SourceUnreachable("cam: refused")

    monkeypatch.setattr(Script, "_connect", refuse)
    monkeypatch.setattr(Script, "_answers", lambda *_: False)
    with Script(lasting=0.0) as script:
        assert script.connected.acquire(timeout=SOON)
