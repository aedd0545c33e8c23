"""``vidinfer run``, and ``vidinfer SOURCE...`` for short."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from vidinfer import __version__
from vidinfer.cli.parser import Parser, add_run_options, parse
from vidinfer.cli.signals import handled_signals
from vidinfer.cli.streams import is_missing
from vidinfer.config import OPTIONS, RunConfig, read_file
from vidinfer.errors import Interrupted, UsageError

if TYPE_CHECKING:
    from vidinfer.cli.archive import ArchiveLines
    from vidinfer.cli.live import LiveLines
    from vidinfer.cli.reporter import JsonReporter, Reporter
    from vidinfer.progress import StopSignal
    from vidinfer.report import RunReport

    _Label: TypeAlias = Callable[[StopSignal, Sequence[str]], RunReport]
    _Load: TypeAlias = Callable[[], _Label]

__all__ = ["config_of", "read_config", "run", "run_parser"]

_DESCRIPTION = """\
Run a torchvision model over video, frame by frame; write labels and an overlaid video.

commands:
  vidinfer SOURCE...     label media files (short for `vidinfer run SOURCE...`)
  vidinfer probe FILE    what is in a file: found, not only claimed
  vidinfer plan SOURCE   what an archive holds, and what labelling it will take
  vidinfer models        what can be run, by task
  vidinfer export        labels in the formats of other tools
  vidinfer render        the overlaid video from labels, later
  vidinfer status OUT    how a run over an archive stands, from another shell
  vidinfer doctor        what works on this machine, and what to do about the rest
  vidinfer tune          measure this machine and choose: backend, batch size, threads
  vidinfer bench         the figures of benchmarks/README.md, measured here
"""

_EXAMPLES = """\
examples:
  vidinfer clip.mp4 --model demo --video        labels and overlaid video into vidinfer-out/
  vidinfer clip.mp4 --model resnet50            the five best classes of each frame
  vidinfer recordings/ --labels csv --fps 2     two frames a second of each file in a folder
  vidinfer clip.mp4 --labels - | jq .objects    JSON lines as they are made
  vidinfer --config configs/offline.yaml clip.mp4

A source that is named like a command is written ./models.
Exit status: 0 all labelled; 1 something was damaged or failed (the rest is written); 2 wrong usage;
3 no model or weights; 130 interrupted (the outputs are valid).
"""


def run_parser() -> Parser:
    """The parser of ``vidinfer run``, whose help is that of ``vidinfer``."""
    parser = Parser(
        prog="vidinfer",
        usage="vidinfer SOURCE... [options]",
        description=_DESCRIPTION,
        epilog=_EXAMPLES,
    )
    parser.add_argument(
        "sources", nargs="*", metavar="SOURCE", help="a media file, a folder, a glob, @LIST or s3://…"
    )
    parser.add_argument("--version", action="version", version=f"vidinfer {__version__}")
    add_run_options(parser)
    return parser


def read_config(arguments: Sequence[str]) -> RunConfig:
    """Defaults, then the configuration file, then flags.

    Raises:
        UsageError: a value or a name that makes no sense, or nothing to label.
    """
    return config_of(vars(parse(run_parser(), arguments)), "vidinfer clip.mp4")


def config_of(given: dict[str, Any], example: str) -> RunConfig:
    """The configuration of parsed arguments, those that are no option of a run left aside.

    Raises:
        UsageError: as ``read_config``; ``example`` shows how to name a source.
    """
    options: dict[str, Any] = read_file(Path(given["config"])) if given["config"] is not None else {}
    for name, option in OPTIONS.items():
        if given[name] is not None:
            options[name] = option.read(given[name], option.flag)
    if os.environ.get("XDG_CACHE_HOME"):
        options.setdefault("cache", Path(os.environ["XDG_CACHE_HOME"]) / "vidinfer")
    if given["sources"]:
        options["sources"] = tuple(given["sources"])
    config = RunConfig(**options)
    if not config.sources:
        raise UsageError(
            f"no SOURCE given: expected media files or folders, as in `{example}`; see vidinfer --help"
        )
    return config


def run(arguments: Sequence[str]) -> int:
    """Label the sources.

    Returns:
        The exit status.
    """
    with handled_signals(arguments) as signals:
        config = read_config(arguments)
        if config.labels_to_stdout and is_missing(sys.stdout):
            raise UsageError("labels -: standard output is closed; open it, or give a folder with --out")
        reporter, load = _kind(config)(config)
        from vidinfer.progress import StopSignal

        reporter.loading(config.model)
        try:
            label = load()
            stop = StopSignal()
            signals.watch(stop, reporter)
            report = label(stop, ["vidinfer", *arguments])
        finally:
            reporter.close()
    reporter.finished(report)
    return _exit_status(report, asked_for=reporter.signalled or config.archive)


def _kind(config: RunConfig) -> Callable[[RunConfig], tuple[Reporter, _Load]]:
    if config.live:
        return _live
    return _archive if config.archive else _offline


def _archive(config: RunConfig) -> tuple[Reporter, _Load]:
    """Who watches a run over an archive, and what labels it."""
    config.require_archive()
    if config.engine == "ray":
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # it would report over the network
    reporter = _archive_reporter(config)

    def load() -> _Label:
        from vidinfer.run_archive import run_archive  # loads FFmpeg

        return lambda stop, _: run_archive(config, observer=reporter, stop=stop)

    return reporter, load


def _archive_reporter(config: RunConfig) -> JsonReporter | ArchiveLines:
    import shutil

    from vidinfer.cli.archive import ArchiveLine, ArchiveLines
    from vidinfer.cli.reporter import JsonReporter
    from vidinfer.clock import MonotonicClock

    if config.log_json:
        return JsonReporter(MonotonicClock())
    if sys.stderr.isatty() and not (config.quiet or config.no_progress):
        return ArchiveLine(config, lambda: shutil.get_terminal_size().columns)
    return ArchiveLines(config)


def _offline(config: RunConfig) -> tuple[Reporter, _Load]:
    """Who watches a run over files, and what labels them."""
    config.require_offline()
    reporter = _reporter(config)

    def load() -> _Label:
        from vidinfer.run import run  # loads FFmpeg

        return lambda stop, command: run(config, observer=reporter, stop=stop, command=command)

    return reporter, load


def _live(config: RunConfig) -> tuple[Reporter, _Load]:
    """Who watches a run over streams, and what labels them."""
    config.require_live()
    reporter = _live_reporter(config)

    def load() -> _Label:
        from vidinfer.model import import_libraries
        from vidinfer.run_live import run_live  # loads FFmpeg

        import_libraries()
        return lambda stop, command: run_live(config, observer=reporter, stop=stop, command=command)

    return reporter, load


def _live_reporter(config: RunConfig) -> JsonReporter | LiveLines:
    from vidinfer.cli.live import LiveLines, LiveTable
    from vidinfer.cli.reporter import JsonReporter
    from vidinfer.clock import MonotonicClock

    if config.log_json:
        return JsonReporter(MonotonicClock())
    if sys.stderr.isatty() and not (config.quiet or config.no_progress):
        return LiveTable(config)
    return LiveLines(config)


def _reporter(config: RunConfig) -> Reporter:
    from vidinfer.cli.reporter import BarReporter, JsonReporter, LineReporter
    from vidinfer.clock import MonotonicClock

    if config.log_json:
        return JsonReporter(MonotonicClock())
    if sys.stderr.isatty() and not (config.quiet or config.no_progress):
        return BarReporter(config)
    return LineReporter(config)


def _exit_status(report: RunReport, *, asked_for: bool) -> int:
    """Of an early end that nobody asked for (the reader of standard output went away): what else there was."""
    if report.exit_status == Interrupted.exit_status and not asked_for:
        return 1 if any(source.status in ("damaged", "failed") for source in report.sources) else 0
    return report.exit_status
