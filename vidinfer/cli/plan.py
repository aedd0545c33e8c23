"""``vidinfer plan``: what an archive holds, what cannot be read, and what labelling it will take."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from vidinfer.cli.outlook import outlook_text
from vidinfer.cli.parser import Parser, add_run_options, parse
from vidinfer.cli.reporter import LineReporter
from vidinfer.cli.run import config_of
from vidinfer.cli.say import say_raw
from vidinfer.cli.signals import handled_signals
from vidinfer.config import values
from vidinfer.errors import UsageError

if TYPE_CHECKING:
    from vidinfer.config import RunConfig

__all__ = ["plan", "plan_parser"]

_EXAMPLES = """\
examples:
  vidinfer plan archive/ --model fasterrcnn_resnet50_fpn --price-per-hour 1.20
  vidinfer plan @list.txt --no-sample               headers only: a minute for tens of thousands of files
  vidinfer plan s3://bucket/2026/ --json | jq .expected

The options of a run are those of `vidinfer`: what they choose is what is measured.
Exit status: 0 all can be read; 1 something cannot; 2 wrong usage; 3 no model or weights; 130 interrupted.
"""


def plan_parser() -> Parser:
    """The parser of ``vidinfer plan``."""
    parser = Parser(
        prog="vidinfer plan",
        usage="vidinfer plan SOURCE... [options]",
        description="Read the headers of an archive, tell what is in it and what cannot be read, and measure a few "
        "randomly drawn pieces to say how long labelling it takes and how much it writes.",
        epilog=_EXAMPLES,
    )
    parser.add_argument(
        "sources", nargs="*", metavar="SOURCE", help="a media file, a folder, a glob, @LIST or s3://…"
    )
    parser.add_argument(
        "--sample", metavar="T", default="30s", help="seconds of video to measure (default: 30s)"
    )
    parser.add_argument("--no-sample", action="store_true", help="measure nothing: headers only")
    parser.add_argument("--seed", metavar="N", default="0", help="of the draw (default: 0)")
    parser.add_argument("--json", action="store_true", help="as one JSON object")
    add_run_options(parser)
    return parser


def plan(arguments: Sequence[str]) -> int:
    """Look, measure, print.

    Returns:
        The exit status.
    """
    given = vars(parse(plan_parser(), arguments))
    sample = 0.0 if given["no_sample"] else _seconds(given["sample"])
    seed = int(_read(values.integer(0), given["seed"], "--seed"))
    config = config_of(given, "vidinfer plan archive/")
    reporter, shown = LineReporter(config), _Progress(config)
    with handled_signals(arguments) as signals:
        from vidinfer.archive.outlook import look_ahead  # loads torch and FFmpeg
        from vidinfer.clock import MonotonicClock
        from vidinfer.progress import StopSignal

        stop = StopSignal()
        reporter.started = True  # the first signal ends measuring, with what there is
        signals.watch(stop, reporter)
        try:
            outlook = look_ahead(
                config,
                sample=sample,
                seed=seed,
                price_per_hour=config.price_per_hour,
                clock=MonotonicClock(),
                stop=stop,
                surveyed=lambda done, all: shown.show("headers", done, all),
                measuring=lambda done, all: shown.show("measuring piece", done, all),
            )
        finally:
            shown.close()
            reporter.close()
    print(json.dumps(outlook.as_dict()) if given["json"] else outlook_text(outlook), flush=True)
    return 130 if reporter.signalled else outlook.exit_status


def _seconds(text: str) -> float:
    """``30s``, ``30`` or ``00:00:30``."""
    seconds = _read(values.time, text.removesuffix("s"), "--sample")
    if seconds == 0:
        raise UsageError("--sample 0: expected more than 0 seconds; --no-sample measures nothing")
    return float(seconds)


def _read(reader: values.Reader, text: str, flag: str) -> float:
    try:
        return reader(text)  # type: ignore[no-any-return]
    except ValueError as error:
        raise UsageError(f"{flag} {text}: expected {error}") from None


class _Progress:
    """One line on a terminal that is written over again and again."""

    def __init__(self, config: RunConfig) -> None:
        self._on = sys.stderr.isatty() and not (config.quiet or config.no_progress or config.log_json)
        self._width = 0

    def show(self, what: str, done: int, all: int) -> None:
        """At most about a hundred times for each ``what``."""
        if self._on and (done == all or done % max(1, all // 100) == 0):
            text = f"{what} {done} of {all}"
            say_raw("\r" + text.ljust(self._width))
            self._width = len(text)

    def close(self) -> None:
        """Leave the line empty."""
        if self._width:
            say_raw("\r" + " " * self._width + "\r")
