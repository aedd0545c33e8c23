"""``vidinfer render``: the overlaid video from labels and the video they were made from."""

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
    from vidinfer.render import Rendered

__all__ = ["render", "render_parser"]


def render_parser() -> Parser:
    """The parser of ``vidinfer render``."""
    parser = Parser(
        prog="vidinfer render",
        usage="vidinfer render LABELS... [--source PATH] [--out DIR] [--overwrite | --resume]",
        description="Draw labels on the video that they were made from; no model is needed.",
    )
    parser.add_argument("labels", nargs="*", metavar="LABELS", help="a label file, or a folder of them")
    parser.add_argument(
        "--source",
        metavar="PATH",
        help="the video, or a folder that holds the videos (default: where run.json has them)",
    )
    parser.add_argument("--out", metavar="DIR", default="vidinfer-render", help="default: vidinfer-render")
    parser.add_argument("--overwrite", action="store_true", help="replace outputs that exist")
    parser.add_argument(
        "--resume",
        action="store_true",
        help="go on: keep videos that are newer than their labels, make the others",
    )
    parser.add_argument("-v", "--verbose", action="store_true", help="a traceback with errors")
    return parser


def render(arguments: Sequence[str]) -> int:
    """Render label files; one that cannot be rendered does not stop the rest.

    Returns:
        The exit status.
    """
    given = parse(render_parser(), arguments)
    if not given.labels:
        raise UsageError("no LABELS given: expected a label file or a folder, as in `vidinfer render out/`")
    if given.overwrite and given.resume:
        raise UsageError("overwrite and resume contradict each other; give one of them")
    out: Path = OPTIONS["out"].read(given.out, "--out")
    from vidinfer.render import render_labels  # loads FFmpeg

    failures: list[Exception] = []

    def failed(error: Exception) -> None:
        failures.append(error)
        say(str(error))

    try:
        kept = render_labels(
            given.labels,
            out,
            source=None if given.source is None else Path(given.source).expanduser(),
            overwrite=given.overwrite,
            resume=given.resume,
            done=_told,
            failed=failed,
        )
    except KeyboardInterrupt:
        say(
            "interrupted; outputs that were finished stay, the one being written is removed; --resume goes on"
        )
        return 130
    if kept:
        say(f"{count(kept, 'video')} kept: newer than the labels")
    return 1 if failures else 0


def _told(one: Rendered) -> None:
    say(f"{one.output}: {count(one.frames, 'frame')}")
    for warning in one.warnings:
        say(f"{one.output.name}: {warning}")
