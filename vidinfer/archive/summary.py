"""A source's row in the manifest, from its report."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from vidinfer.archive.planning import PlannedSource
from vidinfer.report import SourceReport
from vidinfer.sink.manifest import ManifestRow
from vidinfer.sink.text import utf8

__all__ = ["row_of"]


def row_of(
    report: SourceReport, planned: PlannedSource | None, out: Path, status: str | None = None
) -> ManifestRow:
    """Args:
    report: with its details.
    planned: ``None`` for what could not be planned.
    out: folder of the manifest.
    status: in place of the report's.
    """
    document = report.details
    before = document.get("status") if report.status == "skipped" else None
    found = status or (str(before) if before else report.status)
    row: dict[str, Any] = {"source": report.source, "status": found, "error": report.error}
    if planned is not None:
        file = planned.file
        row |= {
            "path": str(file.path),
            "bytes": file.state[0],
            "fingerprint": file.fingerprint,
            "units": len(planned.units),
        }
    facts = document.get("source")
    if isinstance(facts, dict):
        row |= {"codec": facts.get("codec"), "width": facts.get("width"), "height": facts.get("height")}
        row["seconds"] = facts.get("duration_claimed")
    ledger = report.ledger
    if ledger is not None:
        row |= {
            **{name: getattr(ledger, name) for name in ("decoded", "labelled", "corrupt", "failed", "gaps")},
            "packets_lost": ledger.packets_lost,
            "skipped": sum(ledger.skipped.values()),
        }
    archive = document.get("archive")
    if planned is not None and isinstance(archive, dict):
        hashes, paths = archive["sha256"], planned.names.labels.values()
        row["outputs"] = tuple(str(path.relative_to(out)) for path in paths)
        row["sha256"] = tuple(str(hashes[utf8(path.name)]) for path in paths)
    return ManifestRow(**row)
