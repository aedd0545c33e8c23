"""What tuning found on this machine, and the choice that runs follow."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, runtime_checkable

from numpy.typing import NDArray

from vidinfer.light import Rate
from vidinfer.plan import ThreadPlan
from vidinfer.service import Curve, Effort, Within, cameras
from vidinfer.stages import AsyncModel, ModelInfo

__all__ = ["CAMERA_RATES", "Tunable", "Tuned", "Tuning"]

CAMERA_RATES = (25, 30)
"""Frames a second of usual cameras."""


@dataclass(frozen=True, slots=True)
class Tuned:
    """The choice for one model and one size of picture, as it is kept."""

    date: str
    """``2026-01-31``."""
    backend: str
    precision: str
    batch_size: int
    decoder_threads: int
    frames_per_second: float
    """Of decoding and the model together."""
    service: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    """By ``backend precision``: a and b of l(n) = a·n + b, in milliseconds."""

    def as_dict(self) -> dict[str, object]:
        """Ready for JSON; ``read`` takes it back."""
        return {
            "date": self.date,
            "backend": self.backend,
            "precision": self.precision,
            "batch_size": self.batch_size,
            "decoder_threads": self.decoder_threads,
            "frames_per_second": self.frames_per_second,
            "service": {name: list(line) for name, line in self.service.items()},
        }

    @classmethod
    def read(cls, found: object) -> Tuned | None:
        """From what was kept; ``None`` for anything else."""
        try:
            one: Any = found
            tuned = cls(
                str(one["date"]),
                str(one["backend"]),
                str(one["precision"]),
                int(one["batch_size"]),
                int(one["decoder_threads"]),
                float(one["frames_per_second"]),
                {str(name): (float(a), float(b)) for name, (a, b) in one["service"].items()},
            )
        except (TypeError, KeyError, ValueError, AttributeError):
            return None
        return tuned if tuned.batch_size >= 1 and tuned.decoder_threads >= 1 else None

    def facts(self, *, batch_size: bool) -> dict[str, object]:
        """For ``run.json``: what a run takes from here, and why. ``batch_size``: nobody gave another."""
        sizes = {"batch_size": self.batch_size} if batch_size else {}
        return {**sizes, "decoder_threads": self.decoder_threads, "why": f"as tuned on {self.date}"}

    def plan(self, usual: ThreadPlan) -> ThreadPlan:
        """``usual`` with the decoder's threads as tuned."""
        return replace(usual, decoder=self.decoder_threads)


@runtime_checkable
class Tunable(AsyncModel, Protocol):
    """A model that can be measured in every way that it may run. Thread rule: as ``AsyncModel``."""

    def tuned(self, width: int, height: int) -> Tuned | None:
        """The choice kept for such frames, where one of this machine, version, model and size is there."""
        ...

    def survey(
        self, places: NDArray[Any], width: int, height: int, effort: Effort, told: Callable[[str], None]
    ) -> list[Curve]:
        """Measure every candidate, and hold each against the reference.

        Args:
            places: ``(k, *place)``: a few real frames, prepared.
            told: is told what is being measured, in a few words.

        Raises:
            BackendUnavailable: what was asked for by name is not there.
            ModelError: the reference fails.
        """
        ...

    def adopt(self, curve: Curve, places: NDArray[Any], width: int, height: int) -> None:
        """Run as ``curve``, one of those of ``survey``, from now on."""
        ...

    def remember(self, width: int, height: int, curves: Sequence[Curve], tuned: Tuned) -> bool:
        """Keep it all for the next runs, at once; ``False``: it could not be written."""
        ...


@dataclass(frozen=True, slots=True)
class Tuning:
    """All that was measured of one model on one source."""

    source: str
    size: tuple[int, int]
    """Width and height, as displayed."""
    model: ModelInfo
    machine: Mapping[str, object]
    """Processor, versions."""
    cores: int
    curves: tuple[Curve, ...]
    decoding: Mapping[int, Rate]
    """By threads of the decoder: from the file to places in a batch, nothing else running."""
    together: Mapping[int, float]
    """By threads of the decoder: frames a second of the whole pipeline, as chosen; empty where nothing may be used."""
    chosen: Curve | None
    """The fastest that labels as the reference does."""
    tuned: Tuned | None
    within: Sequence[tuple[float, Within | None]] = ()
    """Budgets in milliseconds, and what keeps to each."""
    frames_per_place: float = 1.0
    """Frames of the source for each that the model counts: more than one for clips."""
    kept: bool = False
    """Later runs will find the choice."""

    @property
    def unit(self) -> str:
        """What a batch is counted in."""
        return "frame" if self.frames_per_place == 1 else "clip"

    @property
    def model_only(self) -> float:
        """Frames of the source a second, the machine being the model's own."""
        return 0.0 if self.chosen is None else self.chosen.best * self.frames_per_place

    @property
    def decode_only(self) -> float:
        """The best of all thread counts."""
        return max((rate.frames_per_second for rate in self.decoding.values()), default=0.0)

    @property
    def rate(self) -> float:
        """Decoding and the model together, as chosen."""
        return 0.0 if self.tuned is None else self.tuned.frames_per_second

    def cameras(self, budget: float | None) -> dict[int, int]:
        """By frames a second of a camera: as many as the machine can take, within ``budget`` milliseconds if given."""
        service = None if self.chosen is None else self.chosen.service
        if service is None or budget is None:
            return {fps: int(self.rate // fps) for fps in CAMERA_RATES}
        each = self.frames_per_place
        return {fps: cameras(self.rate / each, service, budget, fps / each) for fps in CAMERA_RATES}

    def archive_hours(self, fps: float) -> float:
        """Hours of video at ``fps`` frames a second that a day is enough for."""
        return 24 * self.rate / fps

    def as_dict(self) -> dict[str, object]:
        """Ready for JSON."""
        return {
            "source": self.source,
            "width": self.size[0],
            "height": self.size[1],
            "model": {"name": self.model.name, "weights": self.model.weights, "device": self.model.device},
            "machine": dict(self.machine),
            "cores": self.cores,
            "candidates": [_curve(one) for one in self.curves],
            "decode_only": {str(n): round(rate.frames_per_second, 2) for n, rate in self.decoding.items()},
            "together": {str(n): round(rate, 2) for n, rate in self.together.items()},
            "chosen": None if self.tuned is None else self.tuned.as_dict(),
            "within": [_within(budget, one) for budget, one in self.within],
            "cameras": [
                {"latency_ms": budget, **{f"at_{fps}": n for fps, n in self.cameras(budget).items()}}
                for budget in (None, *(budget for budget, _ in self.within))
            ],
            "archive_hours_per_day": {str(fps): round(self.archive_hours(fps), 1) for fps in CAMERA_RATES},
            "frames_per_place": self.frames_per_place,
            "kept": self.kept,
        }


def _curve(curve: Curve) -> dict[str, object]:
    batches = [
        {
            "size": one.frames,
            "milliseconds": round(one.milliseconds, 3),
            "frames_per_second": round(one.frames_per_second, 2),
        }
        for one in curve.timed
    ]
    return {
        "backend": curve.backend,
        "precision": curve.precision,
        "exact": curve.exact,
        "parity": curve.parity,
        "failure": curve.failure or None,
        "in_flight": curve.in_flight,
        "stopped": curve.stopped or None,
        "service": None if curve.service is None else curve.service.as_dict(),
        "batches": batches,
    }


def _within(budget: float, found: Within | None) -> dict[str, object]:
    if found is None:
        return {"latency_ms": budget, "batch_size": 0}
    return {
        "latency_ms": budget,
        "backend": found.curve.backend,
        "precision": found.curve.precision,
        "batch_size": found.frames,
        "milliseconds": round(found.milliseconds, 3),
        "frames_per_second": round(found.frames_per_second, 2),
    }
