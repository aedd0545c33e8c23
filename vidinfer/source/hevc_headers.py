"""What HEVC pictures refer to, as their slices' heads say (ITU-T H.265 7.3)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from vidinfer.source.bits import Bits, units

__all__ = ["CRA", "IDR", "IRAP", "RASL", "HevcHeaders", "Slice"]

IDR = frozenset({19, 20})
CRA = 21
IRAP = frozenset(range(16, 24))
"""Pictures that can be decoded without any before."""
RASL = frozenset({8, 9})
"""Pictures shown before the keyframe that they come after, and that refer to what came before it."""

_HEAD = 8192
"""Bytes of a packet that are looked through for heads; x265 writes its settings before them."""
_SLICE_HEAD, _PARAMETERS = 256, 2048
"""Bytes of either, at most, that matter."""
_SPS, _PPS, _LAST_SLICE = 33, 34, 31
_MOST_SETS, _MOST_REFERENCES = 64, 16

_Set: TypeAlias = tuple[tuple[int, bool], ...]
"""Pictures by their distance in picture order, and whether this one refers to them: those before, then those after,
the nearest first."""


class Slice(NamedTuple):
    """Of a picture's first slice."""

    kind: int
    """Type of its unit."""
    layer: int
    """Temporal layer, from 0."""
    cycle: int
    """Picture order counts are told modulo this."""
    order: int
    """Of this picture, modulo ``cycle``."""
    near: _Set
    """Short-term references."""
    far: tuple[tuple[int, int | None, bool], ...]
    """Long-term ones: count modulo ``cycle``, how many cycles back (``None``: not told), whether referred to."""


@dataclass(frozen=True, slots=True)
class _Sequence:
    bits: int
    """Of a count."""
    planes: bool
    sets: tuple[_Set, ...]
    far: tuple[tuple[int, bool], ...] | None
    """Long-term references to choose from; ``None``: there are none at all."""


@dataclass(frozen=True, slots=True)
class _Picture:
    sequence: int
    output_flag: bool
    extra: int


class HevcHeaders:
    """Reads packets in the order of decoding, and remembers the parameters that slices are read by.

    Thread rule: one thread at a time.
    """

    def __init__(self) -> None:
        self._sequences: dict[int, _Sequence] = {}
        self._pictures: dict[int, _Picture] = {}

    def read(self, data: bytes) -> Slice | None:
        """The first slice of a packet, with start codes; ``None``: there is none that can be understood."""
        for unit in units(data[:_HEAD]):
            if len(unit) < 3 or unit[0] & 1 or unit[1] >> 3:  # of another layer than the base
                continue
            kind = unit[0] >> 1
            try:
                if kind == _SPS:
                    number, sequence = _read_sps(Bits(unit[2:_PARAMETERS]))
                    self._sequences[number] = sequence
                elif kind == _PPS:
                    number, picture = _read_pps(Bits(unit[2:_PARAMETERS]))
                    self._pictures[number] = picture
                elif kind <= _LAST_SLICE:
                    return self._slice(kind, (unit[1] & 7) - 1, Bits(unit[2:_SLICE_HEAD]))
            except (ValueError, LookupError):
                if kind <= _LAST_SLICE:
                    return None
        return None

    def _slice(self, kind: int, layer: int, bits: Bits) -> Slice | None:
        if not bits.flag():  # not the first of its picture
            return None
        if kind in IRAP:
            bits.take(1)
        picture = self._pictures[bits.golomb()]
        sequence = self._sequences[picture.sequence]
        cycle = 1 << sequence.bits
        bits.take(picture.extra)
        bits.golomb()
        bits.take(picture.output_flag + 2 * sequence.planes)
        if kind in IDR:
            return Slice(kind, layer, cycle, 0, (), ())
        count = bits.take(sequence.bits)
        if not bits.flag():
            near = _read_set(bits, sequence.sets, len(sequence.sets))
        else:
            near = sequence.sets[bits.take(_width(len(sequence.sets)))]
        far = () if sequence.far is None else _read_far(bits, sequence.far, sequence.bits)
        return Slice(kind, layer, cycle, count, near, far)


def _width(count: int) -> int:
    """Bits of a number below ``count``."""
    return max(0, count - 1).bit_length()


def _read_sps(bits: Bits) -> tuple[int, _Sequence]:
    bits.take(4)
    layers = bits.take(3)
    bits.take(1)
    _skip_profile(bits, layers)
    number = bits.golomb()
    chroma = bits.golomb()
    planes = chroma == 3 and bits.flag()
    bits.golomb()
    bits.golomb()
    if bits.flag():
        for _ in range(4):
            bits.golomb()
    bits.golomb()
    bits.golomb()
    width = bits.golomb() + 4
    if width > 16:
        raise ValueError("no such width")
    for _ in range(layers + 1 if bits.flag() else 1):
        for _ in range(3):
            bits.golomb()
    for _ in range(6):
        bits.golomb()
    if bits.flag() and bits.flag():
        _skip_scaling(bits)
    bits.take(2)
    if bits.flag():
        bits.take(8)
        bits.golomb()
        bits.golomb()
        bits.take(1)
    return number, _Sequence(width, planes, _read_sets(bits), _read_far_choice(bits, width))


def _skip_profile(bits: Bits, layers: int) -> None:
    bits.take(96)
    if layers:
        told = [(bits.flag(), bits.flag()) for _ in range(8)]
        for profile, level in told[:layers]:
            bits.take(88 * profile + 8 * level)


def _skip_scaling(bits: Bits) -> None:
    for size in range(4):
        for _ in range(2 if size == 3 else 6):
            if bits.flag():
                for _ in range(min(64, 16 << 2 * size) + (size > 1)):
                    bits.golomb()
            else:
                bits.golomb()


def _read_sets(bits: Bits) -> tuple[_Set, ...]:
    count = bits.golomb()
    if count > _MOST_SETS:
        raise ValueError("too many sets")
    sets: list[_Set] = []
    for _ in range(count):
        sets.append(_read_set(bits, tuple(sets), count))
    return tuple(sets)


def _read_set(bits: Bits, sets: tuple[_Set, ...], count: int) -> _Set:
    """The set after ``sets`` of ``count``; in a slice it comes after all of them, and may lean on any."""
    if sets and bits.flag():
        back = bits.golomb() + 1 if len(sets) == count else 1
        return _derived_set(bits, sets[len(sets) - back] if back <= len(sets) else ())
    before, after = bits.golomb(), bits.golomb()
    if before + after > _MOST_REFERENCES:
        raise ValueError("too many references")
    found: list[tuple[int, bool]] = []
    for sign, many in ((-1, before), (1, after)):
        distance = 0
        for _ in range(many):
            distance += sign * (bits.golomb() + 1)
            found.append((distance, bits.flag()))
    return tuple(found)


def _derived_set(bits: Bits, base: _Set) -> _Set:
    """Given by its difference to another (7-61, 7-62)."""
    negative = bits.flag()
    shift = (bits.golomb() + 1) * (-1 if negative else 1)
    found = []
    for distance in (*(distance for distance, _ in base), 0):
        used = bits.flag()
        if (used or bits.flag()) and distance + shift:
            found.append((distance + shift, used))
    return tuple(sorted(found, key=lambda one: (one[0] > 0, abs(one[0]))))


def _read_far_choice(bits: Bits, width: int) -> tuple[tuple[int, bool], ...] | None:
    if not bits.flag():
        return None
    count = bits.golomb()
    if count > 32:
        raise ValueError("too many references")
    return tuple((bits.take(width), bits.flag()) for _ in range(count))


def _read_far(
    bits: Bits, choice: tuple[tuple[int, bool], ...], width: int
) -> tuple[tuple[int, int | None, bool], ...]:
    chosen = bits.golomb() if choice else 0
    told = bits.golomb()
    if chosen + told > _MOST_REFERENCES * 2:
        raise ValueError("too many references")
    found: list[tuple[int, int | None, bool]] = []
    cycles = 0
    for i in range(chosen + told):
        if i < chosen:
            count, used = choice[bits.take(_width(len(choice)))]
        else:
            count, used = bits.take(width), bits.flag()
        if i in (0, chosen):
            cycles = 0
        known = bits.flag()
        cycles += bits.golomb() if known else 0
        found.append((count, cycles if known else None, used))
    return tuple(found)


def _read_pps(bits: Bits) -> tuple[int, _Picture]:
    number, sequence = bits.golomb(), bits.golomb()
    bits.take(1)
    return number, _Picture(sequence, bits.flag(), bits.take(3))
