"""``vidinfer status``: how a run over an archive stands, from another shell, while it goes on or after."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vidinfer.cli.archive import time_left
from vidinfer.cli.parser import Parser, parse
from vidinfer.cli.text import count, duration, printable, table
from vidinfer.errors import UsageError

if TYPE_CHECKING:
    from vidinfer.archive.inspect import Standing

__all__ = ["status", "status_parser"]

PROBLEMS = 20
"""That are told; --json has all."""


def status_parser() -> Parser:
    """The parser of ``vidinfer status``."""
    parser = Parser(
        prog="vidinfer status",
        usage="vidinfer status OUT [--json]",
        description="How a run over an archive stands: reads OUT/.vidinfer and nothing else, and changes nothing.",
        epilog="Exit status: 0 running or complete; 1 something is damaged, failed, given up or unfinished; "
        "2 there is no such run.",
    )
    parser.add_argument("out", nargs="*", metavar="OUT", help="the --out of the run")
    parser.add_argument("--json", action="store_true", help="everything, as one JSON object")
    parser.add_argument("-v", "--verbose", action="store_true", help="a traceback with errors")
    return parser


def status(arguments: Sequence[str]) -> int:
    """Print how the run stands.

    Returns:
        The exit status.
    """
    given = parse(status_parser(), arguments)
    if len(given.out) != 1:
        raise UsageError(
            f"{count(len(given.out), 'folder')} given: expected one OUT, as in `vidinfer status labels/`"
        )
    from vidinfer.archive.inspect import inspect

    standing = inspect(Path(given.out[0]))
    print(json.dumps(standing.as_dict()) if given.json else "\n".join(_lines(standing)), flush=True)
    return standing.exit_status


def _lines(standing: Standing) -> list[str]:
    lines = [f"{printable(str(standing.out))}: {_state(standing)}"]
    if "sources" in standing.status:
        lines += _progress(standing.status, running=standing.running)
    elif standing.running:
        lines.append(f"  {printable(str(standing.status.get('phase', 'beginning')))}")
    if standing.counts:
        told = ", ".join(f"{number} {name}" for name, number in sorted(standing.counts.items()))
        lines.append(f"  sources: {told}")
    for source, what, why in standing.problems[:PROBLEMS]:
        lines.append(f"  {what}: {printable(source)}{f': {printable(why)}' if why else ''}")
    if len(standing.problems) > PROBLEMS:
        lines.append(f"  and {len(standing.problems) - PROBLEMS} more; --json has them all")
    for one in standing.quarantine[:PROBLEMS]:
        tries = f"{one.tries} {'try' if one.tries == 1 else 'tries'}"
        lines.append(f"  in quarantine: {printable(one.source)}: {printable(one.reason)} ({tries})")
    return lines


def _state(standing: Standing) -> str:
    go_on = "run the same command again to go on"
    if standing.of_another_version:
        form = printable(standing.format[:20])
        go_on = f"made by another version of vidinfer (format {form}), which can go on with it"
    words = {
        "running": f"running ({printable(standing.holder)})",
        "complete": "complete",
        "interrupted": f"interrupted; {go_on}",
        "killed": f"ended without saying so: killed, or it failed; {go_on}",
    }
    return words[standing.state]


def _progress(told: Mapping[str, Any], *, running: bool) -> list[str]:
    """As far as the run told it: another version may have told something else."""
    try:
        sources, units = told["sources"], told["units"]
        parts = [
            f"{100 * told['share_done']:.1f} %",
            f"{sources['done']}/{sources['total']} sources",
            f"{units['done']}/{units['total']} units",
            f"{told['frames']} frames in {duration(told['seconds'])}",
        ]
        if not running:
            return [f"  {', '.join(parts)}"]
        parts += [f"{told['frames_per_second']:.1f} frames/s", time_left(told["seconds_left"])]
        if told.get("share_of_bound") is not None:
            parts.append(f"{100 * told['share_of_bound']:.0f} % of the bound")
        lines = [f"  {', '.join(parts)}"]
        if told["workers"]:
            lines += [f"  {line}" for line in table(map(_worker, told["workers"])).splitlines()]
    except (KeyError, TypeError, ValueError):
        return ["  what it tells of itself cannot be read; it may be of another version"]
    return lines


def _worker(one: Mapping[str, Any]) -> list[str]:
    of = f" of {one['frames']}" if one["frames"] else ""
    rate = f"{one['frames_per_second']:.1f} frames/s"
    return [str(one["name"]), str(one["source"]), f"{one['decoded']}{of} frames", rate]
