"""The report that a person reads: gathered from manifest and units, written as one HTML file."""

from vidinfer.archive.report.gather import Told
from vidinfer.archive.report.stills import Stills, take_stills
from vidinfer.archive.report.write import REPORT, write_html

__all__ = ["REPORT", "Stills", "Told", "take_stills", "write_html"]
