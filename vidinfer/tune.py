"""Measuring a model on this machine in every way that it may run, and choosing how runs go from now on."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from vidinfer.alone import measure_decoding
from vidinfer.build import make_pipeline, open_model, sample_places
from vidinfer.clock import Clock, utc_now
from vidinfer.config import RunConfig
from vidinfer.errors import ModelUnavailable, SourceError, UsageError
from vidinfer.light import Rate
from vidinfer.model.remember import machine
from vidinfer.plan import ThreadPlan, batch_size_for, thread_plan
from vidinfer.record import Outcome
from vidinfer.service import Curve, Effort, fastest, smallest_enough, within
from vidinfer.source import SourceFile, expand_sources, open_source, synthetic_clip
from vidinfer.stages import ModelInput, Source
from vidinfer.tuned import Tunable, Tuned, Tuning

__all__ = ["BUDGETS", "Thoroughness", "tune"]

BUDGETS = (33.0, 100.0)
"""Milliseconds: a frame of a camera at 30 frames a second, and what a person takes for at once."""
CLIP = 600
"""Frames of the made-up clip: as many as a fast machine decodes while it is measured, and more."""
MOST_DECODER_THREADS = 16
"""FFmpeg's own advice."""
ROUNDS = 2
NO_SLOWER = 0.97
"""Share of the best rate for which fewer decoder threads are taken; less is the noise of the measurement."""


@dataclass(frozen=True, slots=True)
class Thoroughness:
    """How long to look. The names are those of stages."""

    largest: Mapping[str, int]
    """Batch, by kind of device."""
    model: float
    """Seconds for each figure."""
    decode: float
    """Seconds for each number of threads."""
    together: float
    """Seconds for each number of threads."""
    drawn: int
    """Frames of the made-up clip that are drawn, each shown again and again."""

    @classmethod
    def of(cls, *, quick: bool) -> Thoroughness:
        """``quick``: a rough answer in a quarter of the time."""
        if quick:
            return cls({"cpu": 4, "cuda": 16}, model=0.05, decode=0.1, together=0.5, drawn=30)
        return cls({"cpu": 16, "cuda": 64}, model=0.3, decode=0.5, together=2.0, drawn=60)

    def effort(self, device: str) -> Effort:
        """For a model on ``device``: batches of 1, 2, 4, … frames."""
        largest = self.largest["cuda" if device.startswith("cuda") else "cpu"]
        return Effort(tuple(2**i for i in range(largest.bit_length())), self.model)


def tune(
    config: RunConfig,
    *,
    clock: Clock,
    quick: bool = False,
    budgets: Sequence[float] = BUDGETS,
    told: Callable[[str], None] = lambda _: None,
) -> Tuning:
    """Measure the model of ``config`` on its source, or on a made-up clip where it has none, and keep the choice.

    What is kept is written once, at the very end.

    Args:
        budgets: milliseconds from a frame to its label.
        told: is told what is being measured.

    Raises:
        UsageError: more than one source, or options that make no sense.
        SourceError: the source cannot be used.
        ModelUnavailable: no model, or no weights; or it cannot be tuned.
        ModelError: the model fails.
    """
    how = Thoroughness.of(quick=quick)
    plan = thread_plan()
    given = _given(config.sources)
    with ExitStack() as stack:
        source = None if given is None else stack.enter_context(closing(_open(given, plan)))
        told(f"loading {config.model}")
        model = stack.enter_context(closing(open_model(config, plan, progress=True)))
        if not isinstance(model, Tunable):
            raise ModelUnavailable(f"{config.model} runs in one way only: there is nothing to tune")
        if given is None or source is None:
            told("making a 1080p H.264 clip to measure with")
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="vidinfer-tune-"))
            path = synthetic_clip(Path(folder) / "clip.mp4", frames=how.drawn, times=CLIP // how.drawn)
            given = SourceFile(path, PurePosixPath("a made-up clip"))
            source = stack.enter_context(closing(_open(given, plan)))
        return _Tuner(config, given, source, model, plan, how, clock, told).tune(budgets)


def _given(sources: Sequence[str]) -> SourceFile | None:
    if not sources:
        return None
    found = expand_sources(sources)
    if found.errors:
        raise found.errors[0][1]
    if len(found.files) != 1:
        raise UsageError(
            f"tune takes one file, but {', '.join(map(repr, sources))} names {len(found.files)}: "
            "give one that is like the others"
        )
    return found.files[0]


def _open(file: SourceFile, plan: ThreadPlan) -> Source:
    return open_source(file.path, name=str(file.name), threads=plan.decoder)


class _Tuner:
    """One model on one source. Thread rule: one thread."""

    def __init__(
        self,
        config: RunConfig,
        file: SourceFile,
        source: Source,
        model: Tunable,
        plan: ThreadPlan,
        how: Thoroughness,
        clock: Clock,
        told: Callable[[str], None],
    ) -> None:
        self._config = config
        self._file = file
        self._source = source
        self._model = model
        self._plan = plan
        self._how = how
        self._clock = clock
        self._told = told
        self._size = (source.info.width, source.info.height)
        most = min(plan.cores, MOST_DECODER_THREADS)
        self._decoders = sorted({1, max(1, most // 2), most})

    def tune(self, budgets: Sequence[float]) -> Tuning:
        places = sample_places(self._model, self._source, self._config)
        if places is None:
            raise SourceError(f"{self._file.path}: no picture of it can be decoded; give another file")
        spec = self._model.input_for(*self._size)
        effort = self._how.effort(self._model.info.device)
        curves = self._model.survey(places, *self._size, effort, self._told)
        decoding = self._decoding()
        chosen, tuned, together = fastest(curves), None, dict[int, float]()
        if chosen is not None:
            self._model.adopt(chosen, places, *self._size)
            batch_size = _batch_size(chosen, spec)
            together = self._together(batch_size)
            tuned = _choice(chosen, curves, batch_size, together)
        kept = tuned is not None and self._model.remember(*self._size, curves, tuned)
        return Tuning(
            source=self._source.info.name,
            size=self._size,
            model=self._model.info,
            machine=machine(),
            cores=self._plan.cores,
            curves=tuple(curves),
            decoding=decoding,
            together=together,
            chosen=chosen,
            tuned=tuned,
            within=[(budget, within(curves, budget)) for budget in budgets],
            frames_per_place=_frames_per_place(spec, self._source),
            kept=kept,
        )

    def _decoding(self) -> dict[int, Rate]:
        found = {}
        for threads in self._decoders:
            self._told(f"decoding alone, {threads} of {self._plan.cores} cores for it")
            rate = measure_decoding(self._source, self._model, threads, self._clock, seconds=self._how.decode)
            if rate is not None:
                found[threads] = rate
        return found

    def _together(self, batch_size: int) -> dict[int, float]:
        """Frames a second of the pipeline by threads of the decoder: the best of ``ROUNDS``, as the first is cold."""
        best = dict.fromkeys(self._decoders, 0.0)
        for number in range(ROUNDS):
            for threads in self._decoders:
                self._told(
                    f"everything together, {threads} of {self._plan.cores} cores for the decoder, "
                    f"{number + 1} of {ROUNDS}"
                )
                best[threads] = max(best[threads], self._pipeline_rate(threads, batch_size))
        return best

    def _pipeline_rate(self, threads: int, batch_size: int) -> float:
        """From the first batch on; the clip need not be long enough for the time."""
        config = replace(self._config, max_batch_size=batch_size)
        with closing(_open(self._file, replace(self._plan, decoder=threads))) as source:
            pipeline = make_pipeline(source, self._model, config, keep_pictures=False, clock=self._clock)
            began, seen = self._clock.now(), [(0.0, 0)]
            with pipeline.batches() as batches:
                for batch in batches:
                    if len(seen) > 1 and seen[-1][0] - seen[1][0] >= self._how.together / ROUNDS:
                        pipeline.stop()  # what is with the model already still comes
                        continue
                    frames = sum(entry.outcome is not Outcome.GAP for entry in batch.entries)
                    seen.append((self._clock.now() - began, seen[-1][1] + frames))
        first, last = seen[1 if len(seen) > 2 else 0], seen[-1]
        return (last[1] - first[1]) / (last[0] - first[0]) if last[0] > first[0] else 0.0


def _batch_size(chosen: Curve, spec: ModelInput) -> int:
    """The smallest that is nearly as fast as any that a run has memory for."""
    place_bytes = spec.dtype.itemsize * math.prod(spec.place)
    largest = chosen.timed[-1].frames
    room = batch_size_for(None, place_bytes, usual=largest, in_flight=chosen.in_flight)
    able = {one.frames: one.frames_per_second for one in chosen.timed if one.frames <= room}
    return smallest_enough(able) if able else 1


def _choice(chosen: Curve, curves: Sequence[Curve], batch_size: int, together: Mapping[int, float]) -> Tuned:
    threads = smallest_enough(together, NO_SLOWER)
    lines = {one.name: one.service for one in curves}
    return Tuned(
        date=utc_now().partition("T")[0],
        backend=chosen.backend,
        precision=chosen.precision,
        batch_size=batch_size,
        decoder_threads=threads,
        frames_per_second=round(together[threads], 2),
        service={
            name: (round(line.marginal, 4), round(line.fixed, 4)) for name, line in lines.items() if line
        },
    )


def _frames_per_place(spec: ModelInput, source: Source) -> float:
    """How much of the source the model looks at with one place of a batch, beside what the one before looked at."""
    window, rate = spec.window, source.info.rate
    if window is None or window.stride is None or rate is None:
        return 1.0
    return float(window.stride * rate)
