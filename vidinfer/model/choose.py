"""Which backend and precision: those that may be used are tried on real frames, measured, and held against eager fp32.

The reference is what torchvision computes itself. A candidate that labels the frames otherwise, beyond the bounds of
``vidinfer.parity``, is passed over; of the rest the fastest runs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from vidinfer.clock import Clock
from vidinfer.errors import BackendUnavailable, Interrupted, ModelError
from vidinfer.model.backends import Candidate, Supplies
from vidinfer.model.engines import Engines
from vidinfer.model.finite import FiniteGuard
from vidinfer.model.graphs import GraphStore
from vidinfer.model.remember import Memory
from vidinfer.model.trial import Reference, Sample, frames_per_second, label
from vidinfer.parity import Agreement, compare
from vidinfer.stages import RATE_WHEN_CHOSEN

__all__ = ["Choice", "Chooser", "Sample", "Tried"]


@dataclass(frozen=True, slots=True)
class Choice:
    """How a model runs, and why."""

    backend: str
    precision: str
    why: str
    details: dict[str, object]
    """For ``run.json``: every candidate with its figures."""
    engines: Engines | None = None
    """``None``: as before, which is the reference."""
    guard: FiniteGuard | None = None


@dataclass(slots=True)
class Tried:
    """One candidate and what was seen of it."""

    candidate: Candidate
    rate: float | None = None
    """Frames a second of the model alone, all cores its own."""
    agreement: Agreement | None = None
    failure: str = ""
    engines: Engines | None = None
    guard: FiniteGuard = field(default_factory=FiniteGuard)

    @property
    def exact(self) -> bool:
        return self.agreement is not None and self.agreement.holds() and not self.failure

    def as_dict(self) -> dict[str, object]:
        return {
            "backend": self.candidate.backend,
            "precision": self.candidate.precision,
            "frames_per_second": None if self.rate is None else round(self.rate, 2),
            "parity": None if self.agreement is None else self.agreement.as_dict(),
            **({"failure": self.failure} if self.failure else {}),
        }

    def fail(self, error: Exception) -> None:
        """It cannot be used."""
        told = isinstance(error, BackendUnavailable | ModelError)
        self.failure = str(error) if told else f"{type(error).__name__}: {error}".splitlines()[0]
        self.engines = None

    def __str__(self) -> str:
        said = self.failure or (str(self.agreement) if self.agreement else "not tried")
        return f"{self.candidate}: {said}"


class Chooser:
    """Thread rule: one thread, in inference mode."""

    def __init__(
        self,
        candidates: Sequence[Candidate],
        reference: Candidate,
        *,
        clock: Clock,
        memory: Memory,
        graphs: GraphStore | None = None,
        by_name: bool,
        allow_inexact: bool,
        threshold: float,
        passed_over: Sequence[str] = (),
    ) -> None:
        """``candidates``: what may run, ``by_name``: because somebody said so; ``reference`` may be among them.

        ``passed_over``: backends that are not there, with the reason.
        """
        self.clock = clock
        self.memory = memory
        self._candidates = candidates
        self._reference = reference
        self._graphs = graphs
        self._by_name = by_name
        self._allow_inexact = allow_inexact
        self._threshold = threshold
        self._passed_over = list(passed_over)

    def choose(self, sample: Sample) -> Choice:
        """Try the candidates on a sample.

        Raises:
            Interrupted: a stop was asked for; what is under way, such as a compilation, is ended first.
            BackendUnavailable: asked for by name, and it fails or gives other results.
            ModelError: the reference fails.
        """
        candidates = self._able(sample)
        if candidates == [self._reference]:
            return self._only(sample)
        reference = Reference(sample, self._reference.make(Supplies()), self.clock, self._threshold)
        rates = self.memory.rates(sample)
        tried: list[Tried] = []
        for candidate in _in_order(candidates, rates):
            sample.go_on()
            tried.append(self._try(candidate, sample, reference, rates))
            if tried[-1].exact and len(rates) >= len(candidates):
                break  # what is left is known to be slower
        chosen = self._fastest([one for one in tried if one.exact]) or self._inexact(tried)
        self.memory.keep(sample, {str(one.candidate): one.rate for one in tried if one.rate is not None})
        return self._choice(chosen, tried)

    def survey(self, sample: Sample) -> Iterator[Tried]:
        """Every candidate held against the reference, one after the other, with engines to measure; no rates.

        Raises:
            BackendUnavailable: there is none that can run this network.
            ModelError: the reference fails.
        """
        reference: Reference | None = None
        for candidate in self._able(sample):
            if candidate == self._reference:
                tried = Tried(candidate, agreement=Agreement(0, 0))
                tried.engines = self._engines(candidate, sample, tried.guard)
            else:
                reference = reference or Reference(
                    sample, self._reference.make(Supplies()), self.clock, self._threshold
                )
                tried = self._held(candidate, sample, reference)
            yield tried

    def adopt(self, sample: Sample, backend: str, precision: str) -> Choice:
        """As somebody chose after a survey."""
        for candidate in self._able(sample):
            if (candidate.backend, candidate.precision) == (backend, precision):
                guard = FiniteGuard()
                engines = None if candidate == self._reference else self._engines(candidate, sample, guard)
                return Choice(backend, precision, "as tuned", {}, engines, guard if engines else None)
        raise BackendUnavailable(f"{backend} {precision} is not among what this model may run on")

    def allows(self, backend: str, precision: str) -> bool:
        """It is among the candidates."""
        return any((one.backend, one.precision) == (backend, precision) for one in self._candidates)

    def _only(self, sample: Sample) -> Choice:
        """Nothing to choose from."""
        one = self._able(sample)[0]
        rate = self.memory.rates(sample).get(str(one))
        if rate is None:
            engines = Engines(sample.task, one.make(Supplies()), FiniteGuard())
            rate = frames_per_second(sample, engines, self.clock)
            self.memory.keep(sample, {str(one): rate})
        details: dict[str, object] = {RATE_WHEN_CHOSEN: round(rate, 2)}
        if self._passed_over:
            details["passed_over"] = self._passed_over
        return Choice(one.backend, one.precision, "eager fp32 is torchvision's own arithmetic", details)

    def _able(self, sample: Sample) -> list[Candidate]:
        """The candidates that can run this network.

        Raises:
            BackendUnavailable: there is none.
        """
        asked = [one for one in self._candidates if one != self._reference]
        if self._by_name and asked and not sample.splittable:
            raise BackendUnavailable(
                f"backend {asked[0]}: this network has a way of its own that only eager torch can run; "
                "leave --backend and --precision out"
            )
        if not self._candidates:
            raise BackendUnavailable("; ".join(self._passed_over))
        if not sample.splittable:
            return [self._reference]
        able = [one for one in self._candidates if sample.has_regions or not one.needs_regions]
        if not able:
            raise BackendUnavailable(
                f"{self._candidates[0]}: rounds in the heads on regions (of Faster, Mask and Keypoint R-CNN), and this "
                "network has none; use bf16 or fp32, or leave --precision out"
            )
        return able

    def _try(
        self, candidate: Candidate, sample: Sample, reference: Reference, rates: dict[str, float]
    ) -> Tried:
        if candidate == self._reference:
            rate = rates.get(str(candidate)) or reference.rate(self.clock)
            return Tried(candidate, rate, Agreement(reference.frames, 0))
        tried = self._held(candidate, sample, reference)
        tried.rate = rates.get(str(candidate))
        if tried.rate is None and tried.engines is not None:
            try:
                tried.rate = frames_per_second(sample, tried.engines, self.clock)
            except Interrupted:
                raise
            except Exception as error:
                tried.fail(error)
        return tried

    def _held(self, candidate: Candidate, sample: Sample, reference: Reference) -> Tried:
        """One candidate against the reference."""
        tried = Tried(candidate)
        try:
            tried.engines = self._engines(candidate, sample, tried.guard)
            found = label(sample, tried.engines, reference.frames, reference.threshold)
            tried.guard.check()
            limit: int | None = getattr(sample.task, "limit", None)
            threshold = reference.threshold or 0.0
            tried.agreement = compare(reference.results, found, threshold=threshold, limit=limit)
        except Interrupted:
            raise
        except Exception as error:  # a backend fails in any way it likes
            tried.fail(error)
        return tried

    def _engines(self, candidate: Candidate, sample: Sample, guard: FiniteGuard) -> Engines:
        given = sample.given() if sample.splittable else None
        return Engines(sample.task, candidate.make(Supplies(self._graphs, given)), guard)

    def _fastest(self, tried: Sequence[Tried]) -> Tried | None:
        return max(tried, key=lambda one: one.rate or 0.0, default=None)

    def _inexact(self, tried: Sequence[Tried]) -> Tried:
        """Nothing that was asked for is exact."""
        working = [one for one in tried if one.agreement is not None and not one.failure]
        chosen = self._fastest(working)
        if chosen is not None and self._allow_inexact:
            return chosen
        figures = "; ".join([*map(str, tried), *self._passed_over])
        hint = "leave --backend and --precision out"
        if working:
            hint += ", or add --allow-inexact"
        raise BackendUnavailable(f"labels would not be those of the reference: {figures}; {hint}")

    def _choice(self, chosen: Tried, tried: Sequence[Tried]) -> Choice:
        asked = "asked for" if self._by_name else "the fastest of those that label as eager fp32 does"
        why = f"{chosen.candidate} is {asked}"
        if not chosen.exact:
            why = f"{chosen.candidate} was asked for and gives other labels ({chosen.agreement})"
        details: dict[str, object] = {
            **({} if chosen.rate is None else {RATE_WHEN_CHOSEN: round(chosen.rate, 2)}),
            "candidates": [one.as_dict() for one in tried],
            "exact": chosen.exact,
        }
        if self._passed_over:
            details["passed_over"] = self._passed_over
        one = chosen.candidate
        return Choice(one.backend, one.precision, why, details, chosen.engines, chosen.guard)


def _in_order(candidates: Sequence[Candidate], rates: Mapping[str, float]) -> list[Candidate]:
    """The fastest first, as far as that is known."""
    return sorted(candidates, key=lambda one: -rates.get(str(one), float("inf")))
