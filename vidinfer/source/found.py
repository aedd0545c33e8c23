"""What was found while reading, as opposed to what the container claims."""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["Found"]

_SIZES_LISTED = 16


@dataclass(slots=True)
class Found:
    """Counts over the frames given out so far. Thread rule: one thread at a time."""

    frames: int = 0
    corrupt: int = 0
    b_frames: int = 0
    without_pts: int = 0
    not_increasing: int = 0
    """Frames whose ``pts`` is not above the one before."""
    first_pts: int | None = None
    last_pts: int | None = None
    shortest: int | None = None
    longest: int | None = None
    size_changes: int = 0
    sizes: list[str] = field(default_factory=list)
    _size: tuple[int, int] | None = None

    def frame(self, pts: int | None, size: tuple[int, int], *, corrupt: bool, b_frame: bool) -> None:
        """Count one frame, shown ``size`` ``(width, height)`` if it were not scaled."""
        self.frames += 1
        self.b_frames += b_frame
        self.corrupt += corrupt
        if size != self._size:
            self.size_changes += self._size is not None
            self._size = size
            if len(self.sizes) < _SIZES_LISTED:
                self.sizes.append(f"{size[0]}x{size[1]}")
        self._time(pts)

    def passed(self, pts: int) -> None:
        """Count one frame that was not decoded."""
        self.frames += 1
        self._time(pts)

    def _time(self, pts: int | None) -> None:
        if pts is None:
            self.without_pts += 1
            return
        if self.last_pts is not None:
            delta = pts - self.last_pts
            self.not_increasing += delta <= 0
            self.shortest = delta if self.shortest is None else min(self.shortest, delta)
            self.longest = delta if self.longest is None else max(self.longest, delta)
        else:
            self.first_pts = pts
        self.last_pts = pts

    @property
    def variable_rate(self) -> bool:
        """Frames are not evenly spaced; one tick more or less is the rounding of the time base."""
        return self.shortest is not None and self.longest is not None and self.longest - self.shortest > 1

    def as_dict(self) -> dict[str, object]:
        """Ready for JSON."""
        return {
            "frames": self.frames,
            "frames_corrupt": self.corrupt,
            "b_frames": self.b_frames,
            "frames_without_pts": self.without_pts,
            "pts_not_increasing": self.not_increasing,
            "first_pts": self.first_pts,
            "last_pts": self.last_pts,
            "variable_rate": self.variable_rate,
            "size_changes": self.size_changes,
            "sizes": list(self.sizes),
        }
