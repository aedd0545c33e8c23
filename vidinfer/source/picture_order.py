"""Frames of HEVC that are missing: decoders invent them, or refuse what refers to them, each in its own way.

Every slice lists the frames that must still be kept (8.3.2 of ITU-T H.265), so it can be told whether they have come.
"""

from __future__ import annotations

from vidinfer.source.hevc_headers import CRA, IRAP, RASL, HevcHeaders, Slice
from vidinfer.source.missing import Missing

__all__ = ["PictureOrder"]

_LAST_UNREFERENCED = 14


class PictureOrder:
    """A :class:`~vidinfer.source.missing.Continuity` of HEVC with start codes.

    A lost keyframe lets the counts begin anew unseen; then they contradict the order of the times. What cannot be
    understood, nor any of the rest of its group, is never found to miss anything.

    Thread rule: one thread at a time.
    """

    def __init__(self, extradata: bytes = b"") -> None:
        """``extradata``: of the codec, with start codes."""
        self._headers = HevcHeaders()
        self._headers.read(extradata)
        self._kept: dict[int, int | None] | None = {}
        """Frames that may be referred to, by their count, and their times; ``None``: not known."""
        self._last = 0
        """The count that the next is told from."""
        self._cold = True
        """Nothing from before the last keyframe counts."""

    def forget(self) -> None:
        """Nothing that has come counts any longer."""
        self._kept, self._cold = {}, True

    def next(self, packet: bytes, pts: int | None, *, key: bool) -> Missing:
        """What is missing for ``packet``; ``key``: it can be decoded without those before."""
        head = self._headers.read(packet)
        if head is None or (key and head.kind not in IRAP):
            self._kept, self._cold = None, False
            return Missing.NOTHING
        if head.kind in IRAP:
            self._begin(head, pts)
            return Missing.NOTHING
        if head.kind in RASL and self._cold:
            return Missing.BEFORE_KEYFRAME
        if self._kept is None:
            return Missing.NOTHING
        count = self._count(head)
        if self._fits(head, count, pts):
            self._keep(head, count, pts)
            return Missing.NOTHING
        if head.kind in RASL:
            return Missing.BEFORE_KEYFRAME
        self.forget()
        return Missing.REFERENCE

    def _begin(self, head: Slice, pts: int | None) -> None:
        count = self._count(head)
        goes_on = head.kind == CRA and bool(self._kept) and self._in_order(count, pts)
        self._cold = not goes_on
        if not goes_on:
            self._kept, count = {}, head.order
        self._keep(head, count, pts)

    def _count(self, head: Slice) -> int:
        """Of all cycles (8.3.1)."""
        near = (head.order - self._last + head.cycle // 2) % head.cycle - head.cycle // 2
        return self._last + near

    def _fits(self, head: Slice, count: int, pts: int | None) -> bool:
        kept = self._kept or {}
        if not self._in_order(count, pts):
            return False
        if any(used and count + distance not in kept for distance, used in head.near):
            return False
        return all(not used or _find(kept, head, count, lsb, back) for lsb, back, used in head.far)

    def _in_order(self, count: int, pts: int | None) -> bool:
        """Frames have their times in the order of their counts."""
        return pts is None or all(
            other is None or (count != known and (count < known) == (pts < other))
            for known, other in (self._kept or {}).items()
        )

    def _keep(self, head: Slice, count: int, pts: int | None) -> None:
        """This one, and what its list says."""
        kept = self._kept or {}
        listed = {count + distance for distance, _ in head.near}
        for lsb, back, _ in head.far:
            listed.update(_find(kept, head, count, lsb, back))
        self._kept = {known: time for known, time in kept.items() if known in listed} | {count: pts}
        unreferenced = head.kind <= _LAST_UNREFERENCED and not head.kind % 2
        leading = 6 <= head.kind <= 9
        if not (head.layer or unreferenced or leading):
            self._last = count


def _find(kept: dict[int, int | None], head: Slice, count: int, lsb: int, back: int | None) -> list[int]:
    """Long-term references are told by the end of their count, and by the cycle only where that is needed."""
    if back is None:
        return [known for known in kept if known % head.cycle == lsb and known != count]
    exact = count - count % head.cycle - back * head.cycle + lsb
    return [exact] if exact in kept else []
