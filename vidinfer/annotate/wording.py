"""How classes, shares and speeds read on the picture."""

from __future__ import annotations

import math

__all__ = ["name_of", "percent", "plain", "rounded"]


def name_of(label: int, categories: tuple[str, ...]) -> str:
    """The name of class ``label``, or its number where the model has no name for it."""
    return categories[label] if 0 <= label < len(categories) else f"class {label}"


def percent(score: float) -> str:
    """A score as people read it: never ``0%`` for something that was found."""
    return "<1%" if 0 < score < 0.01 else f"{score:.0%}"


def plain(value: float) -> str:
    """A quantity with the digits that matter: ``0.4``, ``38``, ``1,250``; a dash where it is not a number."""
    if not math.isfinite(value):
        return "-"
    return f"{value:.1f}" if abs(value) < 9.95 else f"{value:,.0f}"


def rounded(value: float) -> str:
    """As :func:`plain`, to two digits: for what changes all the time and only has to be known roughly."""
    return plain(float(f"{value:.2g}"))
