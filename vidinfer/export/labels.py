"""The one reader of label files: whatever their format, the same records.

::

    labels = open_labels(Path("out/clip.labels.jsonl"))
    for record in labels.records():
        record.stamp, record.labelled, record.boxes, record.found
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from vidinfer.detections import BACKGROUND
from vidinfer.errors import LabelError, SinkError
from vidinfer.export.blocks import LabelBlock, LabelRecord
from vidinfer.export.facts import RunFacts, read_facts
from vidinfer.export.jsonlines import read_json_lines, read_json_names
from vidinfer.export.tables import parquet_metadata, read_csv, read_parquet, read_table_names
from vidinfer.frame import SourceInfo
from vidinfer.sink.findings import Layout, layout_of
from vidinfer.sink.rle import expand
from vidinfer.stages import ModelInfo

__all__ = ["FORMS", "LabelFile", "open_labels", "split_name"]

FORMS = ("jsonl", "parquet", "csv")
"""Formats of label files, in the order in which they are preferred: all say the same."""
_NO_CLASS = (BACKGROUND, "N/A")
"""torchvision's names for labels that nothing ever has."""


@dataclass(frozen=True, slots=True)
class LabelFile:
    """An opened label file. It may be read several times, each time from its beginning.

    Thread rule: share freely.
    """

    path: Path
    form: str
    """One of ``FORMS``."""
    facts: RunFacts
    layout: Layout

    @property
    def source(self) -> SourceInfo:
        """What was labelled: its name, the size of the displayed picture, …"""
        return self.facts.source

    @property
    def model(self) -> ModelInfo:
        """What labelled it; ``categories`` are names by label, as far as they are known."""
        return self.facts.model

    def classes(self) -> Mapping[int, str]:
        """Names of all labels that a finding can have, by label, ascending."""
        names = enumerate(self.model.categories)
        return {i: name or f"class {i}" for i, name in names if name not in _NO_CLASS}

    def blocks(self) -> Iterator[LabelBlock]:
        """All records, some at a time: memory does not depend on the length of the file.

        Raises:
            LabelError: the file is damaged, cut short, or not what its ``run.json`` says.
        """
        read = {"jsonl": read_json_lines, "csv": read_csv, "parquet": read_parquet}[self.form]
        count, last = 0, -1
        try:
            for block in read(self.path, self.layout):
                last = self._check(block, last)
                self._check_masks(block)
                count += len(block.entries)
                yield block
        except OSError as error:
            raise LabelError(f"{self.path}: cannot be read ({error.strerror or error})") from error
        expected = self.facts.records
        if expected is not None and count != expected:
            raise LabelError(
                f"{self.path}: {count} records, and its run.json counts {expected}; "
                f"take a complete copy, or label again"
            )

    def records(self) -> Iterator[LabelRecord]:
        """All records, one after the other.

        Raises:
            LabelError: as ``blocks``.
        """
        for block in self.blocks():
            yield from block.records()

    def _check(self, block: LabelBlock, last: int) -> int:
        """Frames are in order, labels have names. Returns the last frame so far."""
        for record in block.entries:
            index = getattr(record.at, "index", None)
            if index is None:
                continue
            if index <= last:
                raise LabelError(
                    f"{self.path}: frame {index} comes behind frame {last}; take an unchanged copy"
                )
            last = index
        labels = block.found.labels
        if len(labels) and labels.max() >= len(self.model.categories):
            raise LabelError(
                f"{self.path}: label {labels.max()}, and its model has names for 0 to "
                f"{len(self.model.categories) - 1}; take the run.json that belongs to it"
            )
        return last

    def _check_masks(self, block: LabelBlock) -> None:
        for counts in block.found.masks or ():
            try:
                if counts is not None:
                    expand(counts, self.layout.width, self.layout.height)
            except ValueError as error:
                raise LabelError(
                    f"{self.path}: holds {error}; take an undamaged copy, or label again"
                ) from error


def open_labels(path: Path) -> LabelFile:
    """Find out what is in a label file; its records are read later.

    Raises:
        LabelError: no label file, none that this version knows, or without its ``run.json``.
    """
    base, form = split_name(path)
    if not path.is_file():
        raise LabelError(f"{path}: no such file; check the name")
    try:
        facts = read_facts(path, base, parquet_metadata(path) if form == "parquet" else None)
        layout = layout_of(facts.source, facts.model)
    except SinkError as error:
        raise LabelError(f"{path}: {error}") from error
    except OSError as error:
        raise LabelError(f"{path}: cannot be read ({error.strerror or error})") from error
    labels = LabelFile(path, form, facts, layout)
    if not facts.model.categories and layout.kind != "flow":
        names = _names(labels)
        known = tuple(names.get(i, "N/A") for i in range(max(names, default=-1) + 1))
        model = replace(facts.model, categories=known)
        labels = replace(labels, facts=replace(facts, model=model))
    return labels


def split_name(path: Path) -> tuple[str, str]:
    """``clip.labels.jsonl`` -> ``clip``, ``jsonl``.

    Raises:
        LabelError: that is not how label files are called.
    """
    for form in FORMS:
        base = path.name.removesuffix(f".labels.{form}")
        if base != path.name:
            return base, form
    raise LabelError(f"{path}: not a label file of vidinfer; expected NAME.labels.jsonl, .parquet or .csv")


def _names(labels: LabelFile) -> Mapping[int, str]:
    """Of runs that did not write them down: those that occur, from a reading of the whole file."""
    if labels.form == "jsonl":
        return read_json_names(labels.path, labels.layout.kind)
    return read_table_names(labels.path, labels.layout) if labels.form == "csv" else {}
