"""All that a report tells, added up from the manifest's rows and from the units, which are read one after the other."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

from vidinfer.archive.report.found import Found
from vidinfer.audit import joined_facts
from vidinfer.sink.manifest import ManifestRow
from vidinfer.sink.unit_read import DamagedUnit, read_receipt
from vidinfer.sink.unit_scan import Loss, scan_losses, scan_unit

__all__ = ["DAMAGED", "Gathered", "Group", "Losses", "Slow", "Told", "gather"]

DAMAGED = 50
"""Sources of which the gaps are told one by one."""
GAPS = 5
"""Losses that are told of each."""
SLOWEST = 8
USUAL_RATE = 25.0
"""Frames a second of a source that does not say how long it is."""
_STATUSES = ("complete", "damaged", "quarantined", "failed", "interrupted")


@dataclass(frozen=True, slots=True)
class Told:
    """A source as the run tells it."""

    row: ManifestRow
    warnings: tuple[str, ...] = ()
    units: tuple[Path, ...] = ()
    """Where its units are, or would be."""


@dataclass(slots=True)
class Group:
    """Sources that ended alike."""

    sources: int = 0
    seconds: float = 0.0
    """Of video."""
    frames: int = 0
    nbytes: int = 0


@dataclass(frozen=True, slots=True)
class Losses:
    """Where a source is damaged."""

    source: int
    base: Fraction
    first_pts: int
    gaps: tuple[Loss, ...]
    """Gaps, corrupt and failed frames: the first ``GAPS``."""
    more: bool
    """There are further ones."""


@dataclass(frozen=True, slots=True)
class Slow:
    """A source that took long for its frames."""

    source: int
    seconds: float
    """Of processes."""
    frames: int


@dataclass(slots=True)
class Gathered:
    """What there is to tell. Sources are numbered in the order of ``told``."""

    told: Sequence[Told]
    found: Found
    groups: dict[str, Group] = field(default_factory=lambda: {name: Group() for name in _STATUSES})
    ledger: Counter[str] = field(default_factory=Counter)
    model: Mapping[str, Any] = field(default_factory=dict)
    codecs: Counter[str] = field(default_factory=Counter)
    """Sources by codec and size."""
    busy: Counter[str] = field(default_factory=Counter)
    """Seconds of processes by stage, ``seconds`` of all of them."""
    losses: list[Losses] = field(default_factory=list)
    slowest: list[Slow] = field(default_factory=list)
    audits: list[Mapping[str, Any]] = field(default_factory=list)
    """What was propagated and audited, by source that has any."""
    duplicates: list[list[int]] = field(default_factory=list)
    """Sources of equal content."""
    unread: int = 0
    """Sources whose units could not be read, or were not for want of time."""

    @property
    def seconds(self) -> float:
        """Of video, in all sources."""
        return sum(group.seconds for group in self.groups.values())

    @property
    def categories(self) -> Sequence[str]:
        """Names of the labels."""
        return tuple(self.model.get("categories", ()))


def gather(told: Sequence[Told], hurry: Callable[[], bool]) -> Gathered:
    """Add everything up.

    Args:
        told: all sources.
        hurry: looked at for each; true leaves what is in the units of the rest out.
    """
    result = Gathered(told, Found(sum(seconds_of(one.row) for one in told) or 1.0, best_only=False))
    contents: defaultdict[str, list[int]] = defaultdict(list)
    offset, read = 0.0, set[Path]()
    for number, one in enumerate(told):
        _count(result, one.row)
        if one.row.fingerprint:
            contents[one.row.fingerprint].append(number)
        if one.row.status in ("complete", "damaged"):
            try:
                if hurry():
                    result.unread += 1
                else:
                    _read(result, number, one, offset, read)
            except DamagedUnit:
                result.unread += 1
        offset += seconds_of(one.row)
    result.duplicates = [group for group in contents.values() if len(group) > 1]
    return result


def seconds_of(row: ManifestRow) -> float:
    """Of video: as claimed, else by what is usual."""
    return row.seconds if row.seconds is not None else (row.decoded or 0) / USUAL_RATE


def _count(result: Gathered, row: ManifestRow) -> None:
    group = result.groups.setdefault(row.status, Group())
    group.sources += 1
    group.seconds += seconds_of(row)
    group.frames += row.decoded or 0
    group.nbytes += row.bytes or 0
    for name in ("decoded", "labelled", "skipped", "corrupt", "failed", "gaps", "packets_lost"):
        result.ledger[name] += getattr(row, name) or 0
    if row.codec:
        result.codecs[f"{row.codec} {row.width}x{row.height}"] += 1


def _read(result: Gathered, number: int, one: Told, offset: float, read: set[Path]) -> None:
    """What is in the units of a source."""
    receipts = [(path, receipt) for path in one.units if (receipt := read_receipt(path)) is not None]
    if not receipts:
        raise DamagedUnit(f"{one.row.source}: its units are gone")
    facts, model = receipts[0][1]["source"], receipts[0][1]["model"]
    base, first_pts = Fraction(facts["time_base"]), _first_pts(facts)
    if not result.model:
        result.model = model
        result.found.best_only = model["task"] in ("classification", "video")
    result.found.add(
        number,
        one.row.fingerprint or one.row.source,
        (part for path, _ in receipts for part in scan_unit(path)),
        base=base,
        first_pts=first_pts,
        offset=offset,
        length=seconds_of(one.row),
    )
    if one.row.status == "damaged" and len(result.losses) < DAMAGED:
        gaps = [loss for path, _ in receipts for loss in scan_losses(path, GAPS + 1)]
        result.losses.append(Losses(number, base, first_pts, tuple(gaps[:GAPS]), len(gaps) > GAPS))
    if (audit := joined_facts([receipt.get("skip_static") for _, receipt in receipts])) is not None:
        result.audits.append(audit)
    new = [(path, receipt) for path, receipt in receipts if path not in read]
    read.update(path for path, _ in new)
    _time(result, number, [receipt for _, receipt in new])


def _time(result: Gathered, number: int, receipts: Sequence[Mapping[str, Any]]) -> None:
    """Units of equal files count once."""
    seconds = sum(receipt["timings"]["seconds"] for receipt in receipts)
    frames = sum(receipt["frames"]["decoded"] for receipt in receipts)
    if not frames:
        return
    result.busy["seconds"] += seconds
    result.busy["frames"] += frames
    for receipt in receipts:
        for stage, busy in receipt["timings"]["stages"].items():
            result.busy[stage] += busy
    result.slowest.append(Slow(number, seconds, frames))
    result.slowest.sort(key=lambda slow: -slow.seconds / slow.frames)
    del result.slowest[SLOWEST:]


def _first_pts(facts: Mapping[str, Any]) -> int:
    found = facts.get("found")
    first = found.get("first_pts") if isinstance(found, dict) else None
    return next((int(pts) for pts in (facts.get("start_pts"), first) if pts is not None), 0)
