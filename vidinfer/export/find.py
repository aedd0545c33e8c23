"""From what the user typed (label files, folders of them) to label files and the names that their outputs get."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from vidinfer.errors import LabelError
from vidinfer.export.labels import FORMS, split_name
from vidinfer.source.expand import SourceFile, named_apart

__all__ = ["FoundLabels", "find_labels"]


@dataclass(frozen=True, slots=True)
class FoundLabels:
    """One label file."""

    path: Path
    name: str
    """Relative, ``/`` between folders, without ``.labels.jsonl`` and the like; all different. Outputs mirror it."""


def find_labels(specs: Sequence[str]) -> tuple[list[FoundLabels], list[LabelError]]:
    """Resolve files and folders; folders are searched through all their subfolders, hidden ones left out.

    Where the same labels are there in several formats, one of them is taken.

    Returns:
        The files, in the order asked for, sorted within a folder; and what came to nothing.
    """
    found: dict[Path, SourceFile] = {}
    errors = []
    for spec in specs:
        try:
            for path, name in _expand(Path(spec).expanduser()):
                base = path.resolve().with_name(split_name(path)[0])
                found.setdefault(base, SourceFile(path, PurePosixPath(name)))
        except LabelError as error:
            errors.append(error)
    files = named_apart({file.path: file for file in found.values()})
    return [FoundLabels(Path(str(file.path)), _without_form(file.name)) for file in files], errors


def _without_form(name: PurePosixPath) -> str:
    return str(name.with_name(split_name(Path(name))[0]))


def _expand(path: Path) -> list[tuple[Path, str]]:
    if not path.is_dir():
        split_name(path)
        if not path.exists():
            raise LabelError(f"{path}: no such file; check the name")
        return [(path, path.name)]
    denied: list[OSError] = []
    files: list[Path] = []
    for root, folders, names in os.walk(path, onerror=denied.append):
        folders[:] = [name for name in folders if not name.startswith(".")]
        files += [Path(root, name) for name in names if _is_labels(name)]
    if not files and denied:
        raise LabelError(f"{path}: no permission to look into it; allow it with chmod, or run as its owner")
    if not files:
        raise LabelError(
            f"{path}: a folder without label files; expected NAME.labels.jsonl, .parquet or .csv in it"
        )
    files.sort(key=lambda file: (file.with_name(split_name(file)[0]), FORMS.index(split_name(file)[1])))
    return [(file, file.relative_to(path).as_posix()) for file in files]


def _is_labels(name: str) -> bool:
    return not name.startswith(".") and any(name.endswith(f".labels.{form}") for form in FORMS)
