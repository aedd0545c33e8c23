"""How long the model may stay idle, under overload, for a stream that is owed a turn."""

from __future__ import annotations

__all__ = ["MOST", "SHARE", "Patience"]

SHARE = 0.2
"""Of the time that batches take, it may be idle so."""
MOST = 0.75
"""Batches' time that can be saved up: without some of it streams that are far apart would never be waited for."""


class Patience:
    """A purse of time: batches fill it, waiting empties it.

    So over any stretch of time the model is idle for others' sake for at most ``SHARE`` of the time of its batches and
    ``MOST`` of one: at least 1 / (1 + ``SHARE``), five of six, of the labels remain, and mostly some percent less than
    all, as the purse is opened for streams that are behind only. Seconds; a pure state machine.
    """

    __slots__ = ("_saved", "_since")

    def __init__(self) -> None:
        self._saved = 0.0
        self._since: float | None = None

    def left(self, now: float) -> float:
        """Seconds that may still be waited; 0 or less: none."""
        return self._saved - (0.0 if self._since is None else now - self._since)

    def begin(self, now: float) -> None:
        """The model could have had a batch, and waits. Idempotent until ``sent``."""
        if self._since is None:
            self._since = now

    def sent(self, now: float) -> None:
        """It has one: what was waited longer than was left is owed."""
        self._saved, self._since = self.left(now), None

    def earn(self, seconds: float) -> None:
        """A batch took so long."""
        self._saved = min(self._saved + SHARE * seconds, MOST * seconds)
