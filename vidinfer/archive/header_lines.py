"""Samplings and parts as JSON on their way to and from the process that reads headers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from fractions import Fraction
from typing import Any

from vidinfer.sampling import Before, Sampling
from vidinfer.source import Part

__all__ = ["part_of", "part_told", "sampling_of", "sampling_told"]


def sampling_told(sampling: Sampling) -> list[Any]:
    """Ready for JSON."""
    return [_plain(getattr(sampling, field.name)) for field in fields(Sampling)]


def sampling_of(told: Sequence[Any]) -> Sampling:
    """As :func:`sampling_told` told it."""
    return Sampling(*map(_back, told))


def part_told(part: Part) -> list[Any]:
    """Ready for JSON."""
    before = part.before
    known = None if before is None else [_plain(getattr(before, field.name)) for field in fields(Before)]
    values = {field.name: getattr(part, field.name) for field in fields(Part)}
    return list((values | {"before": known}).values())


def part_of(told: Sequence[Any]) -> Part:
    """As :func:`part_told` told it."""
    values: list[Any] = [Before(*map(_back, value)) if isinstance(value, list) else value for value in told]
    return Part(*values)


def _plain(value: object) -> object:
    return [value.numerator, value.denominator] if isinstance(value, Fraction) else value


def _back(value: Any) -> Any:
    return Fraction(*value) if isinstance(value, list) else value
