"""Stage 1: where frames come from."""

from vidinfer.source.expand import Expanded, SourceFile, expand_sources
from vidinfer.source.open import open_source
from vidinfer.source.probe import probe
from vidinfer.source.samples import sample_pictures
from vidinfer.source.synthetic import synthetic_clip

__all__ = [
    "Expanded",
    "SourceFile",
    "expand_sources",
    "open_source",
    "probe",
    "sample_pictures",
    "synthetic_clip",
]
