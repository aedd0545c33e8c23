"""What is told of a run while it goes on: often, but not so often that telling holds the run up."""

from __future__ import annotations

from pathlib import Path

import pytest

from vidinfer.archive.agenda import Agenda
from vidinfer.archive.state import StateFolder
from vidinfer.archive.view import LONGEST, View
from vidinfer.progress import SilentObserver
from vidinfer.status import ArchiveStatus
from vidinfer.testing import VirtualClock


class Slow(SilentObserver):
    """Somebody who takes time to be told."""

    def __init__(self, clock: VirtualClock, takes: float) -> None:
        self._clock, self._takes = clock, takes
        self.heard: list[float] = []

    def archive(self, status: ArchiveStatus) -> None:
        self.heard.append(status.seconds)
        self._clock.advance(self._takes)


@pytest.mark.parametrize(
    ("takes", "every"), [(0.0, 0.5), (0.001, 0.5), (0.02, 1.0), (0.5, LONGEST), (9.0, 9.0)]
)
def test_telling_takes_a_small_share_and_is_never_put_off_for_long(
    tmp_path: Path, takes: float, every: float
) -> None:
    clock = VirtualClock()
    observer = Slow(clock, takes)
    with StateFolder(tmp_path / "out") as state:
        view = View(observer, clock, state)
        view.found(1)
        view.planned(Agenda())
        until = clock.now() + 60
        while clock.now() < until:
            view.tick({})
            clock.advance(0.01)
    steps = [b - a for a, b in zip(observer.heard, observer.heard[1:], strict=False)]
    assert steps
    assert all(every - 1e-6 < step < every + 0.05 for step in steps), steps
