"""What leaves the pipeline: batches of entries, one entry per frame or gap, in presentation order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from vidinfer.arrival import Arrival
from vidinfer.detections import Results
from vidinfer.frame import FrameStamp, Gap, Picture

__all__ = ["LABELS_FORMAT", "Entry", "LabelledBatch", "Outcome", "Span"]

LABELS_FORMAT = 1
"""Of the records in label files; ``run.json`` and Parquet files tell it. Higher where an older reader would misread."""


class Outcome(StrEnum):
    """What became of a frame. Each decoded frame has exactly one."""

    LABELLED = "labelled"
    DROPPED = "dropped"
    CORRUPT = "corrupt"
    FAILED = "failed"
    GAP = "gap"
    """Not a frame: a stretch that could not be decoded."""


@dataclass(frozen=True, slots=True)
class Span:
    """The frames that one place of a batch was made of: of a clip, or a pair of neighbours."""

    first_pts: int | None
    last_pts: int | None
    """Of the last frame that is part of it."""
    frames: int
    """Different frames in it."""
    seconds: float | None
    """From the first to the last; ``None`` where a time is missing."""
    padded: bool = False
    """The source ended before the window was full, and its last frame was repeated."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the record."""

    outcome: Outcome
    at: FrameStamp | Gap
    """A :class:`Gap` exactly when the outcome is ``GAP``."""
    row: int = -1
    """The frame's row in ``LabelledBatch.results``; -1 where the model gave none. Of a window of frames, the one that
    closes it has the row."""
    reason: str | None = None
    """Why, for every outcome but ``LABELLED``."""
    picture: Picture | None = None
    """The decoder's own frame, kept only when somebody will draw on it."""
    span: Span | None = None
    """With ``row``, where the model looks at several frames at once."""
    arrival: Arrival | None = None
    """Of a live source."""
    by: Literal["model", "propagated"] | None = None
    """Whose a labelled frame's results are, where still frames are not all shown to the model; else ``None``."""
    alike: FrameStamp | None = None
    """The frame that it looks like, whose results are propagated to it."""
    audited: bool = False
    """The model saw it although it is still."""


@dataclass(frozen=True, slots=True)
class LabelledBatch:
    """Entries in presentation order with the results they point into."""

    entries: Sequence[Entry]
    results: Results
