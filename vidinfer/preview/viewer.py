"""One open page: status and the pictures of all streams it looks at, over one WebSocket.

Browsers allow six connections to a host, so sixteen streams cannot have one each. To the page go texts,
``{"status", "points"}``, and pictures, ``stream u16, number u32`` (little endian) and the JPEG. From the page come
texts: ``{"watch": {stream: pixels across}}``, which replaces what was watched before, and ``{"seen": stream}`` once a
picture is on the screen. At most two pictures of a stream are under way unseen: a slow reader gets fewer, never older.
"""

from __future__ import annotations

import asyncio
import json
import struct
from collections import Counter
from collections.abc import Callable

from aiohttp import WSMsgType, web

from vidinfer.preview.board import Board
from vidinfer.preview.feed import Jpeg, PictureFeed, Watch
from vidinfer.preview.render import step

__all__ = ["PATIENCE", "Viewer", "waker"]

PATIENCE = 10.0
"""Seconds that one message may take to leave; then the reader is gone."""
UNDER_WAY = 2
_HEAD = struct.Struct("<HI")


def waker(event: asyncio.Event) -> Callable[[], None]:
    """What sets ``event``, of the running loop, from any thread."""
    loop = asyncio.get_running_loop()

    def wake() -> None:
        loop.call_soon_threadsafe(event.set)

    return wake


class Viewer:
    """Thread rule: the event loop's thread."""

    def __init__(self, socket: web.WebSocketResponse, board: Board, pictures: PictureFeed) -> None:
        self._socket = socket
        self._board = board
        self._pictures = pictures
        self._wake = asyncio.Event()
        self._told = self._point = 0
        self._watches: dict[int, Watch] = {}
        self._sent: dict[int, int] = {}
        self._under_way: Counter[int] = Counter()
        self._last = 0

    async def run(self, request: web.Request) -> None:
        """Until either side has enough."""
        self._board.wakes.add(self._wake)
        sending = asyncio.create_task(self._send(request))
        try:
            await self._listen()
        finally:
            self._board.wakes.discard(self._wake)
            self._watch({})
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)

    async def _listen(self) -> None:
        async for message in self._socket:
            if message.type is not WSMsgType.TEXT or not self._understood(message.data):
                await self._socket.close(code=1008, message=b"not understood")
                return
            self._wake.set()

    def _understood(self, text: str) -> bool:
        """Do what the page says; false where it makes no sense."""
        try:
            said = json.loads(text)
            if not isinstance(said, dict):
                return False
            if "watch" in said:
                self._watch({int(stream): int(width) for stream, width in said["watch"].items()})
            if "seen" in said:
                stream = int(said["seen"])
                self._under_way[stream] = max(0, self._under_way[stream] - 1)
                self._under_way += Counter()  # keeps what is above 0 alone
        except (ValueError, TypeError, AttributeError, RecursionError):
            return False
        return True

    def _watch(self, wanted: dict[int, int]) -> None:
        """Look at these streams, so many pixels across each, and at no others."""
        for stream in list(self._watches):
            if stream not in wanted or self._watches[stream].width != step(wanted[stream]):
                self._pictures.unwatch(self._watches.pop(stream))
        for stream, width in wanted.items():
            if stream not in self._watches and 0 <= stream < len(self._pictures):
                self._watches[stream] = self._pictures.watch(stream, width, waker(self._wake))

    async def _send(self, request: web.Request) -> None:
        try:
            while True:
                self._wake.clear()
                if self._told != self._board.number:
                    await self._tell()
                found = self._next()
                if found is None:
                    await self._wake.wait()
                    continue
                stream, jpeg = found
                self._sent[stream], self._last = jpeg.number, stream
                self._under_way[stream] += 1
                async with asyncio.timeout(PATIENCE):
                    head = _HEAD.pack(stream, jpeg.number & 0xFFFFFFFF)
                    await self._socket.send_bytes(head + jpeg.data)
        except (ConnectionError, TimeoutError):
            if request.transport is not None:
                request.transport.abort()

    async def _tell(self) -> None:
        text, self._point = self._board.message(self._point)
        self._told = self._board.number
        async with asyncio.timeout(PATIENCE):
            await self._socket.send_str(text)

    def _next(self) -> tuple[int, Jpeg] | None:
        """The next picture to send: the streams take turns."""
        streams = sorted(self._watches, key=lambda stream: (stream <= self._last, stream))
        for stream in streams:
            jpeg = self._pictures.latest(stream)
            new = jpeg is not None and jpeg.number > self._sent.get(stream, 0)
            if jpeg is not None and new and self._under_way[stream] < UNDER_WAY:
                return stream, jpeg
        return None
