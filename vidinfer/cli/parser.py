"""Argument parsing whose mistakes are one line, with the nearest name."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from typing import Any, NoReturn

from vidinfer.config import GROUPS, OPTIONS, Option, nearest
from vidinfer.errors import UsageError

__all__ = ["Parser", "add_run_options", "parse"]


class Parser(argparse.ArgumentParser):
    """Raises :class:`UsageError` where argparse prints its usage and exits."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False, **settings)

    def error(self, message: str) -> NoReturn:
        """One line instead of the usage."""
        raise UsageError(f"{message}; see {self.prog} --help")

    @property
    def flags(self) -> list[str]:
        """Every long flag that is shown in the help."""
        shown = (a for a in self._actions if a.help != argparse.SUPPRESS)
        return [flag for action in shown for flag in action.option_strings if flag.startswith("--")]


def parse(parser: Parser, arguments: Sequence[str]) -> argparse.Namespace:
    """Parse ``arguments``; sources and flags may come in any order. What follows ``--`` is no flag, but a path.

    Raises:
        UsageError: an unknown flag (with the nearest name), a flag without its value, …
    """
    arguments, paths = _divided(arguments)
    # A flag that may stand alone takes its value after "=" only: what follows it may be a source.
    alone = {option.flag: option.bare for option in OPTIONS.values() if option.bare is not None}
    arguments = [f"{word}={alone[word]}" if word in alone else word for word in arguments]
    namespace, unknown = parser.parse_known_intermixed_args([*_with_lists(arguments), *paths])
    if unknown:
        flag = unknown[0].split("=")[0]
        hint = nearest(flag, parser.flags) or f"; see {parser.prog} --help"
        raise UsageError(f"no such option: {flag}{hint}")
    return namespace


def _divided(arguments: Sequence[str]) -> tuple[Sequence[str], list[str]]:
    """What stands before ``--``, and what after it, written so that argparse takes none of it for a flag."""
    if "--" not in arguments:
        return arguments, []
    end = list(arguments).index("--")
    paths = [f"./{word}" if len(word) > 1 and word.startswith("-") else word for word in arguments[end + 1 :]]
    return arguments[:end], paths


def _with_lists(arguments: Sequence[str]) -> list[str]:
    """``--labels -,jsonl`` as ``--labels=-,jsonl``: argparse takes a list that begins with ``-`` for a flag."""
    joined: list[str] = []
    for word in arguments:
        if word.startswith("-,") and joined and re.fullmatch(r"--[\w-]+", joined[-1]):
            joined[-1] += f"={word}"
        else:
            joined.append(word)
    return joined


def add_run_options(parser: Parser) -> None:
    """Every option of the table, in its groups. Absent ones are ``None``; values stay text for the table's readers.

    A switch also has its opposite (``--no-video``), hidden from the help, for what a file turns on.
    """
    groups = {name: parser.add_argument_group(title) for name, title in GROUPS.items()}
    groups["messages"].add_argument(
        "--config", metavar="FILE", help="YAML file with the same names; flags win over it"
    )
    for option in OPTIONS.values():
        group = groups[option.group]
        names = [option.short, option.flag] if option.short else [option.flag]
        if option.metavar is not None:
            group.add_argument(*names, metavar=option.metavar, help=_with_default(option))
            continue
        group.add_argument(*names, action="store_const", const=True, help=option.help)
        opposite = (
            option.flag.replace("--no-", "--") if option.name.startswith("no_") else f"--no-{option.flag[2:]}"
        )
        group.add_argument(
            opposite, action="store_const", const=False, dest=option.name, help=argparse.SUPPRESS
        )


def _with_default(option: Option) -> str:
    return f"{option.help} (default: {option.default})".replace("%", "%%")
