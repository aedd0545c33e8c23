"""Units of H.264 and HEVC, and the bits of their heads."""

from __future__ import annotations

from collections.abc import Iterator

__all__ = ["Bits", "units"]


class Bits:
    """The bits of a unit, without the bytes that keep start codes out of it."""

    def __init__(self, data: bytes) -> None:
        data = data.replace(b"\0\0\3", b"\0\0")
        self._value = int.from_bytes(data, "big")
        self._left = 8 * len(data)

    def take(self, count: int) -> int:
        """Raises ``ValueError`` at the end."""
        if count > self._left:
            raise ValueError("cut short")
        self._left -= count
        return self._value >> self._left & (1 << count) - 1

    def flag(self) -> bool:
        """One bit."""
        return bool(self.take(1))

    def golomb(self) -> int:
        """An unsigned number of variable length (9.1 of H.264, 9.2 of HEVC)."""
        zeros = 0
        while not self.take(1):
            zeros += 1
        return (1 << zeros) - 1 + self.take(zeros)


def units(data: bytes) -> Iterator[bytes]:
    """What lies between start codes; none is empty."""
    begin = data.find(b"\0\0\1")
    while begin >= 0:
        end = data.find(b"\0\0\1", begin + 3)
        unit = data[begin + 3 : None if end < 0 else end]
        if unit:
            yield unit
        begin = end
