"""How often propagated results were wrong: what a sample of the still frames, shown to the model, tells of all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from vidinfer.still import StillSettings

__all__ = ["Audit", "audit_facts", "joined_facts", "wilson"]

_METHOD = (
    "still frames sampled by their pts and shown to the model; a miss: a box without a partner of "
    "its class with IoU 0.5, another best class, or class maps alike in less than 95 %; Wilson score interval"
)


@dataclass(frozen=True, slots=True)
class Audit:
    """Still frames that the model has seen all the same."""

    audited: int
    missed: int
    """Of those, for which it found something else than what would have been propagated."""

    @property
    def miss_rate(self) -> float | None:
        """``None``: none was audited."""
        return self.missed / self.audited if self.audited else None

    @property
    def interval(self) -> tuple[float, float]:
        """In which the miss rate of all still frames lies, with 95 % confidence."""
        return wilson(self.missed, self.audited)


def audit_facts(settings: StillSettings, propagated: int, audit: Audit) -> dict[str, object]:
    """Ready for JSON: how many frames got the results of another, and how often that was wrong."""
    return {
        "threshold": settings.threshold,
        "labelled_anew_after_seconds": settings.seconds,
        "share_audited": settings.audited,
        **_counted(propagated, audit),
        "method": _METHOD,
    }


def joined_facts(facts: Sequence[Mapping[str, Any] | None]) -> dict[str, Any] | None:
    """Those of several stretches labelled with the same settings as one; ``None``: nothing was propagated by intent."""
    told = [one for one in facts if one is not None]
    if not told:
        return None
    audit = Audit(sum(one["audited"] for one in told), sum(one["missed"] for one in told))
    return {**told[0], **_counted(sum(one["propagated"] for one in told), audit)}


def _counted(propagated: int, audit: Audit) -> dict[str, object]:
    rate = audit.miss_rate
    return {
        "propagated": propagated,
        "audited": audit.audited,
        "missed": audit.missed,
        "miss_rate": None if rate is None else round(rate, 5),
        "interval_95": [round(end, 5) for end in audit.interval],
    }


def wilson(hits: int, trials: int, z: float = 1.959964) -> tuple[float, float]:
    """The score interval of a share (Wilson 1927), at 95 % unless told: honest for few trials and none or all hits."""
    if not trials:
        return 0.0, 1.0
    share, square = hits / trials, z * z / trials
    middle = (share + square / 2) / (1 + square)
    half = z / (1 + square) * (share * (1 - share) / trials + square / (4 * trials)) ** 0.5
    low = 0.0 if hits == 0 else max(0.0, middle - half)
    return low, 1.0 if hits == trials else min(1.0, middle + half)
