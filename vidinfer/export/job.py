"""Many label files, one format: what can be refused is refused first; one file that fails does not stop the rest."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from vidinfer.errors import LabelError, SinkError, UsageError, VidinferError
from vidinfer.export.find import FoundLabels, find_labels
from vidinfer.export.labels import LabelFile, open_labels
from vidinfer.export.registry import ExportFormat, export_format
from vidinfer.export.tally import Tally
from vidinfer.outputs import check_writable
from vidinfer.sink.atomic import PartialFile, output_error
from vidinfer.sink.folder import PartialFolder

__all__ = ["Exported", "export_labels", "open_all", "refuse_existing"]


@dataclass(frozen=True, slots=True)
class Exported:
    """One output, complete and under its final name."""

    labels: Path
    output: Path
    tally: Tally
    leaves_out: tuple[str, ...]
    """What the format has no place for: ``masks``, …"""


def export_labels(
    specs: Sequence[str],
    to: str,
    out: Path,
    *,
    overwrite: bool = False,
    done: Callable[[Exported], None],
    failed: Callable[[VidinferError], None],
) -> None:
    """Export label files, and those in folders.

    Args:
        specs: label files and folders of them.
        to: a name of ``EXPORT_FORMATS``.
        out: the folder for the outputs; folders of the labels are mirrored in it.
        overwrite: replace outputs that are there already.
        done: called after each output.
        failed: called for each label file that cannot be exported; the others go on.

    Raises:
        UsageError: no such format, one that cannot hold these labels, or outputs that exist; nothing is written then.
        LabelError: there is nothing to export.
        SinkError: the output folder cannot be written.
    """
    form = export_format(to)
    opened = open_all(specs, failed)
    for _, labels in opened:
        form.require(labels)
    if not overwrite:
        refuse_existing([form.path(out, found.name) for found, _ in opened])
    check_writable(out)
    for found, labels in opened:
        output = form.path(out, found.name)
        try:
            tally = _write(form, labels, found.name, output, overwrite=overwrite)
        except (LabelError, SinkError) as error:
            failed(error)
            continue
        done(Exported(found.path, output, tally, form.leaves_out(labels.layout)))


def open_all(
    specs: Sequence[str], failed: Callable[[VidinferError], None]
) -> list[tuple[FoundLabels, LabelFile]]:
    """Every label file that can be opened; ``failed`` is told of the others.

    Raises:
        LabelError: there is only one thing given, and it cannot be used.
    """
    files, errors = find_labels(specs)
    opened = []
    for found in files:
        try:
            opened.append((found, open_labels(found.path)))
        except LabelError as error:
            errors.append(error)
    if not opened and len(errors) == 1:
        raise errors[0]
    for problem in errors:
        failed(problem)
    return opened


def refuse_existing(outputs: Sequence[Path]) -> None:
    """Find out before any work is done that outputs are there already.

    Raises:
        UsageError: names the first one, and how many more.
    """
    existing = [path for path in outputs if path.exists()]
    if existing:
        more = f" (and {len(existing) - 1} more)" if len(existing) > 1 else ""
        raise UsageError(
            f"output exists: {existing[0]}{more}; give --overwrite to replace it, or another --out"
        )


def _write(form: ExportFormat, labels: LabelFile, name: str, output: Path, *, overwrite: bool) -> Tally:
    if form.folder is not None:
        folder = PartialFolder(output, overwrite=overwrite)
        try:
            tally = form.folder(labels, name, folder)
            folder.commit()
        finally:
            folder.abort()  # changes nothing after a commit
        return tally
    assert form.file is not None
    file = PartialFile(output, overwrite=overwrite)
    try:
        tally = form.file(labels, name, file)
        file.commit()
    except VidinferError:
        raise
    except OSError as error:
        raise output_error(output, error) from error
    finally:
        file.abort()
    return tally
