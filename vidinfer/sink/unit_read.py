"""Units of an archive read back: the receipt, and the batches that every label format can write."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from vidinfer.detections import Results
from vidinfer.errors import SinkError
from vidinfer.frame import FrameStamp, Gap
from vidinfer.record import Entry, LabelledBatch, Outcome, Span
from vidinfer.sink.findings import NUMBERS, Findings, Layout
from vidinfer.sink.seal import DamagedUnit, check_seal
from vidinfer.sink.unit import RECEIPT, unit_columns

__all__ = ["DamagedUnit", "read_receipt", "read_unit"]

ROWS = 1024
"""Frames in memory at a time."""
_COMMON = ("outcome", "time_base", "frame", "pts", "duration", "keyframe", "reason", "by", "audited")
"""Columns that most rows have."""
_OUTCOMES = {outcome.value: outcome for outcome in Outcome}
_GAP = Outcome.GAP.value


def read_receipt(path: Path) -> dict[str, Any] | None:
    """The receipt of a unit, which the file is named after; ``None`` where there is no file.

    Raises:
        DamagedUnit: the file is no unit, was cut off, or is another unit.
        SinkError: it cannot be read.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        check_seal(path, rows=False)
        found = (pq.read_metadata(path).metadata or {}).get(RECEIPT.encode())
        receipt = None if found is None else json.loads(found)
    except FileNotFoundError:
        return None
    except DamagedUnit:
        raise
    except (pa.ArrowException, ValueError) as error:
        raise DamagedUnit(f"{path}: not a whole unit ({_first_line(error)})") from error
    except OSError as error:
        if error.errno is None:  # the library's own: what it read makes no sense
            raise DamagedUnit(f"{path}: not a whole unit ({_first_line(error)})") from error
        raise SinkError(f"{path}: cannot be read ({error.strerror}); check the disk") from error
    if not isinstance(receipt, dict):
        raise DamagedUnit(f"{path}: a Parquet file without a receipt")
    if receipt.get("unit") != path.stem:
        raise DamagedUnit(f"{path}: not this unit, but {receipt.get('unit')}")
    return receipt


def read_unit(
    path: Path, layout: Layout, categories: tuple[str, ...]
) -> Iterator[tuple[LabelledBatch, Findings]]:
    """The records of a unit in order, some at a time, with their findings as :func:`~vidinfer.sink.findings.find`
    gave them. The results hold no more than the number of frames: the findings are all that label files need.

    Raises:
        DamagedUnit: the file is not whole, or of another layout.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        check_seal(path, rows=True)
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            expected = list(unit_columns(layout))
            if file.schema_arrow.names != expected:
                raise DamagedUnit(f"{path}: its columns are not those of this model's findings")
            for batch in file.iter_batches(ROWS):
                yield _batch(batch, layout, categories)
    except SinkError:
        raise
    except (pa.ArrowException, OSError) as error:
        raise DamagedUnit(f"{path}: not a whole unit ({_first_line(error)})") from error


def _batch(batch: Any, layout: Layout, categories: tuple[str, ...]) -> tuple[LabelledBatch, Findings]:
    lists = batch.column("labels" if layout.kind != "flow" else NUMBERS["flow"][0])
    known = np.asarray(lists.is_valid())
    rows = np.where(known, np.cumsum(known) - 1, -1)
    counts = np.asarray(lists.value_lengths().fill_null(0))[known]
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    labels = np.asarray(lists.flatten(), np.int64) if layout.kind != "flow" else np.zeros(0, np.int64)
    numbers = {name: _floats(batch.column(name).flatten()) for name in NUMBERS[layout.kind]}
    masks = batch.column("masks").flatten().to_pylist() if layout.masks else None
    points = None
    if layout.keypoints:
        flat = _floats(batch.column("keypoints").flatten().flatten())
        points = flat.reshape(-1, layout.keypoints, 3)
    found = Findings(offsets, labels, numbers, masks, points)
    return LabelledBatch(_entries(batch, rows.tolist()), Results(int(known.sum()), categories)), found


def _floats(column: Any) -> Any:
    return np.array(column.to_numpy(zero_copy_only=False), np.float64)


def _entries(batch: Any, rows: list[int]) -> list[Entry]:
    columns = {
        field.name: _plain(batch.column(field.name))
        for field in batch.schema
        if not str(field.type).startswith("list")
    }
    bases: dict[str, Fraction] = {text: Fraction(text) for text in set(columns["time_base"])}
    common = zip(rows, *(columns[name] for name in _COMMON), strict=True)
    spans, froms = columns["span_frames"], columns["from_frame"]
    found = []
    for i, (row, word, text, frame, pts, duration, keyframe, reason, by, audited) in enumerate(common):
        if word == _GAP:
            found.append(_gap(columns, i, bases[text]))
            continue
        stamp = FrameStamp(frame, pts, bases[text], duration, bool(keyframe))
        span = None if spans[i] is None else _span(columns, i)
        of = froms[i]
        alike = None if of is None else FrameStamp(of, columns["from_pts"][i], bases[text])
        found.append(Entry(_OUTCOMES[word], stamp, row, reason, None, span, None, by, alike, bool(audited)))
    return found


def _plain(column: Any) -> list[Any]:
    """As ``to_pylist`` gives it, which makes an object of the library's own for each value on the way."""
    if column.null_count == len(column):
        return [None] * len(column)
    if column.null_count:
        found: list[Any] = column.to_pylist()
        return found
    if hasattr(column, "dictionary"):
        words = column.dictionary.to_pylist()
        return [words[i] for i in column.indices.to_numpy().tolist()]
    values: list[Any] = column.to_numpy(zero_copy_only=False).tolist()
    return values


def _gap(columns: Mapping[str, list[Any]], i: int, base: Fraction) -> Entry:
    first, last, packets, reason = (
        columns[name][i] for name in ("first_pts", "last_pts", "packets", "reason")
    )
    return Entry(Outcome.GAP, Gap(first, last, base, packets, reason), reason=reason)


def _span(columns: Mapping[str, list[Any]], i: int) -> Span:
    first, last, frames, seconds, padded = (
        columns[f"span_{name}"][i] for name in ("first_pts", "last_pts", "frames", "seconds", "padded")
    )
    return Span(first, last, frames, seconds, bool(padded))


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
