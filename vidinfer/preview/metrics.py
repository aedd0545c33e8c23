"""A live run for Prometheus: one status, read once per scrape."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from vidinfer.address import shown
from vidinfer.latency import Percentiles
from vidinfer.preview.told import names_apart
from vidinfer.status import LiveStatus, StreamState, StreamStatus

__all__ = ["exposition"]

Figure = tuple[Sequence[str], float | None]
"""Values of the labels, and the value; ``None``: there is none now."""

_QUANTILES = {"0.5": "p50", "0.95": "p95", "0.99": "p99", "1": "max"}


def exposition(status: LiveStatus, accept: str, viewers: int) -> tuple[bytes, str]:
    """The text of a scrape and its content type, in the format that ``accept`` prefers."""
    registry = CollectorRegistry()
    registry.register(_Collected(lambda: [*_run(status, viewers), *_streams(status)]))
    encode, content_type = choose_encoder(accept)
    return encode(registry), content_type


class _Collected(Collector):
    def __init__(self, collect: Callable[[], list[Metric]]) -> None:
        self._collect = collect

    def collect(self) -> Iterator[Metric]:
        yield from self._collect()


def _counter(name: str, words: str, labels: Sequence[str], figures: Sequence[Figure]) -> Metric:
    family = CounterMetricFamily(f"vidinfer_{name}", words, labels=labels)
    for values, value in figures:
        if value is not None:
            family.add_metric(values, value)
    return family


def _gauge(name: str, words: str, labels: Sequence[str], figures: Sequence[Figure]) -> Metric:
    family = GaugeMetricFamily(f"vidinfer_{name}", words, labels=labels)
    for values, value in figures:
        if value is not None:
            family.add_metric(values, value)
    return family


def _run(status: LiveStatus, viewers: int) -> Iterator[Metric]:
    model, service = status.model, status.service
    yield _gauge("uptime_seconds", "Time since the run began.", (), [((), status.uptime)])
    yield _gauge("resident_memory_bytes", "Memory of the process.", (), [((), status.memory_bytes)])
    yield _gauge("preview_viewers", "Viewers of the preview page.", (), [((), viewers)])
    if model is not None:
        labels = ("model", "task", "device", "backend", "precision")
        values = (shown(model.name), model.task, model.device, model.backend, model.precision)
        yield _gauge("model_info", "The loaded model; always 1.", labels, [(values, 1)])
    yield _latency(
        "latency_seconds", "From arrival to label, all streams, last minute.", (), [((), status.latency)]
    )
    yield _gauge("latency_slo_seconds", "The budget from arrival to label.", (), [((), status.latency_slo)])
    yield _counter("labels_over_slo", "Labels that came later than the budget.", (), [((), status.over_slo)])
    words = "What a person should know: budget, outputs, model; the page tells the newest."
    yield _counter("warnings", words, (), [((), status.warned_total)])
    sizes = [((str(size),), n) for size, n in sorted(status.batch_sizes.items())]
    yield _counter("batches", "Batches by their size.", ("size",), sizes)
    closed = [((reason,), n) for reason, n in sorted(status.closed_by.items())]
    yield _counter("batches_closed", "Batches by what closed them.", ("reason",), closed)
    if service is not None:
        words = "of the measured time of a batch of n frames, a * n + b."
        yield _gauge("service_marginal_seconds", f"a, per frame, {words}", (), [((), service[0] / 1000)])
        yield _gauge("service_fixed_seconds", f"b, per batch, {words}", (), [((), service[1] / 1000)])


def _streams(status: LiveStatus) -> Iterator[Metric]:
    named = list(zip(names_apart(status.streams), status.streams, strict=True))
    yield from _connections(named)
    yield from _frames(named)
    yield from _outlets(named)


Named = list[tuple[str, StreamStatus]]


def _connections(named: Named) -> Iterator[Metric]:
    one = ("stream",)
    states = [((name, state.value), float(s.state is state)) for name, s in named for state in StreamState]
    yield _gauge("stream_state", "1 for the state that a stream is in.", ("stream", "state"), states)
    since = [((name,), s.seconds_in_state) for name, s in named]
    yield _gauge("stream_state_seconds", "How long it has been in its state.", one, since)
    retry = [((name,), s.retry_in) for name, s in named]
    yield _gauge("stream_retry_seconds", "Until the next attempt to connect.", one, retry)
    lost = [((name,), s.reconnects) for name, s in named]
    yield _counter("reconnects", "Connections that were made again.", one, lost)
    labels = ("stream", "address", "codec", "width", "height")
    facts = [((n, shown(s.address), s.codec, *map(str, s.size or ("", ""))), 1.0) for n, s in named]
    yield _gauge("stream_info", "Facts of a stream; always 1.", labels, facts)
    flags = [((name, shown(flag)), 1.0) for name, s in named for flag in dict.fromkeys(s.flags)]
    yield _gauge("stream_flag", "1 for what a person should look at.", ("stream", "flag"), flags)
    shed = [((name,), float(s.shed)) for name, s in named]
    words = "What is left out before decoding: 0 nothing, 1 frames no other needs, 2 all but keyframes."
    yield _gauge("stream_shed", words, one, shed)


def _frames(named: Named) -> Iterator[Metric]:
    one = ("stream",)
    decoded = [((name,), s.ledger.decoded) for name, s in named]
    yield _counter("frames_decoded", "Frames that came out of the decoder.", one, decoded)
    outcomes = [figure for name, s in named for figure in _outcomes(name, s)]
    words = "Frames by what became of them; of all reasons together they are the decoded ones, less those on their way."
    yield _counter("frames", words, ("stream", "outcome", "reason"), outcomes)
    labels = [((name,), s.ledger.labelled) for name, s in named]
    yield _counter("labels", "Frames that were labelled.", one, labels)
    gaps = [((name,), s.ledger.gaps) for name, s in named]
    yield _counter("gaps", "Stretches that could not be decoded.", one, gaps)
    packets = [((name,), s.ledger.packets_lost) for name, s in named]
    yield _counter("packets_lost", "Compressed packets lost in them.", one, packets)
    arriving = [((name,), s.frames_per_second) for name, s in named]
    yield _gauge("stream_frames_per_second", "Frames that arrive, over the last 64.", one, arriving)
    labelling = [((name,), s.labels_per_second) for name, s in named]
    yield _gauge("stream_labels_per_second", "Frames that are labelled.", one, labelling)
    words = "From arrival to label (total) and in each stage, last minute; quantile 1 is the largest."
    yield _latency("stream_latency_seconds", words, one, [((name,), s.latency) for name, s in named])


def _outlets(named: Named) -> Iterator[Metric]:
    two = ("stream", "outlet")
    found = {(name, shown(outlet.name)): outlet for name, s in named for outlet in s.outlets}
    written = [(labels, outlet.written) for labels, outlet in found.items()]
    yield _counter("outlet_written", "Entries that an output wrote.", two, written)
    dropped = [(labels, outlet.dropped) for labels, outlet in found.items()]
    yield _counter("outlet_dropped", "Entries that an output could not keep up with.", two, dropped)
    waiting = [(labels, outlet.waiting) for labels, outlet in found.items()]
    yield _gauge("outlet_waiting", "Entries that wait for an output.", two, waiting)
    failed = [(labels, float(bool(outlet.error))) for labels, outlet in found.items()]
    yield _gauge("outlet_failed", "1 where an output says that something is wrong.", two, failed)


def _outcomes(name: str, stream: StreamStatus) -> Iterator[Figure]:
    ledger = stream.ledger
    for outcome, n in (("labelled", ledger.labelled), ("corrupt", ledger.corrupt), ("failed", ledger.failed)):
        yield (name, outcome, ""), n
    for outcome, reasons in (
        ("skipped", ledger.skipped),
        ("dropped", {"stale": 0, "queue_full": 0} | ledger.dropped),
    ):
        for reason, n in sorted(reasons.items()):
            yield (name, outcome, reason), n


def _latency(
    name: str,
    words: str,
    labels: Sequence[str],
    of: Sequence[tuple[Sequence[str], Mapping[str, Percentiles]]],
) -> Metric:
    """A gauge of quantiles by stage; those that are not known are left out."""
    figures: list[Figure] = []
    for values, stages in of:
        for stage, percentiles in stages.items():
            for quantile, field in _QUANTILES.items():
                ms: float | None = getattr(percentiles, field)
                figures.append(((*values, stage, quantile), None if ms is None else ms / 1000))
    return _gauge(name, words, (*labels, "stage", "quantile"), figures)
