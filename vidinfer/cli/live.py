"""How a live run gets on, for people: a table that is drawn again and again, or lines where something changes."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Sequence

from vidinfer.cli.reporter import LineReporter
from vidinfer.cli.say import say, say_raw
from vidinfer.cli.text import count, duration, printable, table
from vidinfer.config import RunConfig
from vidinfer.latency import Percentiles
from vidinfer.live.warned import found_in
from vidinfer.report import SourceReport
from vidinfer.status import LiveStatus, StreamState, StreamStatus

__all__ = ["LiveLines", "LiveTable", "live_line", "live_table"]

SUMMARY = 60.0
"""Seconds from one summary to the next, in lines."""


class LiveLines(LineReporter):
    """A line when a stream comes or goes, and a summary each minute: for logs."""

    def __init__(self, config: RunConfig) -> None:
        super().__init__(config)
        self._states: dict[str, tuple[object, ...]] = {}
        """As told last."""
        self._flags: dict[str, tuple[str, ...]] = {}
        self._warned: set[str] = set()
        """Those of the whole run are in the report of every stream as well."""
        self._known = 0
        """How many warnings there were when it looked last."""
        self._told_at = 0.0

    def live_started(self, streams: Sequence[str], url: str | None) -> None:
        """What is being labelled, and where to look."""
        self.started = True
        if not self._quiet:
            self._say(f"{count(len(streams), 'stream')}: {', '.join(streams)}")
            if url is not None:
                self._say(f"preview at {url}")

    def status(self, status: LiveStatus) -> None:
        """What has changed."""
        if self._quiet:
            return
        for text in status.warned_since(self._known):
            self._warned.add(text)
            self.warning(text)
        self._known = status.warned_total
        for stream in status.streams:
            if stream.state is not StreamState.CONNECTING and self._states.get(stream.name) != _news(stream):
                self._states[stream.name] = _news(stream)
                self._say(f"{stream.name}: {_state(stream)}")
            if self._flags.get(stream.name, ()) != stream.flags and stream.flags:
                self._say(f"{stream.name}: {', '.join(stream.flags)}")
            self._flags[stream.name] = stream.flags
        if status.uptime - self._told_at >= SUMMARY:
            self._told_at = status.uptime
            for stream in status.streams:
                self._say(f"{stream.name}: {_summary(stream)}")

    def source_finished(self, report: SourceReport) -> None:
        """The closing line, with the latencies of the whole run."""
        if report.status == "failed" or not self._quiet:
            self._say(live_line(report))
            for text in report.warnings:
                self._warn(text)

    def _warn(self, text: str) -> None:
        """Once."""
        if text not in self._warned:
            self._warned.add(text)
            self.warning(text)


class LiveTable(LiveLines):
    """The table in place of the lines: for terminals."""

    def __init__(self, config: RunConfig) -> None:
        super().__init__(config)
        self._lines = 0

    def loading(self, model: str) -> None:
        """A line that the table replaces."""
        say(f"loading {printable(model)} …")

    def status(self, status: LiveStatus) -> None:
        """Draw it anew over the one before."""
        columns, rows = shutil.get_terminal_size()
        self._warned.update(status.warnings)
        told = [printable(line) for line in live_table(status, columns - 1)]
        lines = [line[: columns - 1] for line in told[: max(1, rows - 1)]]
        back = f"\x1b[{self._lines}F" if self._lines else ""
        say_raw(back + "".join(f"{line}\x1b[K\n" for line in lines) + "\x1b[J")
        self._lines = len(lines)

    def close(self) -> None:
        """The last table stays."""
        self._lines = 0


def live_table(status: LiveStatus, width: int = 120) -> list[str]:
    """The lines of the table, with what a person should know of the run above it and of streams below, broken at
    ``width``.
    """
    rows = [
        ["stream", "state", "picture", "in/s", "labels/s", "p50", "p95", "p99", "max ms", "epoch", "left out"]
    ]
    for stream in status.streams:
        size = "" if stream.size is None else f"{stream.size[0]}x{stream.size[1]} {stream.codec}"
        total = stream.latency.get("total")
        rows.append(
            [
                stream.name,
                _short(stream),
                size,
                _rate(stream.frames_per_second),
                _rate(stream.labels_per_second),
                *_milliseconds(total),
                str(stream.epoch),
                _dropped(stream),
            ]
        )
    warnings = [f"warning: {text}" for text in (*status.warnings, *found_in(status.streams))]
    notes = [f"{stream.name}: {text}" for stream in status.streams if (text := _note(stream))]
    told, below = ([line for text in texts for line in _wrapped(text, width)] for texts in (warnings, notes))
    return [
        _headline(status),
        *told,
        *table(rows, right=frozenset({3, 4, 5, 6, 7, 8, 9})).split("\n"),
        *below,
    ]


def _wrapped(text: str, width: int) -> list[str]:
    return textwrap.wrap(text, max(20, width))


def _note(stream: StreamStatus) -> str:
    """What a person should know of it beyond its row."""
    if stream.state is StreamState.WAITING and stream.error:
        return stream.error
    return ", ".join(stream.flags)


def live_line(report: SourceReport) -> str:
    """How one stream went, in one line."""
    parts = []
    if report.status not in ("complete", "interrupted"):
        parts.append(": ".join(filter(None, (report.status, report.error))))
    if report.ledger is not None:
        frames = report.ledger
        parts.append(
            f"{count(frames.decoded, 'frame')} in {duration(report.seconds)}, {frames.labelled} labelled"
        )
        left_out = {**frames.dropped, **{k: n for k, n in frames.skipped.items() if n}}
        left_out |= {k: n for k, n in {"corrupt": frames.corrupt, "failed": frames.failed}.items() if n}
        if left_out:
            parts.append(", ".join(f"{n} {reason.replace('_', ' ')}" for reason, n in left_out.items()))
        if frames.gaps:
            parts.append(f"{count(frames.gaps, 'gap')} ({count(frames.packets_lost, 'packet')} lost)")
    latency = report.details.get("latency_ms")
    total = latency.get("total") if isinstance(latency, dict) else None
    if isinstance(total, dict) and total.get("p50") is not None:
        told = [
            f"{name} {total[name]:.1f}"
            for name in ("p50", "p95", "p99", "max")
            if total.get(name) is not None
        ]
        parts.append(f"latency {', '.join(told)} ms")
    return f"{report.source}: {'; '.join(parts)}"


def _headline(status: LiveStatus) -> str:
    parts = [f"vidinfer: {duration(status.uptime)}"]
    if status.model is not None:
        model = status.model
        parts.append(f"{model.name} ({model.backend} {model.precision} on {model.device})")
    batches = sum(status.batch_sizes.values())
    if batches:
        mean = sum(n * k for n, k in status.batch_sizes.items()) / batches
        parts.append(f"{mean:.2f} frames a batch")
    if status.service is not None:
        a, b = status.service  # b of a line through noise may be below 0
        parts.append(f"l(n) = {a:.1f}·n {'-' if b < 0 else '+'} {abs(b):.1f} ms")
    if status.latency_slo is not None:
        parts.append(f"{status.over_slo} over {1000 * status.latency_slo:g} ms")
    parts.append(f"{status.memory_bytes / 2**20:.0f} MiB")
    return ", ".join(parts)


def _news(stream: StreamStatus) -> tuple[object, ...]:
    """What must differ for a line: a camera that is away for days is no news at each attempt."""
    if stream.state is StreamState.WAITING:
        return stream.state, stream.error
    return stream.state, stream.epoch


def _state(stream: StreamStatus) -> str:
    if stream.state is StreamState.LIVE:
        size = "" if stream.size is None else f", {stream.size[0]}x{stream.size[1]} {stream.codec}".rstrip()
        return f"live (epoch {stream.epoch}{size})"
    if stream.state is StreamState.WAITING:
        again = "" if stream.retry_in is None else f"; again in {stream.retry_in:.1f} s"
        return f"lost: {stream.error}{again}" if stream.epoch else f"not there: {stream.error}{again}"
    return stream.state.value


def _short(stream: StreamStatus) -> str:
    if stream.state is StreamState.WAITING and stream.retry_in is not None:
        return f"waiting {stream.retry_in:.0f} s"
    return stream.state.value


def _summary(stream: StreamStatus) -> str:
    total = stream.latency.get("total")
    told = ", ".join(
        f"{name} {value}"
        for name, value in zip(("p50", "p95", "p99", "max"), _milliseconds(total), strict=True)
        if value
    )
    latency = f"; latency {told} ms" if told else ""
    rates = f"{_rate(stream.frames_per_second) or '0'} frames/s, {_rate(stream.labels_per_second) or '0'} labelled"
    left_out = f"; left out: {_dropped(stream)}" if _dropped(stream) else ""
    return f"{_short(stream)}, {rates}{latency}{left_out}"


def _rate(value: float | None) -> str:
    return "" if value is None else f"{value:.1f}"


def _milliseconds(total: Percentiles | None) -> list[str]:
    if total is None:
        return [""] * 4
    return ["" if value is None else f"{value:.1f}" for value in (total.p50, total.p95, total.p99, total.max)]


def _dropped(stream: StreamStatus) -> str:
    return ", ".join(f"{n} {reason.replace('_', ' ')}" for reason, n in stream.ledger.dropped.items() if n)
