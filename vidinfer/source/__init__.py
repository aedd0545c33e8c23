"""Stage 1: where frames come from."""

from vidinfer.source.expand import Expanded, SourceFile, expand_sources
from vidinfer.source.open import open_source
from vidinfer.source.probe import probe

__all__ = ["Expanded", "SourceFile", "expand_sources", "open_source", "probe"]
