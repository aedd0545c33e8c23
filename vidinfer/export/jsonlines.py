"""Reads what :mod:`vidinfer.sink.jsonl` writes."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from vidinfer.errors import LabelError
from vidinfer.export.blocks import LabelBlock, whose
from vidinfer.frame import FrameStamp, Gap
from vidinfer.record import Entry, Outcome, Span
from vidinfer.sink.findings import BOX, NUMBERS, Findings, Layout

__all__ = ["read_json_lines", "read_json_names"]

_LINES = 64
_BYTES = 4 << 20
"""A block ends with either."""
_LONGEST = 64 << 20
"""Bytes of a line; no record is as long."""
_BROKEN = (KeyError, TypeError, ValueError, ZeroDivisionError, AttributeError, IndexError, OverflowError)
"""What a record that is none makes of its reader."""
_FLOW = ("mean", "max", "direction", "moving", "seconds")


def read_json_lines(path: Path, layout: Layout) -> Iterator[LabelBlock]:
    """The records of ``path``, some at a time.

    Raises:
        LabelError: damaged, cut short, or of another layout; names the line.
        OSError: cannot be read.
    """
    records: list[Mapping[str, Any]] = []
    size = first = 0
    for number, line, record in _lines(path):
        first = first or number
        records.append(record)
        size += len(line)
        if len(records) >= _LINES or size >= _BYTES:
            yield _block(path, first, records, layout)
            records, size, first = [], 0, 0
    if records:
        yield _block(path, first, records, layout)


def read_json_names(path: Path, key: str) -> dict[int, str]:
    """The names of all labels in the file, by label; ``key`` is that of the findings.

    Raises:
        LabelError: damaged.
        OSError: cannot be read.
    """
    names: dict[int, str] = {}
    for number, _, record in _lines(path):
        try:
            for item in _items(record.get(key), key):
                names[int(item["label_id"])] = str(item["label"])
        except _BROKEN as error:
            raise _damaged(path, number, error) from error
    return names


def _lines(path: Path) -> Iterator[tuple[int, bytes, Mapping[str, Any]]]:
    with path.open("rb") as file:
        number = 0
        while line := file.readline(_LONGEST):
            number += 1
            if not line.endswith(b"\n"):
                raise LabelError(f"{path}: cut short in line {number}; take a complete copy, or label again")
            try:
                record = json.loads(line)
            except (ValueError, RecursionError) as error:
                raise _damaged(path, number, error) from error
            if not isinstance(record, dict):
                raise LabelError(f"{path}: line {number} is no JSON object; take an undamaged copy")
            yield number, line, record


def _damaged(path: Path, number: int, error: Exception, lines: int = 1) -> LabelError:
    """Of line ``number``, or one of the ``lines`` from there on."""
    if isinstance(error, LabelError):
        return error
    what = f"no {error}" if isinstance(error, KeyError) else str(error)
    where = f"line {number} is" if lines == 1 else f"one of lines {number} to {number + lines - 1} is"
    return LabelError(
        f"{path}: {where} not a record of vidinfer ({what}); take an undamaged copy, or label again"
    )


def _block(path: Path, first: int, records: Sequence[Mapping[str, Any]], layout: Layout) -> LabelBlock:
    entries: list[Entry] = []
    items: list[Mapping[str, Any]] = []
    offsets = [0]
    for i, record in enumerate(records):
        try:
            entry, found = _entry(record, i, layout)
            items += [_checked(item, layout) for item in found]
        except _BROKEN as error:
            raise _damaged(path, first + i, error) from error
        entries.append(entry)
        offsets.append(len(items))
    try:
        return LabelBlock(entries, _findings(np.array(offsets, np.int64), items, layout))
    except _BROKEN as error:  # found in columns: which line, nobody knows
        raise _damaged(path, first, error, len(records)) from error


def _entry(record: Mapping[str, Any], row: int, layout: Layout) -> tuple[Entry, Sequence[Mapping[str, Any]]]:
    """The entry, and its findings as they stand."""
    outcome, base = Outcome(record["outcome"]), Fraction(record["time_base"])
    reason = record.get("reason")
    if outcome is Outcome.GAP:
        gap = Gap(record["first_pts"], record["last_pts"], base, int(record["packets"]), str(reason))
        return Entry(outcome, gap, reason=gap.reason), ()
    index, pts = record["frame"], record["pts"]
    if not isinstance(index, int) or not (pts is None or isinstance(pts, int)):
        raise ValueError(f"frame {index!r}, pts {pts!r}")
    stamp = FrameStamp(index, pts, base)
    if outcome is not Outcome.LABELLED:
        return Entry(outcome, stamp, reason=reason), ()
    by, alike = whose(record.get("by"), record.get("from_frame"), record.get("from_pts"), base)
    key = layout.kind
    if key not in record and key in ("clip", "flow"):
        return Entry(outcome, stamp, by=by, alike=alike), ()
    found = record[key]
    span = _span(found) if key == "clip" else None
    return Entry(outcome, stamp, row=row, span=span, by=by, alike=alike), _items(found, key)


def _items(found: Any, key: str) -> Sequence[Mapping[str, Any]]:
    if found is None:
        return ()
    if key == "flow":
        return [found]
    items = found["classes"] if key == "clip" else found
    if not isinstance(items, list):
        raise ValueError(f"{key} is no list")
    return items


def _span(clip: Mapping[str, Any]) -> Span:
    return Span(
        clip.get("first_pts"),
        clip.get("last_pts"),
        int(clip.get("frames", 0)),
        None,
        clip.get("padded") is True,
    )


def _checked(item: Mapping[str, Any], layout: Layout) -> Mapping[str, Any]:
    """``item``, whose parts have the form that its layout promises."""
    kind = layout.kind
    if kind == "flow":
        return item
    if not isinstance(item["label_id"], int) or item["label_id"] < 0:
        raise ValueError(f"label_id {item['label_id']!r}")
    if kind == "objects" and len(item["box"]) != 4:
        raise ValueError(f"a box of {len(item['box'])} numbers")
    if layout.keypoints:
        shape = {len(point) for point in item["keypoints"]}
        if len(item["keypoints"]) != layout.keypoints or shape != {3}:
            raise ValueError(f"expected {layout.keypoints} keypoints of three numbers")
    if layout.masks:
        mask = item["rle" if kind == "segments" else "mask"]
        if mask is not None and mask["size"] != [layout.height, layout.width]:
            raise ValueError(f"a mask of {mask['size']}, expected {[layout.height, layout.width]}")
    return item


def _findings(offsets: Any, items: Sequence[Mapping[str, Any]], layout: Layout) -> Findings:
    kind, m = layout.kind, len(items)
    if kind == "flow":
        columns = [[item[name] for item in items] for name in _FLOW]
        labels = np.zeros(0, np.int64)
    else:
        labels = np.array([item["label_id"] for item in items], np.int64)
        if kind == "objects":
            boxes = np.array([item["box"] for item in items], np.float64).reshape(m, len(BOX))
            columns = [[item["score"] for item in items], *boxes.T]
        else:
            (name,) = NUMBERS[kind]
            columns = [[item[name] for item in items]]
    numbers = {
        name: np.array(column, np.float64) for name, column in zip(NUMBERS[kind], columns, strict=True)
    }
    masks = points = None
    if layout.masks:
        given = [item["rle" if kind == "segments" else "mask"] for item in items]
        masks = [None if mask is None else str(mask["counts"]) for mask in given]
    if layout.keypoints:
        points = np.array([item["keypoints"] for item in items], np.float64).reshape(m, layout.keypoints, 3)
    return Findings(offsets, labels, numbers, masks, points)
