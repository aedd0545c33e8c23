"""WebVTT: what is seen, as captions that players show over the video.

- A cue stands from the time of its first frame to that of the next record with a time; frames that say the same share
  a cue. The last one lasts as long as the frame before it. Times are the labels' own, in milliseconds.
- Objects are counted by name (``2 car, 1 person``), of classes the best one is named; a clip's classes stand,
  with their scores, over the frames that it is made of.
- A frame that was labelled without a finding has no cue; one that was not labelled has a NOTE in its place.
- Frames without a time, before time 0, or that take less than a millisecond, cannot be shown and are counted.
- A time that goes back (a clock that started anew) cannot be said in WebVTT, and is refused.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction

from vidinfer.errors import LabelError
from vidinfer.export.blocks import LabelRecord
from vidinfer.export.labels import LabelFile
from vidinfer.export.tally import Tally, not_labelled
from vidinfer.frame import CLOCK_RESET, Gap
from vidinfer.sink.atomic import PartialFile

__all__ = ["write_webvtt"]

_USUAL = Fraction(1, 25)
"""Seconds that an only frame is shown."""
_MS = 1000


@dataclass(slots=True)
class _Cue:
    start: Fraction
    end: Fraction | None
    text: str


def write_webvtt(labels: LabelFile, _name: str, out: PartialFile) -> Tally:
    """Write ``labels`` to ``out``."""
    tally = Tally()
    out.write(f"WEBVTT {_plain(labels.source.name)}\n\n".encode("utf-8", "replace"))
    make = _clips if labels.layout.kind == "clip" else _frames
    for cue in make(labels, tally, out.write):
        text = _cue(cue, tally)
        tally.findings += bool(text)
        out.write(text.encode("utf-8", "replace"))
    return tally


def _frames(labels: LabelFile, tally: Tally, write: Callable[[bytes], None]) -> Iterator[_Cue]:
    """One for each stretch of frames that say the same."""
    names = labels.model.categories
    open_cue: _Cue | None = None
    before: Fraction | None = None
    step = _USUAL
    for record in labels.records():
        time = _time(record)
        if time is not None:
            if before is not None:
                time = _onward(time, before, labels, record)
                step = time - before or step
            before = time
        text = _said(record, names) if tally.add(record) else ""
        if record.labelled and time is None:
            tally.left_out["frames without a time"] += 1
            continue
        if open_cue is not None and (text != open_cue.text or not record.labelled):
            open_cue.end = time if time is not None else (before or open_cue.start) + step
            yield open_cue
            open_cue = None
        if not record.labelled:
            write(_note(record))
        elif text and open_cue is None and time is not None:
            open_cue = _Cue(time, None, text)
    if open_cue is not None and before is not None:
        open_cue.end = before + step
        yield open_cue


def _clips(labels: LabelFile, tally: Tally, write: Callable[[bytes], None]) -> Iterator[_Cue]:
    names = labels.model.categories
    before: Fraction | None = None
    for record in labels.records():
        if not tally.add(record):
            write(_note(record))
            continue
        span = record.entry.span
        if span is None or not len(record.found):
            continue
        if span.first_pts is None or span.last_pts is None:
            tally.left_out["clips without a time"] += 1
            continue
        base = record.entry.at.time_base
        cue = _Cue(span.first_pts * base, span.last_pts * base, _said(record, names))
        if before is not None:
            cue.start = _onward(cue.start, before, labels, record)
        before = cue.start
        yield cue


def _time(record: LabelRecord) -> Fraction | None:
    at = record.entry.at
    pts = at.first_pts if isinstance(at, Gap) else at.pts
    return None if pts is None else pts * at.time_base


def _onward(time: Fraction, before: Fraction, labels: LabelFile, record: LabelRecord) -> Fraction:
    """``time``, but not ``before``: packets and frames of a file may be in slight disorder.

    Raises:
        LabelError: a clock that started anew.
    """
    if time < before - CLOCK_RESET:
        raise _goes_back(labels, record)
    return max(time, before)


def _goes_back(labels: LabelFile, record: LabelRecord) -> LabelError:
    where = "a gap" if record.stamp is None else f"frame {record.stamp.index}"
    return LabelError(
        f"{labels.path}: time goes back at {where}, which WebVTT cannot say; export as csv, or label the parts apart"
    )


def _said(record: LabelRecord, names: tuple[str, ...]) -> str:
    found = record.found
    if "x1" in found.numbers:
        counts = Counter(names[label] for label in found.labels.tolist())
        return ", ".join(f"{count} {_plain(name)}" for name, count in sorted(counts.items()))
    labels = [_plain(names[label]) for label in found.labels.tolist()]
    if record.entry.span is None:
        return labels[0] if labels else ""
    return "\n".join(
        f"{name} {score:.2f}" for name, score in zip(labels, found.numbers["score"].tolist(), strict=True)
    )


def _cue(cue: _Cue, tally: Tally) -> str:
    assert cue.end is not None
    start, end = (max(0, round(time * _MS)) for time in (cue.start, cue.end))
    if start >= end:
        tally.left_out["too short to be shown, or before time 0"] += 1
        return ""
    return f"{_stamp(start)} --> {_stamp(end)}\n{cue.text}\n\n"


def _stamp(ms: int) -> str:
    seconds, ms = divmod(ms, _MS)
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}.{ms:03d}"


def _note(record: LabelRecord) -> bytes:
    facts = ", ".join(f"{key} {value}" for key, value in not_labelled(record).items() if value is not None)
    return f"NOTE not labelled: {_plain(facts)}\n\n".encode("utf-8", "replace")


def _plain(text: str) -> str:
    """On one line, and nothing that WebVTT would read as markup or as a cue's times."""
    return " ".join(text.split()).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
