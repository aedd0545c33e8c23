"""Which backend and precision: those that may be used are tried on real frames, measured, and held against eager fp32.

The reference is what torchvision computes itself. A candidate that labels the frames otherwise, beyond the bounds of
``vidinfer.parity``, is passed over; of the rest the fastest runs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from vidinfer.clock import Clock
from vidinfer.errors import BackendUnavailable, ModelError
from vidinfer.model.backends import Candidate, Supplies
from vidinfer.model.engines import Engines
from vidinfer.model.finite import FiniteGuard
from vidinfer.model.graphs import GraphStore
from vidinfer.model.remember import Memory
from vidinfer.model.trial import Reference, Sample, frames_per_second, label
from vidinfer.parity import Agreement, compare

__all__ = ["Choice", "Chooser", "Sample"]


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
class _Tried:
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
        return self.agreement is not None and self.agreement.holds()

    def as_dict(self) -> dict[str, object]:
        return {
            "backend": self.candidate.backend,
            "precision": self.candidate.precision,
            "frames_per_second": None if self.rate is None else round(self.rate, 2),
            "parity": None if self.agreement is None else self.agreement.as_dict(),
            **({"failure": self.failure} if self.failure else {}),
        }

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
        self._candidates = candidates
        self._reference = reference
        self._clock = clock
        self._memory = memory
        self._graphs = graphs
        self._by_name = by_name
        self._allow_inexact = allow_inexact
        self._threshold = threshold
        self._passed_over = list(passed_over)

    def choose(self, sample: Sample) -> Choice:
        """Try the candidates on a sample.

        Raises:
            BackendUnavailable: asked for by name, and it fails or gives other results.
            ModelError: the reference fails.
        """
        if [*self._candidates] == [self._reference] or not sample.splittable:
            return self._only(sample)
        reference = Reference(sample, self._reference.make(Supplies()), self._clock, self._threshold)
        rates = self._memory.rates(sample)
        tried: list[_Tried] = []
        for candidate in self._in_order(rates):
            tried.append(self._try(candidate, sample, reference, rates))
            if tried[-1].exact and len(rates) >= len(self._candidates):
                break  # what is left is known to be slower
        chosen = self._fastest([one for one in tried if one.exact]) or self._inexact(tried)
        self._memory.keep(sample, {str(one.candidate): one.rate for one in tried if one.rate is not None})
        return self._choice(chosen, tried)

    def _only(self, sample: Sample) -> Choice:
        """Nothing to choose from."""
        asked = [one for one in self._candidates if one != self._reference]
        if self._by_name and asked and not sample.splittable:
            raise BackendUnavailable(
                f"backend {asked[0]}: this network has a way of its own that only eager torch can run; "
                "leave --backend and --precision out"
            )
        if not self._candidates:
            raise BackendUnavailable("; ".join(self._passed_over))
        one = self._reference
        rate = self._memory.rates(sample).get(str(one))
        if rate is None:
            engines = Engines(sample.task, one.make(Supplies()), FiniteGuard())
            rate = frames_per_second(sample, engines, self._clock)
            self._memory.keep(sample, {str(one): rate})
        details: dict[str, object] = {"model_only": rate}
        if self._passed_over:
            details["passed_over"] = self._passed_over
        return Choice(one.backend, one.precision, "eager fp32 is torchvision's own arithmetic", details)

    def _in_order(self, rates: dict[str, float]) -> list[Candidate]:
        """The fastest first, as far as that is known."""
        return sorted(self._candidates, key=lambda one: -rates.get(str(one), float("inf")))

    def _try(
        self, candidate: Candidate, sample: Sample, reference: Reference, rates: dict[str, float]
    ) -> _Tried:
        tried = _Tried(candidate, rate=rates.get(str(candidate)))
        if candidate == self._reference:
            tried.agreement = Agreement(reference.frames, 0)
            tried.rate = tried.rate or reference.rate(self._clock)
            return tried
        try:
            factory = candidate.make(Supplies(self._graphs, sample.given()))
            tried.engines = Engines(sample.task, factory, tried.guard)
            found = label(sample, tried.engines, reference.frames, reference.threshold)
            tried.guard.check()
            limit: int | None = getattr(sample.task, "limit", None)
            threshold = reference.threshold or 0.0
            tried.agreement = compare(reference.results, found, threshold=threshold, limit=limit)
            if tried.rate is None:
                tried.rate = frames_per_second(sample, tried.engines, self._clock)
        except (BackendUnavailable, ModelError) as error:
            tried.failure = str(error)
        except Exception as error:  # a backend fails in any way it likes
            tried.failure = f"{type(error).__name__}: {error}".splitlines()[0]
        return tried

    def _fastest(self, tried: Sequence[_Tried]) -> _Tried | None:
        return max(tried, key=lambda one: one.rate or 0.0, default=None)

    def _inexact(self, tried: Sequence[_Tried]) -> _Tried:
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

    def _choice(self, chosen: _Tried, tried: Sequence[_Tried]) -> Choice:
        asked = "asked for" if self._by_name else "the fastest of those that label as eager fp32 does"
        why = f"{chosen.candidate} is {asked}"
        if not chosen.exact:
            why = f"{chosen.candidate} was asked for and gives other labels ({chosen.agreement})"
        details: dict[str, object] = {
            "model_only": chosen.rate,
            "candidates": [one.as_dict() for one in tried],
            "exact": chosen.exact,
        }
        if self._passed_over:
            details["passed_over"] = self._passed_over
        one = chosen.candidate
        return Choice(one.backend, one.precision, why, details, chosen.engines, chosen.guard)
