"""Words for people: counts, sizes, durations, and nothing that a terminal would obey."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

__all__ = ["count", "duration", "printable", "size", "table"]


def printable(text: str) -> str:
    """``text`` on one line, with control characters (in a file's name, say) made visible."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def count(number: int, noun: str) -> str:
    """``1 frame``, ``2 frames``."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def duration(seconds: float) -> str:
    """``0.42 s``, ``12.9 s``, ``3 min 05 s``, ``2 h 03 min``."""
    if seconds < 60:
        return f"{seconds:.2f} s" if seconds < 1 else f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"


def size(nbytes: float) -> str:
    """``930 B``, ``13.4 MB``: decimal units, as downloads are quoted."""
    for unit in ("B", "kB", "MB", "GB"):
        if nbytes < 1000 or unit == "GB":
            break
        nbytes /= 1000
    return f"{nbytes:.0f} {unit}" if unit == "B" else f"{nbytes:.1f} {unit}"


def table(rows: Iterable[Sequence[str]], *, right: frozenset[int] = frozenset()) -> str:
    """Columns lined up, two spaces between them; those in ``right`` to the right."""
    cells = [[printable(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = []
    for row in cells:
        padded = [
            c.rjust(w) if i in right else c.ljust(w) for i, (c, w) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(padded).rstrip())
    return "\n".join(lines)
