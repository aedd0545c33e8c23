"""How values are written as text, the same in every label format."""

from __future__ import annotations

import json
import math
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["numbers", "one_line", "point_texts", "quoted", "ratio", "utf8"]


def utf8(text: str) -> str:
    """``text`` with what UTF-8 cannot hold (file names in another encoding) replaced."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def one_line(text: str) -> str:
    """``text`` for formats in which a line is an entry: what would end it, or is no letter, becomes ``?``."""
    return "".join(c if c.isprintable() else "?" for c in utf8(text))


def quoted(text: str) -> str:
    """``text`` as a JSON string."""
    return json.dumps(utf8(text), ensure_ascii=False)


def ratio(value: Fraction) -> str:
    """``1/15360``, also for whole numbers."""
    return f"{value.numerator}/{value.denominator}"


def numbers(column: NDArray[np.float64]) -> list[Any]:
    """Values of ``column`` ``(m,)`` whose ``str`` is JSON: ``null`` where not finite."""
    if np.isfinite(column).all():
        values: list[Any] = column.tolist()
        return values
    return [value if math.isfinite(value) else "null" for value in column.tolist()]


def point_texts(points: NDArray[np.float64]) -> list[str]:
    """``[[x,y,score],…]`` for each of ``points`` ``(m, k, 3)``, as JSON."""
    m, k = points.shape[:2]
    if not m:
        return []
    one = "[" + ",".join(["[%s,%s,%s]"] * k) + "]"
    return ("\n".join([one] * m) % tuple(numbers(points.reshape(-1)))).split("\n")
