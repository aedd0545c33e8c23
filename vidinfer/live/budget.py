"""Whether a latency budget can be kept at all, told once that has been measured."""

from __future__ import annotations

import statistics
import threading
from collections.abc import Iterable

__all__ = ["Budget"]


class Budget:
    """Looks at what the model was measured to take for a single frame, as there is no smaller batch to fall back on,
    and at what the frames of each stream take until they wait for it. The first finding about either stays.

    Thread rule: share freely.
    """

    def __init__(self, slo: float | None) -> None:
        """``slo``: seconds from a frame's arrival to its label; ``None``: there is no budget."""
        self._slo = slo
        self._model: float | None = None
        self._of_model: tuple[str, ...] = ()
        self._of_streams: dict[str, str] = {}
        self._lock = threading.Lock()

    @property
    def warnings(self) -> tuple[str, ...]:
        """One line about the model, or at most one about each stream."""
        with self._lock:
            return self._of_model or tuple(self._of_streams.values())

    def warnings_of(self, stream: str) -> tuple[str, ...]:
        """Those that matter to ``stream``."""
        with self._lock:
            return self._of_model or tuple(text for name, text in self._of_streams.items() if name == stream)

    def measured(self, took: Iterable[tuple[int, float]], device: str) -> None:
        """``took``: ``(frames, seconds)`` of warmed-up batches on ``device``."""
        single = [seconds for frames, seconds in took if frames == 1]
        if self._slo is None or not single:
            return
        with self._lock:
            # The median is also what the scheduler expects of the next frame.
            self._model = statistics.median(single)
            if self._model > self._slo and not self._of_model:
                self._of_model = (_told(self._slo, single, device),)

    def prepared(self, stream: str, seconds: float) -> None:
        """``seconds``: from a frame's arrival until it waits for the model, in the middle of many of ``stream``."""
        with self._lock:
            if self._slo is None or self._model is None or seconds + self._model <= self._slo:
                return
            self._of_streams.setdefault(stream, _told_of_stream(stream, self._slo, seconds, self._model))


def _told(slo: float, single: list[float], device: str) -> str:
    least, middle, most = (_ms(f(single)) for f in (min, statistics.median, max))
    spread = f" ({least} to {most})" if least != most else ""
    gpu = ", or a GPU" if device == "cpu" else ""
    return (
        f"latency-slo {1000 * slo:g} ms cannot be kept: the model alone takes {middle} ms{spread} for one frame here. "
        "Frames are dropped, but for about one a second of all streams together, which is labelled late. "
        f"Give a budget well above {most} ms, a smaller model (see `vidinfer models`){gpu}"
    )


def _told_of_stream(stream: str, slo: float, seconds: float, model: float) -> str:
    return (
        f"{stream}: latency-slo {1000 * slo:g} ms cannot be kept: half of its frames take {_ms(seconds)} ms or more "
        f"to be decoded and prepared here, before the model's {_ms(model)} ms. Most are dropped, or labelled late. "
        f"Give a budget well above {_ms(seconds + model)} ms, smaller pictures (many cameras have a second stream), "
        "a stream without B-frames, or fewer streams"
    )


def _ms(seconds: float) -> str:
    value = 1000 * seconds
    return f"{value:.0f}" if value >= 10 else f"{value:.2g}"
