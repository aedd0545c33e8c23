"""``manifest.parquet``: one row for each source of an archive, with what became of it and of its frames."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from vidinfer.sink.atomic import PartialFile, output_error
from vidinfer.sink.text import utf8

__all__ = ["MANIFEST", "ManifestRow", "read_manifest", "write_manifest"]

MANIFEST = "manifest.parquet"


@dataclass(frozen=True, slots=True)
class ManifestRow:
    """A source; ``None`` where it is not known. The same whenever and wherever the run took place."""

    source: str
    status: str
    """``complete``, ``damaged``, ``failed``, ``quarantined`` or ``interrupted``."""
    error: str | None = None
    path: str | None = None
    bytes: int | None = None
    fingerprint: str | None = None
    codec: str | None = None
    width: int | None = None
    height: int | None = None
    seconds: float | None = None
    """As claimed."""
    units: int | None = None
    decoded: int | None = None
    labelled: int | None = None
    skipped: int | None = None
    corrupt: int | None = None
    failed: int | None = None
    gaps: int | None = None
    packets_lost: int | None = None
    outputs: tuple[str, ...] = ()
    """Relative to the folder of the manifest."""
    sha256: tuple[str, ...] = ()
    """Of each output."""


def write_manifest(path: Path, rows: Sequence[ManifestRow]) -> None:
    """Sorted by source; replaces the one of an earlier run.

    Raises:
        SinkError: not writable.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    text, integer = pa.string(), pa.int64()
    integers = (
        "bytes",
        "width",
        "height",
        "units",
        "decoded",
        "labelled",
        "skipped",
        "corrupt",
        "failed",
        "gaps",
    )
    types = {
        **dict.fromkeys(("source", "status", "error", "path", "fingerprint", "codec"), text),
        **dict.fromkeys((*integers, "packets_lost"), integer),
        "seconds": pa.float64(),
        **dict.fromkeys(("outputs", "sha256"), pa.list_(text)),
    }
    schema = pa.schema([(name, types[name]) for name in ManifestRow.__dataclass_fields__])
    table = pa.Table.from_pylist([_texts(row) for row in sorted(rows, key=lambda row: row.source)], schema)
    file = PartialFile(path, overwrite=True)
    try:
        pq.write_table(table, file.file, compression="zstd")
        file.commit()
    except OSError as error:
        raise output_error(path, error) from error
    finally:
        file.abort()  # changes nothing after a commit


def _texts(row: ManifestRow) -> dict[str, object]:
    """Names as label files have them."""
    found = {name: utf8(one) if isinstance(one, str) else one for name, one in asdict(row).items()}
    return {**found, "outputs": [utf8(output) for output in row.outputs]}


def read_manifest(path: Path) -> list[tuple[str, str, str | None]]:
    """Source, status and error of each row; nothing where there is no such file, or it is not whole.

    Raises:
        OSError: it cannot be read.
    """
    if not path.exists():
        return []
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(path, columns=["source", "status", "error"])
    except (pa.ArrowException, KeyError):
        return []
    return list(zip(*(table.column(name).to_pylist() for name in ("source", "status", "error")), strict=True))
