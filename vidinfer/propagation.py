"""Results of one frame for those that look like it, and how often that was wrong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from vidinfer.audit import Audit, audit_facts
from vidinfer.detections import Objects, Results
from vidinfer.parity import matches
from vidinfer.record import Entry, LabelledBatch, Outcome
from vidinfer.still import StillSettings

__all__ = ["Propagation", "differ"]

_IOU = 0.5
_PIXELS = 0.95
_LOST = "the frame that its labels would have come from was not labelled"


class Propagation:
    """Gives still frames the results of the frame that they look like. Batches come in order, entries too.

    Thread rule: one thread at a time; ``propagated`` and ``audit`` from any.
    """

    def __init__(self, settings: StillSettings) -> None:
        self.settings = settings
        self._last: Results | None = None
        self._last_index = -1
        self.propagated = 0
        """Frames that got another's results, so far."""
        self.audit = Audit(0, 0)

    def as_dict(self) -> dict[str, object]:
        """Ready for JSON."""
        return audit_facts(self.settings, self.propagated, self.audit)

    def complete(self, batch: LabelledBatch) -> LabelledBatch:
        """The batch with rows for all its still frames; several entries share a row."""
        if all(entry.alike is None for entry in batch.entries):
            self._remember(batch.results, batch.entries)
            return batch
        results, shift = batch.results, 0
        needs_last = any(e.alike is not None and e.alike.index == self._last_index for e in batch.entries)
        if self._last is not None and needs_last:
            shift = 1
            results = Results.joined([self._last, results]) if results.frames else self._last
        rows = {self._last_index: 0} if shift else {}
        entries = [self._entry(entry, rows, results, shift) for entry in batch.entries]
        self._remember(results, entries)
        return LabelledBatch(entries, results)

    def _entry(self, entry: Entry, rows: dict[int, int], results: Results, shift: int) -> Entry:
        if entry.row >= 0:
            entry = replace(entry, row=entry.row + shift)
        if entry.alike is None:
            if entry.row >= 0:
                rows[entry.at.index] = entry.row  # type: ignore[union-attr] # a gap has no row
            return entry
        source = rows.get(entry.alike.index)
        if entry.row >= 0:
            if source is not None:
                self._count(differ(results.rows(source, source + 1), results.rows(entry.row, entry.row + 1)))
            return replace(entry, alike=None)
        if entry.outcome is not Outcome.LABELLED:
            return entry
        if source is None:
            return replace(entry, outcome=Outcome.FAILED, reason=_LOST)
        self.propagated += 1
        return replace(entry, row=source)

    def _count(self, missed: bool) -> None:
        self.audit = Audit(self.audit.audited + 1, self.audit.missed + missed)

    def _remember(self, results: Results, entries: Sequence[Entry]) -> None:
        """The last frame that was news; later still ones look like it."""
        for entry in reversed(entries):
            if entry.by == "model" and not entry.audited:
                self._last_index = entry.at.index  # type: ignore[union-attr] # a gap is by nobody
                found = entry.row >= 0
                self._last = results.rows(entry.row, entry.row + 1) if found else None
                return


def differ(propagated: Results, found: Results) -> bool:
    """Whether two results of one frame each say something else.

    Boxes: one of either has no partner of the same class with an IoU of 0.5. Classes: another is the best. Class maps:
    they agree in fewer than 95 % of the pixels.
    """
    if propagated.objects is not None and found.objects is not None:
        return _boxes_differ(propagated.objects, found.objects)
    if propagated.classes is not None and found.classes is not None:
        return bool((propagated.classes.labels[:, :1] != found.classes.labels[:, :1]).any())
    if propagated.segments is not None and found.segments is not None:
        same = propagated.segments.class_maps == found.segments.class_maps
        return bool(np.mean(same) < _PIXELS)
    raise ValueError("results of different tasks, or of windows of frames")


def _boxes_differ(ours: Objects, theirs: Objects) -> bool:
    if len(ours) != len(theirs):
        return True
    return len(matches(ours, theirs, least=_IOU)[0]) < len(ours)
