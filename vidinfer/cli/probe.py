"""``vidinfer probe``: what is in a file, found and not only claimed."""

from __future__ import annotations

import json
from collections.abc import Sequence

from vidinfer.cli.facts import facts_text
from vidinfer.cli.parser import Parser, parse
from vidinfer.cli.say import say
from vidinfer.errors import SourceError, UsageError

__all__ = ["probe", "probe_parser"]


def probe_parser() -> Parser:
    """The parser of ``vidinfer probe``."""
    parser = Parser(
        prog="vidinfer probe",
        usage="vidinfer probe SOURCE... [--json]",
        description="Read files from end to end and tell what is in them: found, not only claimed.",
    )
    parser.add_argument(
        "sources", nargs="*", metavar="SOURCE", help="a media file, a folder, a glob, @LIST or s3://…"
    )
    parser.add_argument(
        "--json", action="store_true", help="all facts: one JSON object per file, on a line of its own"
    )
    parser.add_argument("-v", "--verbose", action="store_true", help="a traceback with errors")
    return parser


def probe(arguments: Sequence[str]) -> int:
    """Print the facts of every source; one that cannot be read does not stop the rest.

    Returns:
        The exit status.
    """
    given = parse(probe_parser(), arguments)
    if not given.sources:
        raise UsageError("no SOURCE given: expected media files, as in `vidinfer probe clip.mp4`")
    from vidinfer.source import expand_sources
    from vidinfer.source.probe import probe as read

    expanded = expand_sources(given.sources)
    failures: list[str] = [str(error) for _, error in expanded.errors]
    for index, file in enumerate(expanded.files):
        try:
            facts = read(file.path)
        except SourceError as error:
            failures.append(str(error))
            continue
        if given.json:
            print(json.dumps({"source": str(file.name), **facts}, default=str), flush=True)
        else:
            print(("\n" if index else "") + facts_text(str(file.path), facts), flush=True)
    for failure in failures:
        say(failure)
    return 1 if failures else 0
