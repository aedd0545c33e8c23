"""``vidinfer bench``: the figures of benchmarks/README.md, measured on this machine; from a source checkout."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import vidinfer
from vidinfer.cli.parser import Parser, parse
from vidinfer.cli.say import say
from vidinfer.errors import UsageError

__all__ = ["bench", "bench_parser", "checkout"]

LIVE = "live"


def bench_parser() -> Parser:
    """The parser of ``vidinfer bench``."""
    parser = Parser(
        prog="vidinfer bench",
        usage="vidinfer bench [--quick] [--json]\n       vidinfer bench live [SCENARIO...] [options]",
        description="Reproduce the table of benchmarks/README.md on this machine: vidinfer beside what one would write "
        "by hand. With `live`: simulated cameras, four policies, a script of faults; `vidinfer bench live --help` "
        "tells more. Needs a source checkout, as the benchmarks are not installed.",
    )
    parser.add_argument("--quick", action="store_true", help="shorter clips, fewer rounds: rough figures")
    parser.add_argument("--json", action="store_true", help="as JSON")
    parser.add_argument("-v", "--verbose", action="store_true", help="a traceback with errors")
    return parser


def bench(arguments: Sequence[str]) -> int:
    """Run the benchmarks in a process of their own.

    Returns:
        Its exit status.

    Raises:
        UsageError: there are no benchmarks beside this package.
    """
    if arguments and arguments[0] == LIVE:
        what = list(arguments)  # it has options of its own
    else:
        given = parse(bench_parser(), arguments)
        what = ["speed", *(flag for flag, on in (("--quick", given.quick), ("--json", given.json)) if on)]
    command = [sys.executable, "-m", "benchmarks", *what]
    sys.stdout.flush()
    with subprocess.Popen(command, cwd=checkout()) as process:
        try:
            return process.wait()
        except KeyboardInterrupt:  # the terminal has told the other process too
            process.wait()
            say("interrupted")
            return 130


def checkout(package: Path | None = None) -> Path:
    """The folder of the source checkout that ``package`` (default: this one) is part of.

    Raises:
        UsageError: it is not part of one.
    """
    root = (package or Path(vidinfer.__file__).parent).parent
    if not (root / "benchmarks" / "__main__.py").is_file():
        raise UsageError(
            f"bench needs a source checkout of vidinfer, and {root} is none: run it from there, "
            "after `pip install -e .`"
        )
    return root
