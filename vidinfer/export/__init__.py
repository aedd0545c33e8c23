"""Labels after the run: read back, and written in the formats of other tools."""

from vidinfer.export.blocks import LabelBlock, LabelRecord
from vidinfer.export.labels import LabelFile, open_labels

__all__ = ["LabelBlock", "LabelFile", "LabelRecord", "open_labels"]
