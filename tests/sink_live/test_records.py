"""What a record of a live stream says beside what was found."""

from __future__ import annotations

import json
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from tests.sink_live.cases import BASE, CAM, MODEL, NOTHING, arrival, gap
from vidinfer.arrival import Arrival, TimeSource
from vidinfer.frame import FrameStamp, Gap
from vidinfer.record import Entry, LabelledBatch, Outcome
from vidinfer.sink import label_sink
from vidinfer.sink.findings import find, layout_of
from vidinfer.sink.jsonl import JsonLinesWriter
from vidinfer.testing import VirtualClock

STAMP = FrameStamp(7, 3600, BASE)
COMPLETE = Arrival(
    epoch=2,
    received=100.0,
    wall=1795601700.1234567,
    captured=1795601700.05,
    time_source=TimeSource.RTCP,
    queued=100.0042,
    free=100.0043,
    dispatched=100.0103,
    labelled=100.0217,
    batch_size=3,
    closed_by="idle",
)


def line(entry: Entry, now: float = 100.022) -> dict[str, Any]:
    file = BytesIO()
    batch = LabelledBatch([entry], NOTHING)
    writer = JsonLinesWriter(file, CAM, MODEL, clock=VirtualClock(now))
    writer.write(batch, find(batch, layout_of(CAM, MODEL)))
    found: dict[str, Any] = json.loads(file.getvalue())
    return found


def test_a_labelled_frame() -> None:
    assert line(Entry(Outcome.LABELLED, STAMP, arrival=COMPLETE)) == {
        "source": "cam",
        "frame": 7,
        "pts": 3600,
        "time_base": "1/90000",
        "time": 0.04,
        "outcome": "labelled",
        "epoch": 2,
        "received": 1795601700.123457,
        "captured": 1795601700.05,
        "time_source": "rtcp",
        "latency_ms": {
            "decode": 4.2,
            "queue": 0.1,
            "batch_wait": 6.0,
            "inference": 11.4,
            "write": 0.3,
            "total": 22.0,
        },
        "batch": {"size": 3, "closed_by": "idle"},
        "objects": [],
    }


def test_a_dropped_frame_has_the_stages_it_went_through() -> None:
    stale = replace(COMPLETE, dispatched=None, labelled=None, batch_size=0, closed_by="")
    found = line(Entry(Outcome.DROPPED, STAMP, reason="stale", arrival=stale))
    assert (found["outcome"], found["reason"]) == ("dropped", "stale")
    assert found["latency_ms"] == {"decode": 4.2, "queue": 0.1}
    assert "batch" not in found
    never = line(Entry(Outcome.DROPPED, STAMP, reason="queue_full", arrival=arrival()))
    assert never["latency_ms"] == {}
    assert never["captured"] is None
    assert never["time_source"] == "received"


def test_stages_that_are_left_out_do_not_hide_later_ones() -> None:
    found = line(Entry(Outcome.LABELLED, STAMP, arrival=replace(COMPLETE, free=None)))
    assert found["latency_ms"] == {"decode": 4.2, "inference": 11.4, "write": 0.3, "total": 22.0}


def test_a_gap_has_its_epoch() -> None:
    (entry,) = gap(arrival(0.5)).entries
    assert line(entry) == {
        "source": "cam",
        "time_base": "1/90000",
        "outcome": "gap",
        "reason": "lost packets",
        "first_pts": 10,
        "last_pts": 20,
        "packets": 3,
        "epoch": 1,
        "received": 1795601700.5,
    }


def test_records_of_files_are_as_they_were() -> None:
    assert "epoch" not in line(Entry(Outcome.LABELLED, STAMP))
    (entry,) = gap(None).entries
    assert list(line(entry))[-1] == "packets"


@pytest.mark.parametrize("name", ["csv", "parquet"])
def test_flat_formats_carry_outcome_and_reason(name: str, tmp_path: Path) -> None:
    sink = label_sink(name, tmp_path / "a")
    sink.open(CAM, MODEL)
    dropped = Entry(Outcome.DROPPED, STAMP, reason="stale", arrival=arrival())
    lost = Entry(Outcome.GAP, Gap(1, 2, BASE, 3, "lost packets"), arrival=arrival())
    sink.write(LabelledBatch([dropped, lost], NOTHING))
    sink.close()
    if name == "csv":
        rows = [row.split(",")[5:7] for row in (tmp_path / "a").read_text().splitlines()[1:]]
    else:
        rows = [[row["outcome"], row["reason"]] for row in pq.read_table(tmp_path / "a").to_pylist()]
    assert rows == [["dropped", "stale"], ["gap", "lost packets"]]


def test_numpy_floats_are_json() -> None:
    at = replace(COMPLETE, wall=np.float64(1.5), labelled=np.float64(100.02))
    assert line(Entry(Outcome.LABELLED, STAMP, arrival=at))["received"] == 1.5
