"""The outputs of one source, made of its units: proven to tile, written aside, renamed, and vouched for by run.json.

Nothing in them tells when, where or how fast: the same units give the same bytes, however often a run was killed on the
way.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

from vidinfer.archive.document import read_document
from vidinfer.archive.facts import model_of, source_of
from vidinfer.archive.journal import Quarantined
from vidinfer.archive.planning import PlannedSource
from vidinfer.archive.recipe import digest
from vidinfer.audit import joined_facts
from vidinfer.describe import versions
from vidinfer.detections import Results
from vidinfer.errors import SinkError
from vidinfer.frame import Gap
from vidinfer.record import LABELS_FORMAT, Entry, LabelledBatch, Outcome
from vidinfer.report import SourceReport, Status
from vidinfer.sink import as_read_back, label_sink, withdraw_report, write_report
from vidinfer.sink.findings import Findings, Layout, find, layout_of
from vidinfer.sink.labels import LabelFileSink
from vidinfer.sink.text import utf8
from vidinfer.sink.unit_read import read_unit
from vidinfer.stats import LedgerSnapshot, ledger_of, together

__all__ = ["Part", "finish_source", "finished_before", "why_none"]


@dataclass(frozen=True, slots=True)
class Part:
    """What became of a unit: its receipt, or why there is none."""

    path: Path
    receipt: Mapping[str, Any] | None
    held: Quarantined | None = None


def why_none(parts: Sequence[Part]) -> Quarantined | None:
    """Why there are no outputs to be made of these parts of a source; ``None``: there are."""
    held = [part.held for part in parts if part.held is not None]
    passing = next((one for one in held if one.passing), None)
    return passing or (held[0] if len(held) == len(parts) else None)


def finished_before(planned: PlannedSource) -> SourceReport | None:
    """The report of a run that made these very outputs and all of them are there, or ``None``.

    Outputs in which stretches are missing that another try may give are not finished.
    """
    path = planned.names.report
    document = {} if path is None else read_document(path)
    archive = document.get("archive")
    if not isinstance(archive, dict) or archive.get("digest") != planned.digest or not _is_as_made(document):
        return None
    if archive.get("given_up"):
        return None
    sizes = archive.get("bytes")
    if not isinstance(sizes, dict) or document.get("status") not in ("complete", "damaged"):
        return None
    for output in planned.names.labels.values():
        try:
            if output.stat().st_size != sizes.get(utf8(output.name)):
                return None
        except OSError:
            return None
    return _as_before(planned, document)


def finish_source(planned: PlannedSource, parts: Sequence[Part]) -> SourceReport:
    """Write the label files of a source and its ``run.json``.

    Args:
        planned: the source.
        parts: of its units, in their order; at least one has a receipt.

    Raises:
        DamagedUnit: a unit is not whole; it has to be made anew.
        SinkError: an output cannot be written.
    """
    _check_tiles(planned)
    receipts = [part.receipt for part in parts if part.receipt is not None]
    first = receipts[0]
    source = source_of(first["source"], planned.file.name)
    model = model_of(first["model"])
    layout = layout_of(source, model, by=first["by"])
    report_path = planned.names.report
    assert report_path is not None, "an archive run writes label files"
    withdraw_report(report_path)
    outputs = _write(planned, parts, layout)
    ledger = together(ledger_of(receipt["frames"]) for receipt in receipts)
    held = [part.held for part in parts if part.held is not None]
    ledger = replace(ledger, gaps=ledger.gaps + len(held))
    status: Status = "damaged" if held or _harmed(ledger) else "complete"
    details = _details(planned, parts, outputs)
    report = SourceReport(
        planned.file.name,
        status,
        ledger=ledger,
        outputs=tuple(path for path, _, _ in outputs),
        warnings=_warnings(receipts, held),
        details=details,
    )
    write_report(report_path, _sealed(as_read_back(report.as_dict())), overwrite=True)
    return report


def _sealed(document: dict[str, Any]) -> dict[str, Any]:
    """With a digest of all else in it: a later run takes its word for the outputs."""
    return {**document, "archive": {**document["archive"], "seal": digest(document)}}


def _is_as_made(document: Mapping[str, Any]) -> bool:
    """Nobody changed it since."""
    seal = document["archive"].get("seal")
    without = {key: value for key, value in document["archive"].items() if key != "seal"}
    return bool(seal == digest({**document, "archive": without}))


def _write(planned: PlannedSource, parts: Sequence[Part], layout: Layout) -> list[tuple[Path, int, str]]:
    """The label files, each with its size and SHA-256. Units are read once for all formats."""
    receipt = next(part.receipt for part in parts if part.receipt is not None)
    source, model = source_of(receipt["source"], planned.file.name), model_of(receipt["model"])
    labels = planned.names.labels
    with ExitStack() as stack:
        sinks = []
        for form, path in labels.items():
            sink = label_sink(form, path, overwrite=True, by=layout.by)
            assert isinstance(sink, LabelFileSink)
            stack.callback(sink.abort)  # changes nothing after a close
            sink.open(source, model)
            sinks.append(sink)
        for number, part in enumerate(parts):
            for batch, found in _records(planned, number, part, layout, model.categories, source.time_base):
                for sink in sinks:
                    sink.write_found(batch, found)
        for sink in sinks:
            sink.close()
    return [(path, path.stat().st_size, _sha256(path)) for path in labels.values()]


def _records(
    planned: PlannedSource,
    number: int,
    part: Part,
    layout: Layout,
    categories: tuple[str, ...],
    base: Fraction,
) -> Iterator[tuple[LabelledBatch, Findings]]:
    """Of a unit; of one that was given up a single gap."""
    if part.held is None:
        yield from read_unit(part.path, layout, categories)
        return
    part_of = planned.units[number].part
    last = None if part_of.end is None else part_of.end - 1
    gap = Gap(part_of.start, last, base, 0, f"given up: {part.held.reason}")
    batch = LabelledBatch([Entry(Outcome.GAP, gap, reason=gap.reason)], Results(0, categories))
    yield batch, find(batch, layout)


def _check_tiles(planned: PlannedSource) -> None:
    """The units cover the whole file, each instant once."""
    intervals = [unit.part for unit in planned.units]
    whole = intervals and intervals[0].start is None and intervals[-1].end is None
    joined = all(a.end == b.start and a.end is not None for a, b in pairwise(intervals))
    if not (whole and joined):
        raise SinkError(f"{planned.file.name}: its units do not tile: {intervals}")


def _details(
    planned: PlannedSource, parts: Sequence[Part], outputs: Sequence[tuple[Path, int, str]]
) -> dict[str, object]:
    receipts = [part.receipt for part in parts if part.receipt is not None]
    given_up = [part.held.unit for part in parts if part.held is not None]
    facts = _joined([receipt["source"] for receipt in receipts])
    still = joined_facts([receipt.get("skip_static") for receipt in receipts])
    return {
        "labels_format": LABELS_FORMAT,
        "versions": versions(),
        "model": receipts[0]["model"],
        "source": {"name": planned.file.name, "path": str(planned.file.path), **facts},
        **({} if still is None else {"skip_static": still}),
        "archive": {
            "digest": planned.digest,
            "fingerprint": planned.file.fingerprint,
            "units": [unit.id for unit in planned.units],
            **({"given_up": given_up} if given_up else {}),
            "bytes": {utf8(path.name): size for path, size, _ in outputs},
            "sha256": {utf8(path.name): sha256 for path, _, sha256 in outputs},
        },
    }


def _joined(facts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The facts of a source from those of its parts: what was found is added up."""
    found: dict[str, Any] = {}
    for one in facts:
        for name, value in one["found"].items():
            found[name] = _both(name, found[name], value) if name in found else value
    return {**facts[0], "found": found}


def _both(name: str, one: Any, other: Any) -> Any:
    """A fact of two neighbouring stretches together."""
    if name == "last_pts":
        return one if other is None else other
    if isinstance(one, dict) and isinstance(other, dict):
        common = {key: _both(key, one[key], other[key]) for key in one.keys() & other.keys()}
        return {**one, **other, **common}
    if isinstance(one, bool) and isinstance(other, bool):
        return one or other
    if isinstance(one, list) and isinstance(other, list):
        return list(dict.fromkeys([*one, *other]))
    return one + other if isinstance(one, int) and isinstance(other, int) and name != "first_pts" else one


def _harmed(ledger: LedgerSnapshot) -> bool:
    return bool(ledger.corrupt or ledger.failed or ledger.gaps)


def _warnings(receipts: Sequence[Mapping[str, Any]], held: Sequence[Quarantined]) -> tuple[str, ...]:
    texts = dict.fromkeys(text for receipt in receipts for text in receipt["warnings"])
    return (*texts, *(f"a stretch was given up after {one.tries} tries: {one.reason}" for one in held))


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _as_before(planned: PlannedSource, document: Mapping[str, Any]) -> SourceReport:
    return SourceReport(
        planned.file.name,
        "skipped",
        ledger=ledger_of(document["frames"]),
        outputs=tuple(planned.names.labels.values()),
        warnings=("outputs were complete already",),
        details={"status": document["status"], **document},
    )
