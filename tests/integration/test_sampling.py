"""Runs over a part of the frames: outputs and ledger as if everything had been decoded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import vidinfer
from tests.integration.conftest import Runner, run_report
from vidinfer.batcher import OfflineBatcher
from vidinfer.clock import MonotonicClock
from vidinfer.errors import SourceError
from vidinfer.frame import Passed
from vidinfer.pipeline import Pipeline
from vidinfer.sampling import Sampler, Sampling
from vidinfer.testing import FakeModel, ScriptedSource, make_frames

SAMPLE = Path(__file__).parents[2] / "sample_media" / "traffic.mp4"


@pytest.mark.parametrize("options", [{"keyframes": True}, {"every": 20}, {"fps": 2, "start": "1.5"}])
def test_the_files_are_those_of_decoding_everything(
    label_files: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: dict[str, Any]
) -> None:
    label_files(SAMPLE, out=tmp_path / "some", labels="jsonl,csv", **options)
    monkeypatch.setattr("vidinfer.source.file.why_everything", lambda *_: "for once")
    label_files(SAMPLE, out=tmp_path / "all", labels="jsonl,csv", **options)
    some, whole = (run_report(tmp_path / name / "traffic.run.json") for name in ("some", "all"))
    for name in ("traffic.labels.jsonl", "traffic.labels.csv"):
        assert (tmp_path / "some" / name).read_bytes() == (tmp_path / "all" / name).read_bytes()
    assert some["frames"] == whole["frames"]
    assert some["source"]["found"]["selective_decoding"]["frames_passed_over"] > 0
    assert whole["source"]["found"]["selective_decoding"] == {"used": False, "why": "for once"}


def test_python_gets_the_same_frames() -> None:
    with vidinfer.label(SAMPLE, model="demo", every=30) as frames:
        found = [frame.index for frame in frames]
        assert found == list(range(0, found[-1] + 1, 30))
        assert frames.ledger.balanced


def run_scripted(sampling: Sampling) -> Pipeline:
    script = [frame if i % 3 == 0 else Passed(frame.stamp) for i, frame in enumerate(make_frames(12))]
    pipeline = Pipeline(
        ScriptedSource(script),
        FakeModel(),
        batcher=OfflineBatcher(),
        sampler=Sampler(sampling),
        clock=MonotonicClock(),
        batch_size=4,
    )
    pipeline.run([], lambda _: None)
    return pipeline


def test_what_a_source_passed_over_is_in_the_ledger() -> None:
    pipeline = run_scripted(Sampling(every=3))
    ledger = pipeline.ledger.snapshot()
    assert (ledger.decoded, ledger.labelled, ledger.skipped) == (12, 4, {"sampling": 8})
    assert pipeline.passed == 8


def test_a_source_that_passes_over_what_is_wanted_is_found_out() -> None:
    with pytest.raises(SourceError, match="frame 2 is wanted"):
        run_scripted(Sampling(every=2))
