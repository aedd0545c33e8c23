"""One unit from its file to its committed labels, inside one process, by the pipeline that runs single files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vidinfer.archive.facts import model_facts
from vidinfer.archive.unit import WHOLE, Unit, same_state, state_of
from vidinfer.build import feeding, make_pipeline, nvdec_device, sampled, sampling_of
from vidinfer.clock import MonotonicClock
from vidinfer.config import RunConfig
from vidinfer.describe import describe_source
from vidinfer.errors import BackendUnavailable, SourceChanged, SourceError
from vidinfer.ondemand import ModelOnDemand
from vidinfer.pipeline import Pipeline
from vidinfer.plan import ThreadPlan
from vidinfer.sink import unit_sink
from vidinfer.source import Part, open_source
from vidinfer.stages import Model, Source
from vidinfer.storage import Location

__all__ = ["UnitLabeller"]

MANY = 1 << 20
"""Sources that are still to come, for choosing how to run."""


class UnitLabeller:
    """Holds the model; labels units one after the other. Thread rule: one thread, but for ``decoded``."""

    def __init__(self, config: RunConfig, plan: ThreadPlan, fallback: RunConfig | None = None) -> None:
        """Nothing is loaded yet.

        Args:
            config: what to do.
            plan: threads of this process.
            fallback: for pictures of a size on which the backend of ``config`` is not exact; ``None``: they fail.
        """
        self._config = config
        self._fallback = None if fallback is None else ModelOnDemand(fallback, plan)
        self._plan = plan
        self._clock = MonotonicClock()
        self._model = ModelOnDemand(config, plan)
        self._pipeline: Pipeline | None = None

    def load(self) -> dict[str, Any]:
        """The facts of the model, as in receipts.

        Raises:
            ModelUnavailable: no such model, or no weights.
            UsageError: an option that it does not have.
        """
        return model_facts(self._model.get().info)

    def choose(self, path: Location) -> tuple[str, str]:
        """Backend and precision that are best for this file's pictures.

        Raises:
            BackendUnavailable: what was asked for by name is not there, fails, or is not exact.
            SourceError: the file cannot be opened.
        """
        source = self._open(path)
        try:
            self._model.settle(source, sources=MANY)
        finally:
            source.close()
        info = self._model.get().info
        return info.backend, info.precision

    @property
    def decoded(self) -> int:
        """Frames of the unit at hand that were decoded so far; any thread."""
        pipeline = self._pipeline
        return 0 if pipeline is None else pipeline.ledger.snapshot().decoded

    def label(self, unit: Unit, target: Path) -> dict[str, Any]:
        """Label a unit and commit it as ``target``. Returns its receipt.

        Raises:
            SourceError: the file cannot be opened.
            SourceChanged: it is another one now, or became one meanwhile; nothing is committed.
            VidinferError: a stage failed; nothing is committed.
        """
        _check_same(unit)
        began = self._clock.now()
        source = self._open(unit.path, unit.part)
        try:
            model = feeding(self._settled(source), source)
            return self._run(unit, source, model, target, began)
        finally:
            self._pipeline = None
            source.close()

    def close(self) -> None:
        """Free the model. Idempotent."""
        for one in (self._model, self._fallback):
            if one is not None:
                one.__exit__()

    def _settled(self, source: Source) -> Model:
        """The model as it runs on pictures of this size: always the same way, as nothing is measured here."""
        try:
            self._model.settle(source, sources=MANY)
            return self._model.get()
        except BackendUnavailable:
            if self._fallback is None:
                raise
        self._fallback.settle(source, sources=MANY)
        return self._fallback.get()

    def _run(self, unit: Unit, source: Source, model: Model, target: Path, began: float) -> dict[str, Any]:
        receipt: dict[str, Any] = {}
        sink = unit_sink(target, lambda: receipt)
        pipeline = self._pipeline = make_pipeline(
            source,
            model,
            self._config,
            keep_pictures=False,
            clock=self._clock,
            before=unit.part.before,
        )
        sink.open(source.info, model.info)
        try:
            pipeline.run([sink], _unwatched)
            pipeline.ledger.settle("given_up")
            _check_same(unit)
            receipt |= {
                "unit": unit.id,
                "start": unit.part.start,
                "end": unit.part.end,
                "frames": pipeline.ledger.snapshot().as_dict(),
                "source": _source_facts(source),
                "model": model_facts(model.info),
                "by": self._config.skip_static is not None,
                "skip_static": None if pipeline.propagation is None else pipeline.propagation.as_dict(),
                "warnings": _warnings(sink.facts()),
                "timings": {
                    "seconds": round(self._clock.now() - began, 3),
                    "stages": {stage: round(s, 3) for stage, s in pipeline.times.seconds().items()},
                },
            }
            sink.close()
        finally:
            sink.abort()  # changes nothing after a close
        return receipt

    def _open(self, path: Location, part: Part = WHOLE) -> Source:
        config = self._config
        return open_source(
            path,
            name=path.name,
            threads=self._plan.decoder,
            fast=config.decode == "fast",
            nvdec=nvdec_device(config),
            sampling=sampling_of(config) if part.early else sampled(config),
            part=None if part.is_whole else part,
        )


def _unwatched(frames: int) -> None:
    """Progress is told from the ledger."""


def _check_same(unit: Unit) -> None:
    """The file is still that which was fingerprinted.

    Raises:
        SourceChanged: it is not, or gone.
        SourceError: a store does not answer, or its object is gone.
    """
    try:
        found = state_of(unit.path)
    except SourceError:
        raise
    except OSError as error:
        raise SourceChanged(
            f"{unit.path}: {error.strerror}; it was there when the run was planned"
        ) from error
    if not same_state(found, unit.state):
        raise SourceChanged(f"{unit.path}: changed since the run was planned; run again when it is complete")


def _source_facts(source: Source) -> dict[str, Any]:
    facts = describe_source(source)
    for where in ("name", "path"):  # of no matter to the content
        facts.pop(where, None)
    return facts


def _warnings(facts: Mapping[str, object]) -> list[str]:
    found = facts.get("warnings", [])
    return [str(text) for text in found] if isinstance(found, list) else []
