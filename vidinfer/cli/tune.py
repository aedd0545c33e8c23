"""``vidinfer tune``: measure every way of running a model on this machine, choose, and keep the choice."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vidinfer.cli.bars import EIGHTHS
from vidinfer.cli.cache import cache_folder
from vidinfer.cli.parser import Parser, parse
from vidinfer.cli.say import say
from vidinfer.config import OPTIONS, RunConfig
from vidinfer.errors import SinkError, UsageError

if TYPE_CHECKING:
    from vidinfer.tuned import Tuning

__all__ = ["draw", "say_progress", "show", "tune", "tune_parser"]

OF_A_RUN = ("model", "weights", "device", "backend", "precision", "cache")
"""Options that are those of a run."""
PLOTS = (".png", ".html")


def tune_parser() -> Parser:
    """The parser of ``vidinfer tune``."""
    parser = Parser(
        prog="vidinfer tune",
        usage="vidinfer tune [SOURCE] [options]",
        description="Measure a model on this machine: every backend and precision that may be used, every batch size, "
        "decoding, and all of it together. Says what pays, and keeps the choice: later runs of the model on pictures "
        "of this size follow it. Takes about a minute; without SOURCE, a made-up 1080p clip is measured.",
    )
    parser.add_argument("sources", nargs="*", metavar="SOURCE", help="a media file like those to come")
    for name in OF_A_RUN:
        option = OPTIONS[name]
        help = f"{option.help} (default: {option.default})".replace("%", "%%")
        parser.add_argument(option.flag, metavar=option.metavar, help=help)
    parser.add_argument(
        "--latency-slo",
        metavar="MS",
        help="budget from a frame to its label (default: answers for 33 and 100)",
    )
    parser.add_argument("--plot", metavar="FILE", help="also draw the curves: FILE.png or FILE.html")
    parser.add_argument("--quick", action="store_true", help="fewer sizes and shorter looks: a rough answer")
    parser.add_argument("--json", action="store_true", help="as one JSON object")
    parser.add_argument("-v", "--verbose", action="store_true", help="a traceback with errors")
    return parser


def tune(arguments: Sequence[str]) -> int:
    """Measure, print, keep.

    Returns:
        The exit status.
    """
    given = parse(tune_parser(), arguments)
    config = _config(vars(given))
    slo = OPTIONS["latency_slo"].read(given.latency_slo, "--latency-slo")
    plot = None if given.plot is None else _plot(given.plot)
    from vidinfer.clock import MonotonicClock
    from vidinfer.tune import BUDGETS  # loads torch and FFmpeg
    from vidinfer.tune import tune as measure

    try:
        tuning = measure(
            config,
            clock=MonotonicClock(),
            quick=given.quick,
            budgets=BUDGETS if slo is None else (slo,),
            told=say_progress,
        )
    except KeyboardInterrupt:
        say("interrupted: nothing was kept")
        return 130
    show(tuning, given.json)
    if plot is not None:
        draw(tuning, plot)
    return 0


def say_progress(text: str) -> None:
    """What is being measured now, on standard error."""
    say(f"tune: {text}")


def _config(given: dict[str, Any]) -> RunConfig:
    options = {name: OPTIONS[name].read(given[name], OPTIONS[name].flag) for name in OF_A_RUN if given[name]}
    options.setdefault("cache", cache_folder())
    config = RunConfig(sources=tuple(given["sources"]), **options)
    config.require_offline()
    return config


def _plot(text: str) -> Path:
    """Refused before a minute of measuring, where that can be told."""
    path = Path(text).expanduser()
    if path.suffix.lower() not in PLOTS:
        raise UsageError(f"--plot {text}: expected a name that ends in {' or '.join(PLOTS)}")
    folder = path.parent
    if path.is_dir():
        raise UsageError(f"--plot {text}: that is a folder; give a file in it")
    if not folder.is_dir() or not os.access(path if path.exists() else folder, os.W_OK):
        raise UsageError(f"--plot {text}: cannot be written there; give a file in a folder of yours")
    return path


def show(tuning: Tuning, as_json: bool) -> None:
    """On standard output."""
    from vidinfer.cli.tuned import answers, tuning_text

    if as_json:
        print(json.dumps({**tuning.as_dict(), "answers": list(answers(tuning))}, indent=2), flush=True)
        return
    try:
        EIGHTHS.encode(sys.stdout.encoding or "ascii")
        blocks = True
    except (UnicodeEncodeError, LookupError):
        blocks = False
    print(tuning_text(tuning, shutil.get_terminal_size().columns, blocks=blocks), flush=True)


def draw(tuning: Tuning, path: Path) -> None:
    """The curves as a file.

    Raises:
        SinkError: it cannot be written.
    """
    from vidinfer.cli.charts import charts_of
    from vidinfer.cli.tuned import answers

    if path.suffix.lower() == ".png":
        from vidinfer.annotate.chart_png import png

        data = png(charts_of(tuning))
    else:
        from vidinfer.annotate.chart_html import html

        title = f"{tuning.model.name} on {tuning.model.device}"
        data = html(title, charts_of(tuning), list(answers(tuning))).encode()
    try:
        path.write_bytes(data)
    except OSError as error:
        raise SinkError(f"--plot {path}: {error.strerror or error}; give another file") from error
    say(f"wrote {path}")
