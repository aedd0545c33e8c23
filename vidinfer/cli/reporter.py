"""Who tells the user, on standard error, how a run gets on: in plain lines, with a bar, or as JSON."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Protocol

from vidinfer.cli.say import say, say_at_once, say_raw
from vidinfer.cli.summary import light_line, run_line, source_line
from vidinfer.cli.text import printable
from vidinfer.clock import Clock
from vidinfer.config import RunConfig
from vidinfer.frame import SourceInfo
from vidinfer.progress import Observer
from vidinfer.report import RunReport, SourceReport
from vidinfer.status import ArchiveStatus, LiveStatus, StreamState

if TYPE_CHECKING:
    from tqdm import tqdm

__all__ = ["BarReporter", "JsonReporter", "LineReporter", "Reporter", "expected_frames"]


STATUS_EVERY = 5.0
"""Seconds."""
_BAR = "{desc}  {percentage:3.0f}% {bar:30} {n_fmt}/{total_fmt} frames  {rate_noinv_fmt}  {remaining} left"
_BAR_WITHOUT_END = "{desc}  {n_fmt} frames  {rate_noinv_fmt}  {elapsed}"


class Reporter(Observer, Protocol):
    """An observer that also sees the run's beginning and end."""

    started: bool
    """A source has been begun, so that there is something to end properly."""
    signalled: bool
    """A signal asked for an end. An early end without one means that nobody reads standard output any more."""

    def loading(self, model: str) -> None:
        """The model is being loaded."""
        ...

    def stopping(self, text: str) -> None:
        """A signal asked for an end. Called inside the signal's handler: must not use buffered output."""
        ...

    def finished(self, report: RunReport) -> None:
        """The run is over."""
        ...

    def close(self) -> None:
        """Leave the terminal clean. Idempotent."""
        ...


class LineReporter:
    """Closing lines and warnings only: for pipes and logs."""

    def __init__(self, config: RunConfig) -> None:
        self._quiet = config.quiet
        self._verbose = config.verbose
        self.started = self.signalled = False

    def loading(self, model: str) -> None:
        """Nothing."""

    def source_started(self, info: SourceInfo, index: int, total: int) -> None:
        """With ``-v``: what is known of the source."""
        self.started = True
        if self._verbose:
            rate = f", {float(info.rate):.3f} frames/s claimed" if info.rate else ""
            frames = f", {info.frames_claimed} frames claimed" if info.frames_claimed else ""
            self._say(f"{info.name}: source {index + 1} of {total}, {info.width}x{info.height}{rate}{frames}")

    def advanced(self, frames: int) -> None:
        """Nothing."""

    def source_finished(self, report: SourceReport) -> None:
        """The closing line."""
        reader_gone = report.status == "interrupted" and not self.signalled
        if report.status == "failed" or not (self._quiet or reader_gone):
            self._say(source_line(report))
            if light := light_line(report):
                self._say(light)

    def warning(self, text: str) -> None:
        """One line."""
        if not self._quiet:
            self._say(f"warning: {text}")

    def stopping(self, text: str) -> None:
        """One line, straight to the system."""
        say_at_once(f"\nvidinfer: {text}\n")

    def finished(self, report: RunReport) -> None:
        """The sum, where there is one."""
        if len(report.sources) > 1 and not self._quiet:
            self._say(run_line(report))

    def close(self) -> None:
        """Nothing."""

    def _say(self, text: str) -> None:
        say(text)


class BarReporter(LineReporter):
    """Also a bar with rate and time left: for terminals."""

    def __init__(self, config: RunConfig) -> None:
        super().__init__(config)
        self._config = config
        self._bar: tqdm[Any] | None = None
        self._loading = False

    def loading(self, model: str) -> None:
        """A line that the next one replaces."""
        say_raw(f"\rvidinfer: loading {printable(model)} …")
        self._loading = True

    def source_started(self, info: SourceInfo, index: int, total: int) -> None:
        """Show the bar."""
        self._clear_loading()
        super().source_started(info, index, total)
        number = f"[{index + 1}/{total}] " if total > 1 else ""
        self._bar = _bar(number + printable(info.name), expected_frames(info, self._config))

    def advanced(self, frames: int) -> None:
        """Move the bar. On the writing thread; tqdm locks."""
        if self._bar is not None:
            self._bar.update(frames)

    def source_finished(self, report: SourceReport) -> None:
        """The closing line in place of the bar."""
        self.close()
        super().source_finished(report)

    def close(self) -> None:
        """Take the bar away."""
        self._clear_loading()
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def _clear_loading(self) -> None:
        if self._loading:
            say_raw("\r\x1b[K")
            self._loading = False

    def _say(self, text: str) -> None:
        self._clear_loading()
        if self._bar is None:
            super()._say(text)
        else:
            self._bar.write(f"vidinfer: {printable(text)}", file=sys.stderr)


class JsonReporter:
    """Every event as one JSON object on one line: for programs."""

    def __init__(self, clock: Clock) -> None:
        self.started = self.signalled = False
        self._clock = clock
        self._source = ""
        self._frames = 0
        self._told_at = 0.0
        self._states: list[StreamState] = []
        self._warned = 0

    def loading(self, model: str) -> None:
        """``loading``."""
        self._tell("loading", model=model)

    def source_started(self, info: SourceInfo, index: int, total: int) -> None:
        """``source_started``."""
        self.started = True
        self._source, self._frames, self._told_at = info.name, 0, self._clock.now()
        self._tell(
            "source_started",
            source=info.name,
            index=index,
            total=total,
            width=info.width,
            height=info.height,
            frames_claimed=info.frames_claimed,
        )

    def live_started(self, streams: Sequence[str], url: str | None) -> None:
        """``live_started``."""
        self.started = True
        self._tell("live_started", streams=list(streams), preview=url)

    def status(self, status: LiveStatus) -> None:
        """``status``, every five seconds, and when a stream changes its state; ``warning``, when it begins."""
        for text in status.warned_since(self._warned):
            self.warning(text)
        self._warned = status.warned_total
        states = [stream.state for stream in status.streams]
        if states == self._states and status.uptime - self._told_at < STATUS_EVERY:
            return
        self._states, self._told_at = states, status.uptime
        streams = [
            {
                "source": stream.name,
                "state": stream.state.value,
                "epoch": stream.epoch,
                "frames": stream.ledger.as_dict(),
                "latency_ms": {stage: p.as_dict() for stage, p in stream.latency.items()},
                "error": stream.error or None,
                "flags": list(stream.flags),
            }
            for stream in status.streams
        ]
        self._tell(
            "status", uptime=round(status.uptime, 1), streams=streams, memory_bytes=status.memory_bytes
        )

    def planned(self, sources: int, units: int, todo: int) -> None:
        """``planned``."""
        self.started = True
        self._tell("planned", sources=sources, units=units, todo=todo)

    def archive(self, status: ArchiveStatus) -> None:
        """``archive``, every five seconds."""
        if status.seconds - self._told_at >= STATUS_EVERY:
            self._told_at = status.seconds
            self._tell("archive", **status.as_dict())

    def advanced(self, frames: int) -> None:
        """``progress``, at most once a second."""
        self._frames += frames
        if (now := self._clock.now()) - self._told_at >= 1:
            self._told_at = now
            self._tell("progress", source=self._source, frames=self._frames)

    def source_finished(self, report: SourceReport) -> None:
        """``source_finished``."""
        self._tell(
            "source_finished",
            source=report.source,
            status=report.status,
            error=report.error,
            frames=None if report.ledger is None else report.ledger.as_dict(),
            seconds=round(report.seconds, 3),
            outputs=[str(path) for path in report.outputs],
            warnings=list(report.warnings),
        )

    def warning(self, text: str) -> None:
        """``warning``."""
        self._tell("warning", text=text)

    def stopping(self, text: str) -> None:
        """``stopping``, straight to the system."""
        say_at_once(json.dumps({"event": "stopping", "text": text}) + "\n")

    def finished(self, report: RunReport) -> None:
        """``run_finished``."""
        self._tell("run_finished", exit_status=report.exit_status, seconds=round(report.seconds, 3))

    def close(self) -> None:
        """Nothing."""

    def _tell(self, event: str, **facts: object) -> None:
        say_raw(json.dumps({"event": event, **facts}) + "\n")


def expected_frames(info: SourceInfo, config: RunConfig) -> int | None:
    """Frames that will be written, guessed from what the container claims; ``None`` where that is no guide."""
    if config.keyframes:
        return config.max_frames
    frames: Fraction | None = None if info.frames_claimed is None else Fraction(info.frames_claimed)
    if frames is None and info.duration is not None and info.rate is not None:
        frames = Fraction(info.duration) * info.rate
    begin, end = config.start or Fraction(0), config.end
    if config.duration is not None:
        end = min(filter(None, (end, begin + config.duration)))
    if frames is not None and info.rate and (begin or end is not None):
        last = frames if end is None else min(frames, end * info.rate)
        frames = max(Fraction(0), last - begin * info.rate)
    if frames is not None:
        if config.fps is not None and info.rate:
            frames *= min(Fraction(1), config.fps / info.rate)
        frames /= config.every
    if config.max_frames is not None:
        frames = Fraction(config.max_frames) if frames is None else min(frames, Fraction(config.max_frames))
    return None if frames is None else max(1, round(frames))


def _bar(name: str, total: int | None) -> tqdm[Any]:
    from threading import RLock

    from tqdm import tqdm

    tqdm.monitor_interval = 0  # no thread that redraws a bar which stands still
    tqdm.set_lock(RLock())  # the default lock is one between processes
    return tqdm(
        total=total,
        desc=name,
        unit=" frames",
        file=sys.stderr,
        leave=False,
        dynamic_ncols=True,
        smoothing=0.1,
        bar_format=_BAR_WITHOUT_END if total is None else _BAR,
    )
