"""Groups of pictures in the order of the file, joined into parts that are each worth a process's while."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import NamedTuple

from vidinfer.frame import FrameStamp
from vidinfer.sampling import Sampler, Sampling
from vidinfer.source.part import WHOLE, Part

__all__ = ["FRONT", "Groups", "Shown", "Split", "Whole", "split_of"]

FRONT = Sampling(every=1 << 30)
"""Asks for so little that nothing but the codec can be a reason to decode everything."""

_READING = 0.01
"""What reading a frame's packet costs, as a share of decoding it."""


@dataclass(frozen=True, slots=True)
class Split:
    """How a file is split."""

    parts: tuple[Part, ...]
    """Tile the file, in order; a single one where it is not to be cut."""
    why: str = ""
    """Why it is not cut."""


class Whole(Exception):
    """The file has to be decoded as a whole, and why; reaches nobody but who cuts files."""


class Shown(NamedTuple):
    """A frame as its packet tells it."""

    pts: int
    keyframe: bool


class _Group(NamedTuple):
    part: Part
    cost: float
    """In frames decoded."""
    asked_for: bool
    """It is not wholly before the range that is asked for."""


class Groups:
    """What is known of a file so far, and which frames of it are wanted. Thread rule: one thread."""

    def __init__(self, sampling: Sampling | None, time_base: Fraction, *, selective: bool) -> None:
        """Begin with none.

        Args:
            sampling: ``None``: every frame is wanted.
            time_base: of the stream.
            selective: what is not wanted is not decoded.
        """
        self._sampler = None if sampling is None else Sampler(sampling)
        self._start = None if sampling is None else sampling.start
        self._time_base = time_base
        self._selective = selective
        self._groups: list[_Group] = []
        self._index = 0
        self.over = False
        """What comes is behind the last frame that is wanted, and need not be looked at."""

    def __len__(self) -> int:
        return len(self._groups)

    def add(
        self,
        start: Shown,
        dts: int | None,
        position: int | None,
        end: int | None,
        frames: Sequence[Shown],
        needed: Callable[[set[int]], int],
    ) -> None:
        """The next group.

        Args:
            start: the picture that decoding begins with.
            dts: of its packet.
            position: byte of the file at which that lies.
            end: ``pts`` of the next group's; ``None``: this is the last.
            frames: those displayed from ``start`` up to ``end``, in this order, with rising times.
            needed: how many packets have to be decoded for the frames of these times.
        """
        early = self._start is not None and start.pts * self._time_base < self._start
        before = None if self._sampler is None or not self._groups else self._sampler.remembered
        part = Part(start.pts, end, self._index, 0, start.pts, dts, position, before, early)
        wanted, out, count = self._judged(frames)
        self._index += len(frames)
        if self.over and not count and self._groups:
            return
        cost = _READING * len(frames)
        if self._selective:
            cost += needed(wanted)
        elif out < len(frames):  # a part that begins early passes over what comes before the range
            cost = len(frames)
        self._groups.append(_Group(replace(part, frames=count), cost, out < len(frames)))

    def _judged(self, frames: Sequence[Shown]) -> tuple[set[int], int, int]:
        """The times of those to be labelled, how many are before the range, how many before its end."""
        if self._sampler is None:
            return {one.pts for one in frames} if self._selective else set(), 0, len(frames)
        wanted, out = set[int](), 0
        for count, one in enumerate(frames):
            stamp = FrameStamp(self._index + count, one.pts, self._time_base, keyframe=one.keyframe)
            if self._sampler.finished(stamp):
                self.over = True
                return wanted, out, count
            reason = self._sampler.skip_reason(stamp)
            out += reason == "range"
            if reason is None:
                wanted.add(one.pts)
        return wanted, out, len(frames)

    def parts(self, frames: int) -> tuple[Part, ...]:
        """Tile the file with parts of which at least ``frames`` frames are decoded, but for a rest."""
        parts: list[_Group] = []
        for group in self._groups:
            if parts and not _begins(group, parts[-1], frames):
                parts[-1] = _both(parts[-1], group)
            else:
                parts.append(group)
        if len(parts) > 1 and parts[-1].cost < frames / 2 and parts[-2].asked_for:
            last = parts.pop()
            parts[-1] = _both(parts[-1], last)
        if len(parts) < 2:
            return (WHOLE,)
        found = [group.part for group in parts]
        return (replace(found[0], start=None), *found[1:-1], replace(found[-1], end=None))


def split_of(groups: Groups, frames: int) -> Split:
    """All groups of a file in parts of at least ``frames`` frames."""
    parts = groups.parts(frames)
    return Split(parts, "" if len(parts) > 1 else f"{len(groups)} groups of pictures are too few")


def _begins(group: _Group, last: _Group, frames: int) -> bool:
    """A part of its own begins with ``group``."""
    if not group.part.frames:  # one that is hidden altogether begins nothing: its times need not be in order
        return False
    if group.asked_for and not last.asked_for:  # what is passed over is no work to be shared out
        return last.part.frames >= frames
    return last.cost >= frames


def _both(one: _Group, other: _Group) -> _Group:
    part = replace(one.part, end=other.part.end, frames=one.part.frames + other.part.frames)
    return _Group(part, one.cost + other.cost, one.asked_for or other.asked_for)
