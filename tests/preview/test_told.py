"""What is told of a run: as JSON, as points of the charts, as health."""

from __future__ import annotations

import json
from dataclasses import replace

from tests.preview.made import SECRET, Run, ledger, stream
from vidinfer.preview.health import health
from vidinfer.preview.history import POINTS, History
from vidinfer.preview.told import told
from vidinfer.status import OutletStatus, StreamState, Warned


def test_the_whole_status_is_told() -> None:
    run = Run(stream("gate", StreamState.WAITING, retry_in=3.5, flags=("frozen",), error="refused"))
    found = json.loads(json.dumps(told(run.status)))
    one = found["streams"][0]
    assert (one["state"], one["retry_in"], one["flags"], one["error"]) == (
        "waiting",
        3.5,
        ["frozen"],
        "refused",
    )
    assert one["frames"]["dropped"] == {"stale": 0, "queue_full": 0}
    assert one["latency"]["total"] == {"count": 900, "p50": 20.0, "p95": 40.0, "p99": 60.0, "max": 80.0}
    assert one["shed"] == "nothing"
    assert (one["size"], one["outlets"][0]["written"]) == ([1920, 1080], 1000)
    assert (found["latency_slo"], found["batch_sizes"]) == (0.1, {"1": 10, "4": 5})
    assert found["warnings"] == ["too slow"]
    assert found["warned"] == [{"at": 1.8e9, "text": "too slow"}]
    assert found["warned_total"] == 1
    assert found["model"]["name"] == "ssdlite320_mobilenet_v3_large"


def test_nothing_is_known_yet() -> None:
    run = Run(stream(size=None, codec="", frames_per_second=None, labels_per_second=None, latency={}))
    found = told(replace(run.status, model=None, service=None, latency_slo=None, latency={}))
    assert found["model"] is None
    run.change(0, frames_per_second=float("nan"), labels_per_second=float("inf"))
    json.dumps(told(run.status), allow_nan=False)
    history = History()
    history.add(run.status)
    assert "NaN" not in history.since(0)[0]
    assert found["service"] is None


def test_no_text_holds_a_password() -> None:
    address = f"rtsp://admin:{SECRET}@gate/live"
    outlet = OutletStatus(address, 0, 0, 0, f"cannot reach {address}")
    run = Run(stream(address, address=address, error=f"{address}: 401", flags=(address,), outlets=(outlet,)))
    status = replace(run.status, warned=(Warned(1.0, f"{address}: disk full"),))
    assert "disk full" in json.dumps(told(status))
    assert SECRET not in json.dumps(told(status))


def test_equal_names_are_told_apart_after_the_password_is_gone() -> None:
    streams = [stream(f"rtsp://{who}@gate/1") for who in ("a:1", "b:2", "c:3")]
    names = [one["name"] for one in told(Run(*streams).status)["streams"]]  # type: ignore[attr-defined, index]
    assert names == ["rtsp://…@gate/1", "rtsp://…@gate/1 (2)", "rtsp://…@gate/1 (3)"]


def point(history: History) -> dict[str, list[object]]:
    found: dict[str, list[object]] = json.loads(history.since(history.newest - 1)[0])
    return found


def test_points_tell_what_happened_since_the_one_before() -> None:
    run, history = Run(stream(ledger=ledger(100, {"stale": 5}))), History()
    assert history.add(run.status)
    assert point(history)["over_all"] == [25.0, 24.5, 20.0, 40.0, 60.0, {}, None, None]
    run.passes(0.5)
    assert not history.add(run.status), "one a second is enough"
    run.passes(1.5, batch_sizes={1: 12, 4: 5, 8: 2})
    run.change(0, ledger=ledger(140, {"stale": 9, "queue_full": 0}))
    assert history.add(run.status)
    assert point(history)["over_all"][5:] == [{"stale": 2.0}, 4.5, 8.0]
    assert point(history)["streams"] == [[25.0, 24.5, 20.0, 40.0, 60.0, {"stale": 2.0}]]


def test_five_minutes_are_kept_and_each_reader_gets_what_it_lacks() -> None:
    run, history = Run(), History()
    for _ in range(POINTS + 50):
        history.add(run.status)
        run.passes(1.0)
    assert len(history.since(0)) == POINTS
    assert len(history.since(history.newest - 3)) == 3
    assert history.since(history.newest) == []


def test_unknown_percentiles_and_streams_that_come_and_go() -> None:
    run, history = Run(stream(latency={})), History()
    history.add(run.status)
    run.passes(1.0, streams=(stream(), stream("door", frames_per_second=None, labels_per_second=None)))
    assert history.add(run.status)
    assert [one[:2] for one in json.loads(history.since(1)[0])["streams"]] == [[25.0, 24.5], [None, None]]


def test_health() -> None:
    run = Run(stream(), stream("door", StreamState.WAITING))
    assert health(run.status).as_dict() == {
        "status": "ok",
        "why": "1 of 2 streams live",
        "uptime": 100.0,
        "streams": {"live": 1, "waiting": 1},
    }
    run.change(0, state=StreamState.STALLED)
    assert health(run.status).why == "no stream is live: 1 stalled, 1 waiting"
    assert not health(run.status).ok
    young = health(replace(run.status, uptime=10.0))
    assert (young.ok, young.why) == (True, "no stream is live yet, 20 s are left for the first")
    assert health(replace(run.status, streams=())).why == "no stream is live: there is none"
