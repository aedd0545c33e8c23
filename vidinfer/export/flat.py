"""CSV: the rows that ``--labels csv`` writes, byte for byte; see :mod:`vidinfer.sink.csv` for its columns.

``frame`` counts displayed frames from 0, ``x1``, ``y1``, ``x2``, ``y2`` are pixels of the displayed picture. Frames and
gaps without labels have a row that says so.
"""

from __future__ import annotations

from vidinfer.detections import Results
from vidinfer.export.labels import LabelFile
from vidinfer.export.tally import Tally
from vidinfer.record import LabelledBatch
from vidinfer.sink.atomic import PartialFile
from vidinfer.sink.csv import CsvWriter

__all__ = ["write_csv"]


def write_csv(labels: LabelFile, _name: str, out: PartialFile) -> Tally:
    """Write ``labels`` to ``out``. Their source keeps its own name."""
    tally = Tally()
    writer = CsvWriter(out.file, labels.source, labels.model)
    nothing = Results(0, labels.model.categories)
    for block in labels.blocks():
        writer.write(LabelledBatch(block.entries, nothing), block.found)
        for record in block.records():
            tally.add(record)
        tally.findings += len(block.found)
    writer.finish()
    return tally
