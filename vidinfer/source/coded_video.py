"""What must be known of a stream of packets to decode and describe it: FFmpeg's own, or one that we read ourselves."""

from __future__ import annotations

from fractions import Fraction
from typing import Protocol

from av.video.codeccontext import VideoCodecContext

__all__ = ["CodedVideo", "Named", "Packaging"]


class CodedVideo(Protocol):
    """As far as a ``VideoStream`` of PyAV is asked."""

    @property
    def codec_context(self) -> VideoCodecContext:
        """Not opened yet; whoever decodes sets its threads."""
        ...

    @property
    def time_base(self) -> Fraction | None:
        """Seconds in a unit of ``pts``."""
        ...

    @property
    def average_rate(self) -> Fraction | None:
        """Pictures a second, as claimed."""
        ...

    @property
    def profile(self) -> str | None:
        """Of the codec."""
        ...

    @property
    def sample_aspect_ratio(self) -> Fraction | None:
        """Width of a pixel over its height."""
        ...


class Named(Protocol):
    """A format."""

    @property
    def name(self) -> str:
        """As FFmpeg calls it."""
        ...


class Packaging(Protocol):
    """What packets come out of, as far as an ``InputContainer`` of PyAV is asked."""

    @property
    def format(self) -> Named:
        """How they are put together."""
        ...

    def close(self) -> None:
        """No packet comes any more, and what was read stays good. Idempotent."""
        ...
