"""Text for the report: safe in HTML, whatever a file is called, and figures that a person reads."""

from __future__ import annotations

from fractions import Fraction
from html import escape
from urllib.parse import quote

__all__ = ["clock", "hours", "link", "number", "safe", "share", "shown", "size"]

LONGEST = 400
"""Characters of a text that came from outside."""


def safe(text: object) -> str:
    """``text`` for HTML and XML, in an attribute too: nothing that is obeyed, control characters made visible."""
    return escape(shown(text))


def shown(text: object) -> str:
    """Control characters, half characters and marks that turn the direction made visible; not too long."""
    plain = "".join(
        c if c.isprintable() else c.encode("unicode_escape", "backslashreplace").decode() for c in str(text)
    )
    return plain if len(plain) <= LONGEST else f"{plain[: LONGEST - 1]}…"


def link(path: str) -> str:
    """A relative address of a file beside the report."""
    data = path.encode("utf-8", "surrogateescape")
    return escape("./" + quote(data, safe="/"))


def number(value: float) -> str:
    """``12,345``; below 100 with the decimals that it takes."""
    if value == int(value) or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def share(value: float) -> str:
    """``12.3 %``; never 0 or 100 of what is neither."""
    percent = 100 * value
    if 0 < percent < 0.1:
        return "< 0.1 %"
    if 99.9 < percent < 100:
        return "> 99.9 %"
    return f"{percent:.0f} %" if percent in (0, 100) else f"{percent:.1f} %"


def hours(seconds: float) -> str:
    """``12.3 s``, ``4 min 05 s``, ``2 h 03 min``, ``1,204 h``."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min" if minutes < 6000 else f"{seconds / 3600:,.0f} h"


def clock(seconds: float | Fraction) -> str:
    """A moment in a video: ``0:12.400``, ``1:02:03.500``."""
    sign = "-" if seconds < 0 else ""
    milliseconds = round(1000 * abs(float(seconds)))
    minutes, rest = divmod(milliseconds, 60_000)
    hour, minute = divmod(minutes, 60)
    start = f"{hour}:{minute:02d}" if hour else f"{minute}"
    return f"{sign}{start}:{rest // 1000:02d}.{rest % 1000:03d}"


def size(nbytes: float) -> str:
    """Decimal units, as disks are sold."""
    for unit in ("B", "kB", "MB", "GB"):
        if nbytes < 1000:
            return f"{nbytes:.0f} {unit}" if unit == "B" else f"{nbytes:.1f} {unit}"
        nbytes /= 1000
    return f"{nbytes:.1f} TB"
