"""Horizontal bars of plain characters, as wide as the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from vidinfer.cli.text import printable

__all__ = ["Bar", "bars"]

EIGHTHS = " ▏▎▍▌▋▊▉█"
LEAST = 4
"""Characters for the longest bar, however narrow the terminal."""


class Bar(NamedTuple):
    """One line."""

    name: str
    value: float
    """At least 0."""


def bars(groups: Sequence[tuple[str, Sequence[Bar]]], width: int, *, blocks: bool = True) -> str:
    """Groups of bars below each other, on one scale: the group's name, the bar's name, the bar, its value.

    Args:
        width: characters that a line may have.
        blocks: use block characters, to an eighth of a character; else ``#``.
    """
    lines = [
        (group if i == 0 else "", bar.name, bar.value) for group, ones in groups for i, bar in enumerate(ones)
    ]
    if not lines:
        return ""
    longest = max(value for _, _, value in lines)
    heads = [max(len(printable(line[0])) for line in lines), max(len(printable(line[1])) for line in lines)]
    tail = max(len(_told(value)) for _, _, value in lines)
    room = max(LEAST, width - sum(heads) - tail - 6)
    return "\n".join(
        f"{printable(group).ljust(heads[0])}  {printable(name).rjust(heads[1])}  "
        f"{_bar(value / longest if longest else 0.0, room, blocks).ljust(room)}  {_told(value).rjust(tail)}"
        for group, name, value in lines
    )


def _bar(share: float, room: int, blocks: bool) -> str:
    if not blocks:
        return "#" * round(share * room)
    whole, rest = divmod(round(share * room * 8), 8)
    return EIGHTHS[8] * whole + (EIGHTHS[rest] if rest else "")


def _told(value: float) -> str:
    return f"{value:.1f}" if value < 100 else f"{value:.0f}"
