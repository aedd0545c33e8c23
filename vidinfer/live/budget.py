"""Whether a latency budget can be kept at all, told once the model has been measured."""

from __future__ import annotations

import statistics
from collections.abc import Iterable

__all__ = ["Budget"]


class Budget:
    """Looks at what the model was measured to take for a single frame: there is no smaller batch to fall back on.

    Thread rule: ``measured`` on one thread, ``warnings`` on any.
    """

    def __init__(self, slo: float | None) -> None:
        """``slo``: seconds from a frame's arrival to its label; ``None``: there is no budget."""
        self._slo = slo
        self.warnings: tuple[str, ...] = ()
        """One line at most: the first finding stays."""

    def measured(self, took: Iterable[tuple[int, float]], device: str) -> None:
        """``took``: ``(frames, seconds)`` of warmed-up batches on ``device``."""
        single = [seconds for frames, seconds in took if frames == 1]
        # The median is also what the scheduler expects of the next frame.
        if self._slo is not None and not self.warnings and single and statistics.median(single) > self._slo:
            self.warnings = (_told(self._slo, single, device),)


def _told(slo: float, single: list[float], device: str) -> str:
    least, middle, most = (_ms(f(single)) for f in (min, statistics.median, max))
    spread = f" ({least} to {most})" if least != most else ""
    gpu = ", or a GPU" if device == "cpu" else ""
    return (
        f"latency-slo {1000 * slo:g} ms cannot be kept: the model alone takes {middle} ms{spread} for one frame here. "
        "Frames are dropped, but for about one a second of all streams together, which is labelled late. "
        f"Give a budget well above {most} ms, a smaller model (see `vidinfer models`){gpu}"
    )


def _ms(seconds: float) -> str:
    value = 1000 * seconds
    return f"{value:.0f}" if value >= 10 else f"{value:.2g}"
