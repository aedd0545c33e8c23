"""Models that look at several frames at once, in the pipeline: order, accounting and memory are those of all others."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vidinfer.batcher import OfflineBatcher
from vidinfer.clock import MonotonicClock
from vidinfer.frame import Frame, Gap
from vidinfer.pipeline import Pipeline
from vidinfer.record import Outcome
from vidinfer.sampling import Sampler, Sampling
from vidinfer.stages import Window
from vidinfer.testing import TIME_BASE, CollectSink, FakeModel, ScriptedSource, make_frames

CLIP = Window(frames=4, rate=Fraction(15), stride=Fraction(4, 15))
PAIR = Window(frames=2)


def run(
    script: list[Frame | Gap], window: Window, *, batch_size: int = 2, entries: int = 16
) -> tuple[CollectSink, Pipeline]:
    sink = CollectSink()
    sink.state = "open"
    pipeline = Pipeline(
        ScriptedSource(script),
        FakeModel(window=window),
        batcher=OfflineBatcher(),
        sampler=Sampler(Sampling()),
        clock=MonotonicClock(),
        batch_size=batch_size,
        batch_entries=entries,
    )
    pipeline.run([sink], lambda _: None)
    return sink, pipeline


def closed(sink: CollectSink) -> dict[int, int]:
    """The picture value that the model saw last, by the frame that has its results."""
    found = {}
    for batch in sink.batches:
        for entry in batch.entries:
            if entry.row >= 0:
                assert entry.span is not None
                assert batch.results.objects is not None
                found[entry.at.index] = int(batch.results.objects.boxes[entry.row, 0])  # type: ignore[union-attr]
    return found


def test_the_frame_that_closes_a_clip_has_its_result() -> None:
    sink, _ = run(list(make_frames(24)), CLIP)  # 30 a second: every other frame is in the clip
    assert closed(sink) == {6: 6, 14: 14, 22: 22}
    assert [e.at.index for e in sink.entries] == list(range(24))  # type: ignore[union-attr]


def test_pairs() -> None:
    sink, _ = run(list(make_frames(5)), PAIR)
    assert closed(sink) == {1: 1, 2: 2, 3: 3, 4: 4}
    assert sink.entries[0].outcome is Outcome.LABELLED


@given(
    st.lists(st.sampled_from(["good", "good", "good", "corrupt", "gap"]), max_size=40),
    st.integers(1, 3),
    st.integers(1, 9),
    st.sampled_from([CLIP, PAIR]),
)
def test_order_and_ledger_hold_whatever_is_damaged(
    kinds: list[str], batch_size: int, entries: int, window: Window
) -> None:
    script: list[Frame | Gap] = []
    for frame, kind in zip(make_frames(len(kinds)), kinds, strict=True):
        if kind == "gap":
            script.append(Gap(frame.stamp.pts, frame.stamp.pts, TIME_BASE, 1, "lost"))
        else:
            script.append(replace(frame, corrupt=kind == "corrupt"))
    sink, pipeline = run(script, window, batch_size=batch_size, entries=entries)
    times = [e.at.first_pts if isinstance(e.at, Gap) else e.at.pts for e in sink.entries]
    assert times == sorted(times)  # type: ignore[type-var]
    assert len(sink.entries) == len(kinds)
    assert all(len(batch.entries) <= entries for batch in sink.batches)
    ledger = pipeline.ledger.snapshot()
    assert ledger.balanced
    assert (ledger.labelled, ledger.corrupt, ledger.gaps) == tuple(
        map(kinds.count, ("good", "corrupt", "gap"))
    )
    if window is CLIP and "good" in kinds:
        assert closed(sink), "even a short source gives a clip"


def test_a_frame_is_let_go_when_only_damage_follows() -> None:
    """What waits is bounded: a file that is nothing but damage behind its first frames does not fill the memory."""
    frames = list(make_frames(1200))
    script: list[Frame | Gap] = [replace(f, corrupt=f.stamp.index > 2) for f in frames]
    sink, pipeline = run(script, CLIP)
    assert len(sink.entries) == 1200
    assert pipeline.ledger.snapshot().balanced
    assert closed(sink) == {2: 2}


@pytest.mark.parametrize("window", [CLIP, PAIR])
def test_an_early_end_is_an_end(window: Window) -> None:
    sink = CollectSink()
    sink.state = "open"
    source = ScriptedSource([])
    script: list[object] = [*make_frames(5), source.interrupt, *make_frames(5, first=5)]
    source._script = script  # type: ignore[assignment]
    pipeline = Pipeline(
        source,
        FakeModel(window=window),
        batcher=OfflineBatcher(),
        sampler=Sampler(Sampling()),
        clock=MonotonicClock(),
        batch_size=2,
        batch_entries=8,
    )
    pipeline.run([sink], lambda _: None)
    assert [e.at.index for e in sink.entries] == list(range(5))  # type: ignore[union-attr]
    assert closed(sink)
