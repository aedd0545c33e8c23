"""What a run leaves to be read: one report per source, and the sum of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from vidinfer.stats import LedgerSnapshot

__all__ = ["RunReport", "SourceReport", "Status"]

Status = Literal["complete", "damaged", "failed", "interrupted", "skipped"]
"""``complete``: every frame labelled or knowingly skipped. ``damaged``: written, but some frames are corrupt,
failed or lost. ``failed``: no outputs. ``interrupted``: outputs valid up to the stop. ``skipped``: already done."""


@dataclass(frozen=True, slots=True)
class SourceReport:
    """How one source went."""

    source: str
    status: Status
    error: str | None = None
    """One line, for ``failed``."""
    ledger: LedgerSnapshot | None = None
    """``None`` where no frame was ever decoded."""
    seconds: float = 0.0
    """Wall time from opening the source to its closed outputs; loading the model is not in it."""
    outputs: tuple[Path, ...] = ()
    """Files under their final names."""
    warnings: tuple[str, ...] = ()
    details: Mapping[str, object] = field(default_factory=dict)
    """The rest of ``run.json``: command, versions, model, source facts, timings, speed of light."""

    def as_dict(self) -> dict[str, object]:
        """``run.json``."""
        return {
            **self.details,
            "source_name": self.source,
            "status": self.status,
            "error": self.error,
            "frames": None if self.ledger is None else self.ledger.as_dict(),
            "outputs": [path.name for path in self.outputs],
            "warnings": list(self.warnings),
        }


@dataclass(frozen=True, slots=True)
class RunReport:
    """How all sources went."""

    sources: tuple[SourceReport, ...]
    seconds: float
    page: Path | None = None
    """The report of an archive, for people."""

    @property
    def exit_status(self) -> int:
        """130 interrupted, 1 something damaged or failed, else 0."""
        statuses = {report.status for report in self.sources}
        if "interrupted" in statuses:
            return 130
        return 1 if statuses & {"damaged", "failed"} else 0
