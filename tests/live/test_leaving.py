"""Whoever leaves ``vidinfer.label`` early, in whatever way, leaves no thread behind."""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import vidinfer
from tests.live.labelling import DEAD, SECONDS, label, ours
from tests.live.whole_runs import ReadingModel
from tests.media import make_video
from vidinfer.testing import FakeModel


@pytest.mark.parametrize("how", ["break", "close", "with", "raise", "drop", "unread"])
def test_leaving_early_stops_every_thread(tmp_path: Path, model: Callable[..., FakeModel], how: str) -> None:
    fake = model()
    clip = make_video(tmp_path / "a.mp4", frames=20)
    frames = label(clip, clip, DEAD, loop=True)
    assert not ours()  # they begin with the first frame
    if how == "break":
        for frame in frames:
            if frame.index == 3:
                break
        assert ours()
        del frames
    elif how == "close":
        next(frames)
        frames.close()
        frames.close()
        with pytest.raises(StopIteration):
            next(frames)
        assert frames.ledger.balanced
    elif how == "with":
        with frames:
            next(frames)
    elif how == "raise":
        with pytest.raises(KeyError, match="mine"), frames:
            for _ in frames:
                raise KeyError("mine")
    elif how == "drop":
        gc.disable()  # the last reference must do, without the collector's help
        try:
            next(frames)
            assert ours()
            del frames
            assert not ours()
        finally:
            gc.enable()
    else:
        frames.close()
    assert not ours()
    assert fake.closed


def test_an_iterator_that_is_collected_on_a_thread_of_its_own_ends_too(
    tmp_path: Path, model: Callable[..., FakeModel]
) -> None:
    """As part of a cycle, by the collector, which runs wherever something is made."""
    unreachable, collected = threading.Event(), threading.Event()

    def collect(_: int) -> None:
        if unreachable.is_set() and not collected.is_set():
            gc.collect()
            collected.set()

    fake = model(ReadingModel(collect))
    clip = make_video(tmp_path / "a.mp4", frames=20)
    gc.collect()
    gc.disable()
    try:
        cycle: list[Any] = [label(clip, clip, DEAD, loop=True)]
        cycle.append(cycle)
        next(cycle[0])
        (run,) = [one for one in ours() if one.name == "vidinfer-live"]
        del cycle
        unreachable.set()
        run.join(SECONDS)
        assert not run.is_alive()
    finally:
        gc.enable()
    assert collected.is_set()
    assert not ours()
    assert fake.closed


def test_the_frames_of_a_file_that_are_collected_on_a_thread_of_their_own_end_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unreachable, collected = threading.Event(), threading.Event()

    def collect(_: int) -> None:
        if begun.is_set() and unreachable.wait(SECONDS) and not collected.is_set():
            gc.collect()
            collected.set()

    begun = threading.Event()
    fake = ReadingModel(collect)
    monkeypatch.setattr("vidinfer.build.open_model", lambda *_, **__: fake)
    clip = make_video(tmp_path / "a.mp4", frames=200)
    gc.collect()
    gc.disable()
    try:
        cycle: list[Any] = [vidinfer.label(clip, max_batch_size=1)]
        cycle.append(cycle)
        next(cycle[0])
        begun.set()
        workers = ours()
        assert {one.name for one in workers} == {"vidinfer-decode", "vidinfer-infer"}
        del cycle
        unreachable.set()
        assert collected.wait(SECONDS)
        for one in [*workers, *ours()]:
            one.join(SECONDS)
    finally:
        gc.enable()
    assert not ours()
    assert fake.closed
