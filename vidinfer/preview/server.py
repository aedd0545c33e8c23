"""The server of the preview: an event loop in a thread of its own, and a thread that draws."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import threading
from collections.abc import Callable
from contextlib import ExitStack
from types import TracebackType

from aiohttp import web

from vidinfer.errors import UsageError
from vidinfer.preview.access import Access
from vidinfer.preview.board import Board
from vidinfer.preview.feed import PictureFeed
from vidinfer.preview.site import Site
from vidinfer.status import LiveStatus
from vidinfer.workers import Workers

__all__ = ["Preview"]

EVERY = 0.5
"""Seconds between two looks at the run while somebody looks at the page; twice that otherwise, for the charts."""

IDLE = 15.0
"""Seconds that a connection may wait without a whole request: strangers must not use up the run's file descriptors."""

_log = logging.getLogger(__name__)
_log.addHandler(logging.NullHandler())  # what strangers send to a port is no news of the run


class Preview:
    """Serves the page, the pictures and the metrics of one live run, from ``start`` to ``close``.

    Labelling does not wait for it: nothing here is called by the run but :meth:`PictureFeed.show`. Thread rule: one
    thread.
    """

    def __init__(
        self,
        status: Callable[[], LiveStatus],
        pictures: PictureFeed,
        *,
        host: str = "127.0.0.1",
        port: int = 8080,
        token: str | None = None,
    ) -> None:
        """Nothing is bound yet.

        Args:
            status: gives the run's status; called on the server's thread, a few times a second.
            pictures: the streams' pictures; closed with this.
            host: the address to bind to.
            port: 0 takes any free one.
            token: whoever looks must know it; at least 12 characters. Needed unless ``host`` is loopback.

        Raises:
            UsageError: others could reach it, and there is no token or a short one.
        """
        self._access = Access(host, token)
        self._status, self._pictures = status, pictures
        self._host, self._port, self._token = host, port, token
        self._block: ExitStack | None = None
        self._up = threading.Event()
        self._ended = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None

    @property
    def port(self) -> int:
        """The bound one, once started."""
        return self._port

    @property
    def url(self) -> str:
        """What to open in a browser; with the token, where there is one."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        query = "" if self._token is None else f"?token={self._token}"
        return f"http://{host}:{self._port}/{query}"

    def start(self) -> None:
        """Bind, and serve from now on. Once.

        Raises:
            UsageError: the address cannot be had: taken, not of this machine, or not allowed.
        """
        listening = _listening(self._host, self._port)
        self._port = listening.getsockname()[1]
        self._block = ExitStack()
        workers = self._block.enter_context(Workers(on_failure=self._end))
        workers.start("preview", lambda: self._run(listening))
        workers.start("preview-draw", self._pictures.work)
        self._up.wait()  # set by the thread, or by the failure that it ends with
        if self._stop is None:
            self.close()

    def close(self) -> None:
        """Hang up on everybody at once, also on who has stopped reading, and end the threads. Idempotent.

        Raises:
            Exception: what ended a thread before.
        """
        self._end()
        if self._block is not None:
            self._block.close()

    def __enter__(self) -> Preview:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _end(self) -> None:
        self._ended = True
        self._pictures.close()
        self._up.set()
        loop, stop = self._loop, self._stop
        if loop is not None and stop is not None:
            try:
                loop.call_soon_threadsafe(stop.set)
            except RuntimeError:
                return  # the loop has ended

    def _run(self, listening: socket.socket) -> None:
        with listening, asyncio.Runner() as runner:
            runner.run(self._serve(listening))

    async def _serve(self, listening: socket.socket) -> None:
        board = Board(self._status, self._pictures)
        site = Site(self._access, board, self._pictures)
        app = site.application()
        runner = web.AppRunner(
            app,
            access_log=None,
            logger=_log,
            handler_cancellation=True,
            shutdown_timeout=0.1,
            keepalive_timeout=IDLE,
            handle_signals=False,
        )
        await runner.setup()
        stop = asyncio.Event()
        refreshing = asyncio.create_task(_refresh(board, site))
        try:
            await web.SockSite(runner, listening).start()
            self._loop, self._stop = asyncio.get_running_loop(), stop
            if self._ended:  # closed before it was up
                return
            self._up.set()
            stopping = asyncio.create_task(stop.wait())
            done, _ = await asyncio.wait([stopping, refreshing], return_when=asyncio.FIRST_COMPLETED)
            stopping.cancel()
            if refreshing in done:
                refreshing.result()
        finally:
            refreshing.cancel()
            _abort(runner)
            await site.hang_up()
            await runner.cleanup()


async def _refresh(board: Board, site: Site) -> None:
    while True:
        board.refresh()
        await asyncio.sleep(EVERY if site.viewers else 2 * EVERY)


def _abort(runner: web.AppRunner) -> None:
    """Drop every connection: a polite close would wait for what a reader does not take."""
    server = runner.server
    for connection in [] if server is None else server.connections:
        if connection.transport is not None:
            connection.transport.abort()


def _listening(host: str, port: int) -> socket.socket:
    if not 0 <= port <= 65535:
        raise UsageError(f"the preview cannot listen on {host}:{port}: a port is between 0 and 65535")
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        family, _, _, _, address = min(found, key=lambda one: one[0] is not socket.AF_INET)
        return socket.create_server((str(address[0]), port), family=family, backlog=64)
    except OSError as error:
        reason = error.strerror or error
        if error.errno is not None and error.errno > 0:  # without what the standard library adds
            reason = os.strerror(error.errno)
        raise UsageError(
            f"the preview cannot listen on {host}:{port}: {reason}; take another port (0: any free one) or host"
        ) from None
