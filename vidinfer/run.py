"""A whole run: every source from opening to ``run.json``; what fails is told, and the rest goes on."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from vidinfer.alone import effect_of_fast
from vidinfer.build import feeding, make_pipeline, make_sinks, nvdec_device, sampled, stages_alone, tuned_for
from vidinfer.clock import Clock, MonotonicClock, utc_now
from vidinfer.config import RunConfig
from vidinfer.describe import describe_model, describe_pipeline, describe_sinks, describe_source, versions
from vidinfer.errors import BackendUnavailable, SourceError, VidinferError
from vidinfer.light import Alone
from vidinfer.ondemand import ModelOnDemand
from vidinfer.outputs import OutputNames, check_free, check_writable, name_outputs
from vidinfer.parity import Agreement
from vidinfer.pipeline import Pipeline
from vidinfer.plan import ThreadPlan, thread_plan
from vidinfer.progress import InterruptibleClock, Observer, StopSignal
from vidinfer.record import LABELS_FORMAT
from vidinfer.report import RunReport, SourceReport, Status
from vidinfer.sink import is_finished, withdraw_report, write_report
from vidinfer.source import SourceFile, expand_sources, open_source
from vidinfer.stages import RATE_WHEN_CHOSEN, Model, Sink, Source
from vidinfer.stats import LedgerSnapshot
from vidinfer.tuned import Tuned

__all__ = ["run"]

LONG = 4.0
"""Seconds that a source takes from which on what the machine can do is measured behind it."""
MEASURING, LEAST, MOST = 0.05, 0.8, 2.0
"""Such a part of those seconds goes into it, but at least and at most so many."""


def run(config: RunConfig, *, observer: Observer, stop: StopSignal, command: Sequence[str] = ()) -> RunReport:
    """Label every source of the configuration and write what it asks for.

    One source that fails does not stop the rest; what failed is in the report.

    Args:
        command: the command line, for ``run.json``.

    Raises:
        UsageError: options that make no sense, outputs that exist.
        ModelUnavailable: no model, or no weights.
        SourceError: one source was given and it cannot be used.
        SinkError: the output folder cannot be written.
    """
    clock = MonotonicClock()
    started = clock.now()
    config.require_offline()
    expanded = expand_sources(config.sources)
    found, failures = expanded.files, expanded.errors
    if not found and len(failures) == 1:
        raise failures[0][1]
    formats = config.label_files
    names = name_outputs(
        [str(source.name) for source in found],
        config.out,
        formats,
        video=config.video,
        class_maps=config.class_maps,
        flow=config.flow_files is not None,
    )
    if not (config.overwrite or config.resume):
        check_free(names)
    if any(one.all for one in names):
        check_writable(config.out)
    reports = [_failed(spec, error, observer) for spec, error in failures]
    todo = []
    for source, one in zip(found, names, strict=True):
        if config.resume and _is_done(one):
            reports.append(_kept(source, observer))
        else:
            todo.append((source, one))
    if todo:
        plan = thread_plan()
        with ModelOnDemand(config, plan) as model:
            job = _Job(config, model, plan, observer, stop, clock, tuple(command), len(todo))
            reports += job.label_all(todo)
    return RunReport(tuple(reports), clock.now() - started)


def _is_done(names: OutputNames) -> bool:
    """Every output is there, and the report vouches for them."""
    return names.report is not None and all(path.exists() for path in names.all) and is_finished(names.report)


def _failed(name: str, error: Exception, observer: Observer) -> SourceReport:
    report = SourceReport(name, "failed", error=_one_line(error))
    observer.source_finished(report)
    return report


def _kept(source: SourceFile, observer: Observer) -> SourceReport:
    report = SourceReport(str(source.name), "skipped", warnings=("outputs were complete already",))
    observer.source_finished(report)
    return report


def _one_line(error: BaseException) -> str:
    if isinstance(error, BaseExceptionGroup):
        return "; ".join(_one_line(e) for e in error.exceptions)
    text = " ".join(str(error).split())
    return text if isinstance(error, VidinferError) else f"{type(error).__name__}: {text}"


@dataclass(frozen=True, slots=True)
class _Job:
    """All that the sources of one run share."""

    config: RunConfig
    model: ModelOnDemand
    plan: ThreadPlan
    observer: Observer
    stop: StopSignal
    clock: Clock
    command: tuple[str, ...]
    total: int
    alone: dict[tuple[int, int], Alone] = field(default_factory=dict)
    """By size of the pictures: what each stage can do."""

    def label_all(self, todo: Sequence[tuple[SourceFile, OutputNames]]) -> list[SourceReport]:
        """One source after the other, until there is no more or a stop is asked for."""
        reports = []
        for index, (source, names) in enumerate(todo):
            if self.stop.requested:
                reports.append(SourceReport(str(source.name), "interrupted", error="not begun"))
            else:
                reports.append(self._label(index, source, names))
        return reports

    def _label(self, index: int, resolved: SourceFile, names: OutputNames) -> SourceReport:
        began = self.clock.now()
        try:
            source = self._open(resolved, self.plan.decoder)
        except SourceError as error:
            return _failed(str(resolved.name), error, self.observer)
        opening = self.clock.now() - began
        try:
            model = self.model.get()
            tuned = tuned_for(model, source.info)
            if tuned is not None and tuned.decoder_threads != self.plan.decoder:
                source.close()
                source = self._open(resolved, tuned.decoder_threads)
            self.model.settle(source, self.total - index)
            model = feeding(model, source)
            self._tell_where_decoded(source)
            effect = self._effect_of_fast(source, model)
            started, wall = (
                self.clock.now() - opening,
                utc_now(),
            )  # loading the model is no part of the source
            self.observer.source_started(source.info, index, self.total)
            sinks = make_sinks(self.config, names, self.plan, self.stop.request)
            attempt = _Attempt(self, source, model, sinks, names, _Measured(tuned, effect))
            attempt.run()
            report = attempt.report(started, wall, self._alone(attempt, source, model))
        except BackendUnavailable as error:
            if index == 0:
                raise  # so it will be with the others
            return _failed(str(resolved.name), error, self.observer)
        except SourceError as error:  # it was there a moment ago
            return _failed(str(resolved.name), error, self.observer)
        finally:
            source.close()
        self.observer.source_finished(report)
        return report

    def _open(self, resolved: SourceFile, threads: int) -> Source:
        fast, nvdec = self.config.decode == "fast", nvdec_device(self.config)
        return open_source(
            resolved.path,
            name=str(resolved.name),
            threads=threads,
            fast=fast,
            nvdec=nvdec,
            sampling=sampled(self.config),
        )

    def _alone(self, attempt: _Attempt, source: Source, model: Model) -> Alone | None:
        """What the machine can do with such a source, where this one was long enough for it to be worth while.

        Behind the run, not before: nobody waits for the first label, and what was measured is the machine of just now.
        """
        size, share = (source.info.width, source.info.height), MEASURING * attempt.seconds
        worth = attempt.seconds >= LONG if size not in self.alone else share >= LEAST
        if worth and attempt.ended_well and not attempt.passed:
            seconds, clock = min(MOST, max(LEAST, share)), InterruptibleClock(self.clock, self.stop)
            with suppress(VidinferError):  # the run went well: for this its report neither fails nor waits
                self.alone[size] = stages_alone(source, model, self.config, self.plan, clock, seconds)
        return self.alone.get(size)

    def _tell_where_decoded(self, source: Source) -> None:
        """Software that stands in for a GPU is never silent."""
        if self.config.decode != "nvdec":
            return
        found = source.facts().get("nvdec")
        if not isinstance(found, dict):
            found = {"used": False, "why": "with --video or --device cpu pictures are needed here"}
        if not found["used"]:
            name, why = source.info.name, found["why"]
            self.observer.warning(f"{name}: --decode nvdec: decoded in software, as {why}")

    def _effect_of_fast(self, source: Source, model: Model) -> Agreement | None:
        """What ``--decode fast`` does to labels, measured and told."""
        if self.config.decode != "fast":
            return None
        effect = effect_of_fast(source, model, threshold=self.config.score_threshold)
        if effect is not None:
            self.observer.warning(f"{source.info.name}: --decode fast against exact decoding: {effect}")
        return effect


@dataclass(frozen=True, slots=True)
class _Measured:
    """Before a source was run."""

    tuned: Tuned | None
    effect_of_fast: Agreement | None


class _Attempt:
    """One source through one pipeline into its sinks."""

    def __init__(
        self,
        job: _Job,
        source: Source,
        model: Model,
        sinks: Sequence[Sink],
        names: OutputNames,
        measured: _Measured,
    ) -> None:
        self._job = job
        self._source = source
        self._model = model
        self._sinks = sinks
        self._names = names
        self._measured = measured
        self._pipeline: Pipeline | None = None
        self._error: Exception | None = None
        self._outputs: tuple[Path, ...] = ()
        self._began = self._ended = job.clock.now()
        self._stopped = self._aborted = False

    @property
    def ended_well(self) -> bool:
        """Nothing failed, and nobody stopped it."""
        return self._error is None and not self._stopped

    @property
    def passed(self) -> int:
        """Frames that were not decoded: how fast decoding is says nothing of such a run."""
        return 0 if self._pipeline is None else self._pipeline.passed

    @property
    def seconds(self) -> float:
        """That the pipeline and its sinks took."""
        return self._ended - self._began

    def run(self) -> None:
        """Never raises: a failure is kept for the report, and the outputs are removed."""
        try:
            self._run()
        except Exception as error:  # whatever one source brings, the next one still runs
            self._error = error
        # A stop that comes later finds nothing of this source to stop.
        self._stopped, self._aborted = self._job.stop.requested, self._job.stop.aborted
        if self._error is not None or self._aborted:
            self._abandon()
        else:
            self._finish()
        self._ended = self._job.clock.now()

    def _run(self) -> None:
        job = self._job
        if self._names.report is not None:
            withdraw_report(self._names.report)
        self._pipeline = make_pipeline(
            self._source,
            self._model,
            job.config,
            keep_pictures=any(sink.needs_pictures for sink in self._sinks),
            clock=job.clock,
        )
        for sink in self._sinks:
            sink.open(self._source.info, self._model.info)
        with job.stop.watched(self._pipeline.stop, self._pipeline.abort):
            self._pipeline.run(self._sinks, job.observer.advanced)

    def _abandon(self) -> None:
        for sink in self._sinks:
            sink.abort()

    def _finish(self) -> None:
        """Give every output its final name; one that cannot be finished does not take the others with it."""
        for sink in self._sinks:
            try:
                sink.close()
                self._outputs += sink.paths
            except Exception as error:
                self._error = error
                sink.abort()

    def report(self, started: float, wall: str, alone: Alone | None) -> SourceReport:
        """The report, also written to ``run.json`` if the outputs are there."""
        job, seconds = self._job, self._ended - started
        ledger = self._settled()
        status = self._status(ledger)
        written = self._error is None and not self._aborted
        warnings = tuple(text for sink in self._sinks for text in _warnings(sink))
        report = SourceReport(
            self._source.info.name,
            status,
            error=None if self._error is None else _one_line(self._error),
            ledger=ledger,
            seconds=seconds,
            outputs=self._outputs,
            warnings=warnings,
            details=self._details(started, seconds, wall, alone),
        )
        for text in warnings:
            job.observer.warning(f"{report.source}: {text}")
        if written and self._names.report is not None:
            return self._write(report, self._names.report)
        return report

    def _settled(self) -> LedgerSnapshot | None:
        if self._pipeline is None:
            return None
        self._pipeline.ledger.settle("interrupted" if self._stopped else "given_up")
        return self._pipeline.ledger.snapshot()

    def _status(self, ledger: LedgerSnapshot | None) -> Status:
        if self._error is not None:
            return "failed"
        if self._stopped:
            return "interrupted"
        if ledger is None or ledger.corrupt or ledger.failed or ledger.gaps:
            return "damaged"
        return "complete"

    def _details(self, started: float, seconds: float, wall: str, alone: Alone | None) -> dict[str, object]:
        job, measured = self._job, self._measured
        facts: dict[str, object] = {
            "started": wall,
            "command": list(job.command),
            "versions": versions(),
            "labels_format": LABELS_FORMAT,
            "model": describe_model(self._model.info),
            "source": describe_source(self._source),
            "sinks": describe_sinks(self._sinks),
        }
        if self._pipeline is not None:
            plan = job.plan if measured.tuned is None else measured.tuned.plan(job.plan)
            rate = self._model.info.details.get(RATE_WHEN_CHOSEN)
            known = rate if isinstance(rate, float) else None
            facts |= describe_pipeline(self._pipeline, plan, started, seconds, alone, known)
        if measured.tuned is not None:
            facts["tuned"] = measured.tuned.facts(batch_size=job.config.max_batch_size is None)
        if measured.effect_of_fast is not None:
            facts["decode_fast"] = measured.effect_of_fast.as_dict()
        return facts

    def _write(self, report: SourceReport, path: Path) -> SourceReport:
        try:
            report = replace(report, outputs=(*self._outputs, path))
            write_report(path, report.as_dict(), overwrite=True)
        except (VidinferError, OSError) as error:
            return replace(report, status="failed", error=_one_line(error), outputs=self._outputs)
        return report


def _warnings(sink: Sink) -> list[str]:
    found = sink.facts().get("warnings", ())
    return [str(text) for text in found] if isinstance(found, list | tuple) else []
