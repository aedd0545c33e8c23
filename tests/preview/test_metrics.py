"""What Prometheus reads, by its own parsers."""

from __future__ import annotations

from dataclasses import replace

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from tests.preview.made import SECRET, Run, ledger, stream
from vidinfer.arrival import Shed
from vidinfer.preview.metrics import exposition
from vidinfer.status import LiveStatus, OutletStatus, StreamState

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def samples(status: LiveStatus) -> Samples:
    body, kind = exposition(status, "", viewers=2)
    assert kind.startswith("text/plain")
    found: Samples = {}
    for family in parse_text(body.decode()):
        assert family.documentation, f"{family.name} has no help"
        for sample in family.samples:
            key = (sample.name, frozenset(sample.labels.items()))
            assert key not in found, f"twice: {key}"
            found[key] = sample.value
    return found


def value(found: Samples, name: str, **labels: str) -> float | None:
    return found.get((f"vidinfer_{name}", frozenset(labels.items())))


def test_a_scrape() -> None:
    busy = stream(
        "gate",
        ledger=ledger(900, {"stale": 7}, corrupt=2, failed=1, gaps=3, packets_lost=40),
        reconnects=4,
        shed=Shed.NON_REFERENCE,
        flags=("frozen",),
        outlets=(OutletStatus("labels", 900, 5, 2, "disk full"),),
    )
    found = samples(Run(busy, stream("door", StreamState.WAITING, retry_in=2.5)).status)
    assert value(found, "frames_total", stream="gate", outcome="dropped", reason="stale") == 7
    assert value(found, "frames_total", stream="gate", outcome="dropped", reason="queue_full") == 0
    assert value(found, "frames_total", stream="gate", outcome="labelled", reason="") == 900
    assert value(found, "frames_total", stream="gate", outcome="corrupt", reason="") == 2
    all_outcomes = [
        v
        for (name, labels), v in found.items()
        if name == "vidinfer_frames_total" and ("stream", "gate") in labels
    ]
    assert sum(all_outcomes) == value(found, "frames_decoded_total", stream="gate") == 910
    assert value(found, "labels_total", stream="gate") == 900
    assert value(found, "reconnects_total", stream="gate") == 4
    assert value(found, "warnings_total") == 1
    assert value(found, "stream_state", stream="door", state="waiting") == 1
    assert value(found, "stream_state", stream="door", state="live") == 0
    assert value(found, "stream_retry_seconds", stream="door") == 2.5
    assert value(found, "stream_retry_seconds", stream="gate") is None
    assert value(found, "stream_latency_seconds", stream="gate", stage="inference", quantile="0.95") == 0.04
    assert value(found, "latency_seconds", stage="total", quantile="1") == 0.08
    assert value(found, "latency_slo_seconds") == 0.1
    assert value(found, "labels_over_slo_total") == 3
    assert value(found, "batches_total", size="4") == 5
    assert value(found, "batches_closed_total", reason="deadline") == 3
    assert value(found, "service_fixed_seconds") == 0.00825
    assert value(found, "stream_shed", stream="gate") == 1
    assert value(found, "stream_flag", stream="gate", flag="frozen") == 1
    assert value(found, "outlet_dropped_total", stream="gate", outlet="labels") == 5
    assert value(found, "outlet_failed", stream="gate", outlet="labels") == 1
    assert value(found, "resident_memory_bytes") == 512_000_000
    assert value(found, "preview_viewers") == 2


def test_names_follow_the_rules_of_prometheus() -> None:
    body, _ = exposition(Run().status, "", viewers=0)
    for family in parse_text(body.decode()):
        for sample in family.samples:
            assert (family.type == "counter") == sample.name.endswith("_total"), sample.name
            assert "_ms" not in sample.name


def test_before_anything_is_known_nothing_is_made_up() -> None:
    bare = stream(size=None, codec="", frames_per_second=None, labels_per_second=None, latency={}, outlets=())
    status = replace(
        Run(bare).status, model=None, service=None, latency={}, latency_slo=None, batch_sizes={}, closed_by={}
    )
    found = samples(status)
    assert value(found, "stream_frames_per_second", stream="gate") is None
    assert value(found, "latency_slo_seconds") is None
    assert not [
        name for name, _ in found if name in ("vidinfer_model_info", "vidinfer_service_fixed_seconds")
    ]


def test_strange_names_survive_and_equal_ones_stay_apart() -> None:
    odd = 'a "quoted" \\ name\nof two lines'
    found = samples(Run(stream(odd), stream("gate"), stream("gate")).status)
    assert value(found, "labels_total", stream=odd) == 1000
    assert value(found, "labels_total", stream="gate (2)") == 1000


def test_openmetrics_for_who_asks() -> None:
    body, kind = exposition(Run().status, "application/openmetrics-text; version=1.0.0", viewers=0)
    assert kind.startswith("application/openmetrics-text")
    assert {family.name for family in parse_openmetrics(body.decode())} >= {
        "vidinfer_frames",
        "vidinfer_stream_state",
    }


@pytest.mark.parametrize("accept", ["", "application/openmetrics-text; version=1.0.0"])
def test_no_password(accept: str) -> None:
    address = f"rtsp://admin:{SECRET}@gate"
    run = Run(
        stream(address, address=address, error=address, outlets=(OutletStatus(address, 1, 0, 0, address),))
    )
    assert SECRET.encode() not in exposition(run.status, accept, viewers=0)[0]
