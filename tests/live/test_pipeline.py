"""The live pipeline with scripted parts: results are handed out beside the model, and whatever fails, nothing hangs."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

import numpy as np
import pytest

from tests.live.test_lobby import SPEC, allocate, entry
from vidinfer.clock import MonotonicClock
from vidinfer.errors import ModelError
from vidinfer.live.lobby import Lobby
from vidinfer.live.pipeline import LivePipeline, Stream
from vidinfer.live.readiness import FRAMES, Readiness
from vidinfer.live.tally import StreamTally
from vidinfer.record import LabelledBatch, Outcome
from vidinfer.scheduling import Scheduler, ServiceTimes, Settings
from vidinfer.testing import FakeModel

SOON = 20.0
"""Seconds after which something that should happen at once never will."""


class Camera:
    """Gives its frames away one by one, each once the model has begun with the one before."""

    def __init__(
        self, lobby: Lobby, clock: MonotonicClock, frames: int, begun: Sequence[threading.Event]
    ) -> None:
        self._lobby, self._clock, self._frames, self._begun = lobby, clock, frames, begun
        lobby.join(0, SPEC, 3, 2)

    def run(self) -> None:
        for index in range(self._frames):
            self._lobby.reserve(0)[:] = index
            self._lobby.commit(0, entry(index, self._clock.now()))
            if not self._begun[index].wait(SOON):
                return

    def interrupt(self) -> None:
        for one in self._begun:
            one.set()


class Outlet:
    """Keeps what it is given; ``before`` is told how many batches it has."""

    def __init__(self, before: Callable[[int], object] = lambda _: None) -> None:
        self._before, self.batches = before, list[LabelledBatch]()

    def put(self, batch: LabelledBatch) -> None:
        self._before(len(self.batches))
        self.batches.append(batch)

    @property
    def outcomes(self) -> list[Outcome]:
        return [one.outcome for batch in self.batches for one in batch.entries]


class Scene:
    """One camera, a model and an outlet; ``begun``: the model has begun with the n-th batch."""

    def __init__(self, frames: int, outlet: Callable[[int], object], model: Callable[[int], object]) -> None:
        self.begun = [threading.Event() for _ in range(frames)]
        self.outlet, self.drained = Outlet(outlet), threading.Event()
        clock = MonotonicClock()
        lobby = Lobby(
            Scheduler(Settings(max_batch_size=4, max_queue_delay=0.0), ServiceTimes()),
            clock,
            allocate,
            max_batch_size=4,
            max_queue_size=4,
        )

        numbers = iter(range(frames))  # batches that fail are counted, too

        def before(_: int) -> None:
            batch = next(numbers)
            self.begun[batch].set()
            model(batch)

        fake = FakeModel(before)
        self.pipeline = LivePipeline(
            [Stream(Camera(lobby, clock, frames, self.begun), [self.outlet], StreamTally())],
            lobby,
            fake,
            Readiness(fake, clock, 1, lambda _shape, _took: None),
            clock,
            drained=self.drained.set,
        )


def test_the_model_has_the_next_batch_while_results_are_handed_out() -> None:
    met: list[bool] = []

    def put(batches: int) -> None:
        if batches < 2:
            met.append(scene.begun[batches + 1].wait(SOON))

    scene = Scene(3, put, lambda _: None)
    scene.pipeline.run()
    assert met == [True, True]
    assert scene.outlet.outcomes == [Outcome.LABELLED] * 3
    assert scene.drained.is_set()
    boxes = [batch.results.objects.boxes[0, 0] for batch in scene.outlet.batches if batch.results.objects]
    assert np.array_equal(boxes, [0, 1, 2])


def test_results_that_cannot_be_handed_out_end_the_run() -> None:
    def put(batches: int) -> None:
        if batches:
            raise RuntimeError("no more")

    scene = Scene(8, put, lambda _: None)
    with pytest.raises(RuntimeError, match="no more") as raised:
        scene.pipeline.run()
    assert raised.value.__notes__ == ["in stage: deliver"]
    assert not scene.drained.is_set()


def test_what_was_labelled_leaves_though_the_model_breaks() -> None:
    def model(batch: int) -> None:
        if batch >= 2:
            raise ValueError("broken")

    scene = Scene(5, lambda _: None, model)
    with pytest.raises(ModelError, match="3 batches in a row: ValueError: broken"):
        scene.pipeline.run()
    assert scene.outlet.outcomes == [Outcome.LABELLED] * 2 + [Outcome.FAILED] * 2


def test_the_model_is_not_made_ready_for_streams_that_have_ended() -> None:
    def model(batch: int) -> None:
        if batch == FRAMES - 1:  # those would be enough
            for thread in threading.enumerate():
                if thread.name == "vidinfer-camera-0":
                    thread.join(SOON)

    scene = Scene(FRAMES, lambda _: None, model)  # one batch more, and it would fail
    scene.pipeline.run()
    assert scene.outlet.outcomes == [Outcome.LABELLED] * FRAMES
