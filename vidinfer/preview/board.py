"""The newest status and the last minutes, read and encoded once for everybody who looks."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable

from vidinfer.address import shown
from vidinfer.preview.feed import PictureFeed
from vidinfer.preview.history import History
from vidinfer.preview.told import told
from vidinfer.status import LiveStatus

__all__ = ["Board", "Unreadable"]


class Unreadable(Exception):
    """The run's status cannot be read; the message says why, in one line without passwords."""


class Board:
    """Thread rule: the event loop's thread."""

    def __init__(self, status: Callable[[], LiveStatus], pictures: PictureFeed) -> None:
        self._status = status
        self._pictures = pictures
        self._history = History()
        self._text = ""
        self.number = 0
        """Of the newest status; 0 where there is none."""
        self.wakes: set[asyncio.Event] = set()
        """Set at every new status."""

    def read(self) -> LiveStatus:
        """The status now.

        Raises:
            Unreadable: what gives it failed.
        """
        try:
            return self._status()
        except Exception as error:
            text = shown(f"{type(error).__name__}: {error}".splitlines()[0])
            raise Unreadable(f"the status of the run cannot be read: {text}") from None

    def json(self, status: LiveStatus) -> str:
        """``status`` as text, with what the preview itself knows of each stream."""
        told_of = told(status)
        streams = told_of["streams"]
        assert isinstance(streams, list)
        for index, stream in enumerate(streams):
            stream["picture_error"] = self._pictures.error(index) if index < len(self._pictures) else ""
        return json.dumps(told_of, separators=(",", ":"), ensure_ascii=False)

    def refresh(self) -> None:
        """Take the status now, and wake whoever waits for it."""
        try:
            status = self.read()
            self._history.add(status)
            self._text = self.json(status)
        except Exception as error:  # told on the page, which goes on
            said = (
                error if isinstance(error, Unreadable) else f"the status of the run makes no sense: {error}"
            )
            self._text = json.dumps({"unreadable": shown(str(said))})
        self.number += 1
        for wake in self.wakes:
            wake.set()

    def message(self, after: int) -> tuple[str, int]:
        """The newest status with the points of the charts after number ``after``, and the number of the last."""
        points = ",".join(self._history.since(after))
        return f'{{"status":{self._text or "null"},"points":[{points}]}}', self._history.newest
