"""Every option of a run: the same names, types and limits for flags, files and Python. Knows nothing of torch or av."""

from vidinfer.config.file import read_file
from vidinfer.config.options import GROUPS, OPTIONS, Group, Option, nearest
from vidinfer.config.run import RunConfig

__all__ = ["GROUPS", "OPTIONS", "Group", "Option", "RunConfig", "nearest", "read_file"]
