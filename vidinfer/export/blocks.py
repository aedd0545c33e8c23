"""What a label file holds, as it is read: some records at a time, findings in columns as they were written."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from vidinfer.frame import FrameStamp, Gap
from vidinfer.record import Entry, Outcome
from vidinfer.sink.findings import BOX, Findings

__all__ = ["By", "LabelBlock", "LabelRecord", "whose"]

By: TypeAlias = Literal["model", "propagated"]


@dataclass(frozen=True, slots=True)
class LabelRecord:
    """One frame or gap, and what was found in it: ``n`` findings, best first."""

    entry: Entry
    """Its ``row`` says whether the model looked at it, and is of no other use."""
    found: Findings
    """Of this record alone."""

    @property
    def stamp(self) -> FrameStamp | None:
        """Which frame; ``None`` for a gap."""
        return None if isinstance(self.entry.at, Gap) else self.entry.at

    @property
    def labelled(self) -> bool:
        """The model saw it, or one that it looks like (``propagated``): no findings means that there is nothing. Of all
        others nobody knows."""
        return self.entry.outcome is Outcome.LABELLED

    @property
    def propagated(self) -> bool:
        """The findings are those of ``entry.alike``, a frame that it looks like."""
        return self.entry.by == "propagated"

    @property
    def boxes(self) -> NDArray[np.float64]:
        """``(n, 4)``: x1, y1, x2, y2 in pixels of the displayed picture."""
        return np.stack([self.found.numbers[name] for name in BOX], axis=1)


@dataclass(frozen=True, slots=True)
class LabelBlock:
    """Records in the order of the file. The findings of entry ``i`` are ``offsets[i]:offsets[i+1]``."""

    entries: Sequence[Entry]
    found: Findings

    def records(self) -> Iterator[LabelRecord]:
        """One after the other; their arrays are views."""
        offsets = self.found.offsets.tolist()
        for i, entry in enumerate(self.entries):
            yield LabelRecord(entry, _part(self.found, offsets[i], offsets[i + 1]))


def _part(found: Findings, first: int, last: int) -> Findings:
    part = slice(first, last)
    return Findings(
        np.array([0, last - first]),
        found.labels[part],
        {name: values[part] for name, values in found.numbers.items()},
        None if found.masks is None else found.masks[part],
        None if found.keypoints is None else found.keypoints[part],
    )


def whose(by: object, index: object, pts: object, base: Fraction) -> tuple[By | None, FrameStamp | None]:
    """``by`` and ``alike`` of an entry.

    Args:
        by: ``model``, ``propagated``, or nothing in runs that show each frame to the model.
        index, pts: of the frame that propagated findings come from.
        base: of ``pts``.

    Raises:
        ValueError: no record of vidinfer has these.
    """
    if by not in (None, "model", "propagated"):
        raise ValueError(f"by {by!r}")
    if by != "propagated":
        return by, None
    if not isinstance(index, int) or not (pts is None or isinstance(pts, int)):
        raise ValueError(f"propagated from frame {index!r}, pts {pts!r}")
    return "propagated", FrameStamp(index, pts, base)
