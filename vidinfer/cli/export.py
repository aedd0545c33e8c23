"""``vidinfer export``: labels in the formats of other tools."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from vidinfer.cli.parser import Parser, parse
from vidinfer.cli.say import say
from vidinfer.cli.text import count
from vidinfer.config import OPTIONS
from vidinfer.errors import UsageError

if TYPE_CHECKING:
    from vidinfer.export.job import Exported

__all__ = ["export", "export_parser"]

_FORMATS = """\
formats:
  coco          one JSON document: images, annotations, categories; boxes, masks, keypoints, segments
  yolo          a folder: one text file per frame, data.yaml; boxes, keypoints
  mot           a folder: MOTChallenge detections, frames from 1; boxes
  cvat          CVAT for video 1.1; boxes, masks, keypoints, segments
  labelstudio   predictions to import, frames from 1; boxes, classes
  webvtt        captions: how many of what, the best class, clips
  csv           flat rows; everything

Frames that were not labelled (damaged, dropped, lost) never become frames without objects: each format says where
they are told. docs/export.md has each format's frame counting and coordinates.
"""


def export_parser() -> Parser:
    """The parser of ``vidinfer export``."""
    parser = Parser(
        prog="vidinfer export",
        usage="vidinfer export LABELS... --to FORMAT [--out DIR] [--overwrite]",
        description="Write labels in the formats of other tools.",
        epilog=_FORMATS,
    )
    parser.add_argument("labels", nargs="*", metavar="LABELS", help="a label file, or a folder of them")
    parser.add_argument("--to", metavar="FORMAT", help="coco, yolo, mot, cvat, labelstudio, webvtt or csv")
    parser.add_argument("--out", metavar="DIR", default="vidinfer-export", help="default: vidinfer-export")
    parser.add_argument("--overwrite", action="store_true", help="replace outputs that exist")
    parser.add_argument("-v", "--verbose", action="store_true", help="a traceback with errors")
    return parser


def export(arguments: Sequence[str]) -> int:
    """Export label files; one that cannot be read does not stop the rest.

    Returns:
        The exit status.
    """
    given = parse(export_parser(), arguments)
    if not given.labels:
        raise UsageError(
            "no LABELS given: expected a label file or a folder, as in `vidinfer export out/ --to coco`"
        )
    if given.to is None:
        raise UsageError("no format given: expected --to coco, yolo, mot, cvat, labelstudio, webvtt or csv")
    out: Path = OPTIONS["out"].read(given.out, "--out")
    from vidinfer.export.job import export_labels  # loads numpy and more

    failures: list[Exception] = []

    def failed(error: Exception) -> None:
        failures.append(error)
        say(str(error))

    try:
        export_labels(
            given.labels,
            given.to,
            out,
            overwrite=given.overwrite,
            done=_told,
            failed=failed,
        )
    except KeyboardInterrupt:
        say("interrupted; outputs that were finished stay, the one being written is removed")
        return 130
    return 1 if failures else 0


def _told(one: Exported) -> None:
    """One line for each output, on standard error: standard output carries only data."""
    tally = one.tally
    parts = [count(tally.labelled, "labelled frame")]
    parts += [f"{tally.propagated} of them propagated"] if tally.propagated else []
    parts += [count(tally.findings, "entry").replace("entrys", "entries")]
    parts += [f"{number} {outcome}" for outcome, number in sorted(tally.others.items())]
    text = f"{one.output}: {', '.join(parts)}"
    if one.leaves_out:
        text += f"; no place for {', '.join(one.leaves_out)}"
    for reason, number in sorted(tally.left_out.items()):
        text += f"; left out: {number} {reason}"
    say(text)
