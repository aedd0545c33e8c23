"""What is known of a label file besides its records: from ``run.json`` beside it, or from Parquet's own metadata."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from vidinfer.errors import LabelError
from vidinfer.frame import SourceInfo
from vidinfer.record import LABELS_FORMAT
from vidinfer.stages import ModelInfo

__all__ = ["RunFacts", "read_facts"]

_PIECE = re.compile(r"\.\d{8}T\d{6}Z(_\d+)?$")
"""What the label files of a live stream have behind its name."""


@dataclass(frozen=True, slots=True)
class RunFacts:
    """Of the run that wrote a label file."""

    source: SourceInfo
    model: ModelInfo
    """Its ``categories`` are empty where they were not written down."""
    live: bool
    frames: int | None
    """Of the video: counted, or claimed where the run ended before it did (``--end``, ``--max-frames``, Ctrl-C);
    ``None`` where only Parquet's metadata is there."""
    records: int | None
    """That the label file must hold, where the run counted them."""
    fast_decoding: bool = False
    """Pictures were decoded without the loop filter."""


def read_facts(path: Path, base: str, metadata: Mapping[str, Any] | None) -> RunFacts:
    """The facts of the label file ``path``.

    Args:
        base: its name without ``.labels.jsonl`` and the like.
        metadata: of a Parquet file, for want of a ``run.json``.

    Raises:
        LabelError: neither is there, or it is not what it should be.
    """
    report = path.with_name(f"{_PIECE.sub('', base)}.run.json")
    document: Mapping[str, Any]
    if report.exists() or metadata is None:
        document, where = _read(report, path), str(report)
    else:
        document, where = metadata, f"{path}: its metadata"
    try:
        form = document.get("labels_format", LABELS_FORMAT)
        if not isinstance(form, int) or form > LABELS_FORMAT:
            raise LabelError(
                f"{where}: labels of format {form!r}, and this version reads up to {LABELS_FORMAT}; "
                f"use the vidinfer that wrote them, or a later one"
            )
        categories = document["model"].get("categories") or ((metadata or {}).get("model") or {}).get(
            "categories"
        )
        return _facts(document, path, categories)
    except (KeyError, TypeError, ValueError, ZeroDivisionError, AttributeError) as error:
        if isinstance(error, LabelError):
            raise
        raise LabelError(
            f"{where}: not what a run of vidinfer writes ({type(error).__name__}: {error}); "
            f"take an unchanged copy, or label again"
        ) from error


def _read(report: Path, path: Path) -> Mapping[str, Any]:
    try:
        document = json.loads(report.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise LabelError(
            f"{path}: there is no {report.name} beside it, which says how large the picture is and what the model "
            f"finds; put it there"
        ) from None
    except (OSError, ValueError) as error:
        raise LabelError(f"{report}: cannot be read ({error}); take an undamaged copy") from error
    if not isinstance(document, dict):
        raise LabelError(f"{report}: not a JSON object; take an undamaged copy")
    return document


def _facts(document: Mapping[str, Any], path: Path, categories: Any) -> RunFacts:
    source, model = document["source"], document["model"]
    live = document.get("mode") == "live"
    ledger = document.get("frames") or {}
    found = source.get("found") or {}
    return RunFacts(
        source=_source(source),
        model=_model(model, categories),
        live=live,
        frames=_frames(document, ledger.get("decoded"), found.get("frames")),
        records=None if live else _records(document.get("sinks") or (), path.name),
        fast_decoding=str(found.get("loop_filter", "")).startswith("skipped"),
    )


def _frames(document: Mapping[str, Any], decoded: int | None, seen: int | None) -> int | None:
    """A source that had a frame more than was asked for has not been read to its end."""
    if decoded is None:
        return None
    more = seen is not None and seen > decoded
    if not more and document.get("status") != "interrupted":
        return decoded
    return max(decoded + more, document["source"].get("frames_claimed") or 0)


def _source(facts: Mapping[str, Any]) -> SourceInfo:
    width, height = facts.get("size") or (facts.get("width"), facts.get("height"))
    if not (isinstance(width, int) and isinstance(height, int) and width > 0 and height > 0):
        raise ValueError(f"a picture of {width} x {height}")
    rate = facts.get("rate_claimed")
    return SourceInfo(
        name=str(facts["name"]),
        width=width,
        height=height,
        time_base=Fraction(facts.get("time_base") or 1),
        rate=None if rate is None else Fraction(rate),
        frames_claimed=facts.get("frames_claimed"),
        duration=facts.get("duration_claimed"),
        path=facts.get("path"),
        details={"bytes": facts.get("bytes")},
    )


def _model(facts: Mapping[str, Any], categories: Any) -> ModelInfo:
    return ModelInfo(
        name=str(facts["name"]),
        task=str(facts["task"]),
        categories=tuple(map(str, categories or ())),
        weights=str(facts.get("weights", "none")),
        keypoints=tuple(map(str, facts.get("keypoints") or ())),
        skeleton=tuple((int(a), int(b)) for a, b in facts.get("skeleton") or ()),
        details={"masks": facts.get("masks") is True},
    )


def _records(sinks: Any, name: str) -> int | None:
    for sink in sinks:
        if name in sink.get("files", ()):
            records = sink.get("records")
            return int(records) if records is not None else None
    return None
