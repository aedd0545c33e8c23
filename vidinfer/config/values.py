"""Readers of option values: text (from a flag or a file) or the Python type itself, to the Python type, exactly.

A reader raises ``ValueError`` whose message is what was expected, ready to stand after "expected".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import Any

from vidinfer.address import at_home

__all__ = [
    "Reader",
    "choice",
    "clock_time",
    "flag",
    "folder",
    "formats",
    "fraction",
    "integer",
    "listen",
    "names",
    "number",
    "optional",
    "path",
    "span",
    "switch_or_number",
    "text",
    "time",
]

Reader = Callable[[object], Any]

_DECIMAL = re.compile(r"\d{1,18}(\.\d{0,18})?|\.\d{1,18}")
_CLOCK = re.compile(r"(?:(\d{1,9}):)?(\d{1,2}):(\d{1,2}(?:\.\d{0,18})?)")
_RATIO = re.compile(r"\d{1,18}/\d{1,18}")
_YES = {"true", "yes", "on"}
_NO = {"false", "no", "off"}


def text(value: object) -> str:
    """Any text that is not empty."""
    if not isinstance(value, str) or not value:
        raise ValueError("text")
    return value


def flag(value: object) -> bool:
    """``true`` or ``false``."""
    if isinstance(value, bool):
        return value
    word = value.lower() if isinstance(value, str) else ""
    if word not in _YES | _NO:
        raise ValueError("true or false")
    return word in _YES


def path(value: object) -> Path:
    """A path; ``~`` is the home folder."""
    if isinstance(value, Path):
        return value
    if not isinstance(value, str) or not value:
        raise ValueError("a path")
    return at_home(value)


def folder(value: object) -> Path:
    """A folder to write into. ``-`` is refused: everywhere else it stands for standard output, here it would make a
    folder that is hard to get rid of. ``./-`` is that folder.
    """
    if value == "-":
        raise ValueError(
            "a folder (./- for one of that name); labels on standard output are `vidinfer SOURCE... --labels -`"
        )
    return path(value)


def integer(low: int) -> Reader:
    """A whole number of at least ``low``."""

    def read(value: object) -> int:
        if isinstance(value, str) and re.fullmatch(r"[+-]?\d{1,18}", value):
            value = int(value)
        if not isinstance(value, int) or isinstance(value, bool) or value < low:
            raise ValueError(f"a whole number of at least {low}")
        return value

    return read


def number(low: float, high: float | None = None, *, above: bool = False) -> Reader:
    """A number from ``low`` (or above it) to ``high``."""
    bounds = f"above {low:g}" if above else f"of at least {low:g}"
    expected = f"a number {bounds}" if high is None else f"a number from {low:g} to {high:g}"

    def read(value: object) -> float:
        try:
            result = float(value) if isinstance(value, (int, float, str)) else float("nan")
        except (ValueError, OverflowError):
            raise ValueError(expected) from None
        inside = (result > low if above else result >= low) and result <= (
            high if high is not None else 1e300
        )
        if not inside or isinstance(value, bool):
            raise ValueError(expected)
        return result

    return read


def fraction(value: object) -> Fraction:
    """An exact number above 0: ``5``, ``29.97`` or ``30000/1001``."""
    result = None
    if isinstance(value, str) and _RATIO.fullmatch(value):
        above, below = value.split("/")
        result = Fraction(int(above), int(below)) if int(below) else None
    else:
        result = _exact(value)
    if result is None or result <= 0:
        raise ValueError("a number above 0, such as 5, 29.97 or 30000/1001")
    return result


def clock_time(value: object) -> tuple[int, int]:
    """A time of day, ``07:00``: hour and minute."""
    match = re.fullmatch(r"(\d{1,2}):(\d{2})", value) if isinstance(value, str) else None
    found = (int(match[1]), int(match[2])) if match else value
    if isinstance(found, tuple) and len(found) == 2 and 0 <= found[0] < 24 and 0 <= found[1] < 60:
        return found
    raise ValueError("a time of day, such as 07:00 or 23:30")


def span(value: object) -> Fraction:
    """Seconds above 0, exactly, from ``90``, ``90s``, ``15m``, ``6h``, ``1.5h`` or ``HH:MM:SS``."""
    units = {"s": 1, "m": 60, "h": 3600, "d": 86400}
    result = None
    if isinstance(value, str) and value[-1:] in units:
        number_ = _exact(value[:-1])
        result = None if number_ is None else number_ * units[value[-1]]
    else:
        with suppress(ValueError):
            result = time(value)
    if result is None or result <= 0:
        raise ValueError("a span of time, such as 90s, 15m, 6h or 01:30:00")
    return result


def time(value: object) -> Fraction:
    """Seconds, exactly, from ``90``, ``90.5``, ``1:30`` or ``HH:MM:SS.mmm``."""
    result = _exact(value)
    if result is None and isinstance(value, str) and (match := _CLOCK.fullmatch(value)):
        hours, minutes, seconds = Fraction(match[1] or 0), Fraction(match[2]), Fraction(match[3])
        if minutes < 60 and seconds < 60:
            result = hours * 3600 + minutes * 60 + seconds
    if result is None or result < 0:
        raise ValueError("seconds or HH:MM:SS.mmm, such as 90, 90.5 or 00:01:30.500")
    return result


def _exact(value: object) -> Fraction | None:
    """A plain number as written: a float stands for its shortest text."""
    if isinstance(value, bool):
        return None
    if isinstance(value, (int, Fraction)):
        return Fraction(value)
    if isinstance(value, (float, str)) and _DECIMAL.fullmatch(str(value)):
        return Fraction(str(value))
    return None


def names(value: object) -> tuple[str, ...]:
    """One or more names, separated by commas or as a list."""
    if isinstance(value, str):
        value = [part.strip() for part in value.split(",")]
    if not isinstance(value, Sequence) or not value or not all(isinstance(v, str) and v for v in value):
        raise ValueError("names separated by commas, such as car,truck")
    return tuple(dict.fromkeys(value))


def formats(known: Sequence[str]) -> Reader:
    """One or more of ``known``; ``-`` among them for standard output, or ``none``, which gives ``()``."""
    expected = f"{', '.join(known)}, several of them separated by commas, - for standard output, or none"

    def read(value: object) -> tuple[str, ...]:
        if value == "none" or (isinstance(value, Sequence) and len(value) == 0 and value != ""):
            return ()
        try:
            chosen = names(value)
        except ValueError:
            raise ValueError(expected) from None
        if any(name not in (*known, "-") for name in chosen):
            raise ValueError(expected)
        return chosen

    return read


def choice(*words: str) -> Reader:
    """One of ``words``."""

    def read(value: object) -> str:
        if value not in words:
            raise ValueError(" or ".join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else words[0])
        return str(value)

    return read


def optional(word: str, reader: Reader) -> Reader:
    """``word`` (``auto``, ``none``, ``all``) for ``None``, or what ``reader`` reads."""

    def read(value: object) -> Any:
        if value is None or value == word:
            return None
        try:
            return reader(value)
        except ValueError as error:
            raise ValueError(f"{error}, or {word}") from None

    return read


def switch_or_number(low: float, high: float, *, usual: float) -> Reader:
    """``off`` for ``None``, ``on`` for ``usual``, or a number from ``low`` to ``high``."""
    within = number(low, high)

    def read(value: object) -> float | None:
        word = value.lower() if isinstance(value, str) else value
        if word is None or word is False or word in _NO:
            return None
        if word is True or word in _YES:
            return usual
        try:
            return float(within(value))
        except ValueError as error:
            raise ValueError(f"{error}, on or off") from None

    return read


def listen(value: object) -> tuple[str, int]:
    """Where a server listens: ``8080`` (this machine alone), ``127.0.0.1:8080``, ``[::1]:8080``; 0: any free port."""
    expected = ValueError("HOST:PORT or PORT, such as 127.0.0.1:8080")
    if isinstance(value, tuple) and len(value) == 2:
        host, port = value
        value = f"[{host}]:{port}" if ":" in str(host) else f"{host}:{port}"
    host, _, port = str(value).rpartition(":")
    if not re.fullmatch(r"\d{1,5}", port) or int(port) > 65535 or not re.fullmatch(r"[\w.:\[\]-]*", host):
        raise expected
    if host.count(":") and not (host.startswith("[") and host.endswith("]")):
        raise expected  # an IPv6 address without its brackets
    return host.strip("[]") or "127.0.0.1", int(port)
