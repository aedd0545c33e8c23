"""What an export has to say of itself, and the frames that nobody labelled."""

from __future__ import annotations

import csv
import io
from collections import Counter
from typing import Any

from vidinfer.export.blocks import LabelRecord
from vidinfer.frame import Gap

__all__ = ["NotLabelledTable", "Tally", "not_labelled"]


class Tally:
    """Counts. Thread rule: one thread at a time."""

    def __init__(self) -> None:
        self.labelled = 0
        """Frames with labels."""
        self.propagated = 0
        """Of those, frames that have the labels of one that they look like."""
        self.findings = 0
        """Findings written."""
        self.others: Counter[str] = Counter()
        """Records of frames and gaps without labels, by outcome."""
        self.left_out: Counter[str] = Counter()
        """Findings that the format cannot hold, by reason."""

    def add(self, record: LabelRecord) -> bool:
        """Count ``record``. Returns whether it was labelled."""
        if record.labelled:
            self.labelled += 1
            self.propagated += record.propagated
        else:
            self.others[record.entry.outcome.value] += 1
        return record.labelled


def not_labelled(record: LabelRecord) -> dict[str, Any]:
    """A frame or gap about which nobody knows anything, ready for JSON."""
    entry, at = record.entry, record.entry.at
    base = f"{at.time_base.numerator}/{at.time_base.denominator}"
    if isinstance(at, Gap):
        where: dict[str, Any] = {"first_pts": at.first_pts, "last_pts": at.last_pts, "packets": at.packets}
    else:
        where = {"frame": at.index, "pts": at.pts}
    return {"outcome": entry.outcome.value, "reason": entry.reason, "time_base": base, **where}


class NotLabelledTable:
    """``not_labelled.csv``, for formats that have no place for it. Damage is rare, so its text is kept in memory."""

    COLUMNS = ("frame", "pts", "time_base", "outcome", "reason", "first_pts", "last_pts", "packets")

    def __init__(self) -> None:
        self._text = io.StringIO(newline="")
        self._writer = csv.writer(self._text, lineterminator="\n")
        self._writer.writerow(self.COLUMNS)

    def add(self, record: LabelRecord) -> None:
        """Append a row."""
        row = not_labelled(record)
        self._writer.writerow([row.get(name) for name in self.COLUMNS])

    def data(self) -> bytes:
        """The file."""
        return self._text.getvalue().encode()
