"""Stage 1: where frames come from."""

from vidinfer.source.expand import Expanded, SourceFile, expand_sources
from vidinfer.source.header import Header, read_header
from vidinfer.source.index import Split, split
from vidinfer.source.live import open_live
from vidinfer.source.live_address import LiveAddress, parse_live
from vidinfer.source.open import open_source
from vidinfer.source.part import WHOLE, Part
from vidinfer.source.probe import probe
from vidinfer.source.samples import sample_pictures
from vidinfer.source.synthetic import synthetic_clip
from vidinfer.source.wire import answers

__all__ = [
    "WHOLE",
    "Expanded",
    "Header",
    "LiveAddress",
    "Part",
    "SourceFile",
    "Split",
    "answers",
    "expand_sources",
    "open_live",
    "open_source",
    "parse_live",
    "probe",
    "read_header",
    "sample_pictures",
    "split",
    "synthetic_clip",
]
