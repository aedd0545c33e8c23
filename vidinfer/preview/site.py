"""What is at which address, and who may have it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from importlib import resources
from pathlib import PurePath

from aiohttp import web

from vidinfer.address import shown
from vidinfer.preview.access import COOKIE, Access
from vidinfer.preview.board import Board, Unreadable
from vidinfer.preview.feed import PictureFeed
from vidinfer.preview.health import health
from vidinfer.preview.metrics import exposition
from vidinfer.preview.mjpeg import CONTENT_TYPE, mjpeg
from vidinfer.preview.render import WIDTHS
from vidinfer.preview.viewer import Viewer

__all__ = ["Site"]

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

VIEWERS = 64
"""Pages and MJPEG readers at once."""
PING = 10.0
"""Seconds; a page that does not answer within half of them is gone."""
_TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; "
        "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "Server": "vidinfer",
    "X-Content-Type-Options": "nosniff",
}
_OPEN = ("/healthz", "/static/", "/favicon.ico")
"""Told without a token: nothing in them is of this run but whether it does well."""


class Site:
    """The addresses of one server. Thread rule: the event loop's thread."""

    def __init__(self, access: Access, board: Board, pictures: PictureFeed) -> None:
        self._access = access
        self._board = board
        self._pictures = pictures
        self._files = _files()
        self._looking: set[asyncio.Task[object]] = set()

    @property
    def viewers(self) -> int:
        """Pages and MJPEG readers now."""
        return len(self._looking)

    def application(self) -> web.Application:
        """For aiohttp."""
        app = web.Application(middlewares=[self._guard], client_max_size=4096)
        app.on_response_prepare.append(_harden)
        app.add_routes(
            [
                web.get("/", self._page),
                web.get("/static/{name}", self._static),
                web.get("/favicon.ico", self._icon),
                web.get("/live", self._live, allow_head=False),
                web.get(r"/streams/{stream:\d{1,5}}.mjpeg", self._mjpeg),
                web.get("/api/status", self._status),
                web.get("/metrics", self._metrics),
                web.get("/healthz", self._health),
            ]
        )
        return app

    async def hang_up(self) -> None:
        """End everybody's looking."""
        tasks = list(self._looking)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        refusal = self._access.refusal(request.headers)
        if refusal is not None:
            return web.Response(status=403, text=f"{refusal}\n")
        token = request.query.get("token")
        authorization = request.headers.get("Authorization")
        if not self._access.granted(token, request.cookies.get(COOKIE), authorization):
            if not request.path.startswith(_OPEN):
                return self._ask(request)
        elif token is not None and request.path == "/":  # out of the address, and of the browser's history
            response = web.Response(status=303, headers={"Location": "/"})
            response.set_cookie(COOKIE, self._access.cookie, httponly=True, samesite="Strict", path="/")
            return response
        try:
            return await handler(request)
        except Unreadable as error:
            return web.Response(status=503, text=f"{error}\n")
        except (web.HTTPException, ConnectionError):
            raise
        except Exception as error:  # told to who asked; the run has nothing to do with it
            text = shown(f"{type(error).__name__}: {error}".splitlines()[0])
            return web.Response(status=500, text=f"the preview failed: {text}\n")

    def _ask(self, request: web.Request) -> web.Response:
        headers = {"WWW-Authenticate": "Bearer"}
        if request.path == "/":
            return web.Response(
                status=401,
                headers=headers,
                body=self._files["token.html"][0],
                content_type="text/html",
                charset="utf-8",
            )
        text = "a token is needed: `Authorization: Bearer TOKEN`, or `?token=TOKEN` behind the address\n"
        return web.Response(status=401, headers=headers, text=text)

    @contextmanager
    def _seat(self) -> Iterator[None]:
        """Count the running task among those that look."""
        if len(self._looking) >= VIEWERS:
            raise web.HTTPServiceUnavailable(text=f"{VIEWERS} look already\n")
        task = asyncio.current_task()
        assert task is not None
        self._looking.add(task)
        try:
            yield
        finally:
            self._looking.discard(task)

    async def _page(self, _: web.Request) -> web.Response:
        return self._file("index.html")

    async def _icon(self, _: web.Request) -> web.Response:
        return self._file("icon.svg")

    async def _static(self, request: web.Request) -> web.Response:
        return self._file(request.match_info["name"])

    def _file(self, name: str) -> web.Response:
        if name not in self._files:
            raise web.HTTPNotFound
        body, kind = self._files[name]
        return web.Response(body=body, content_type=kind, charset="utf-8")

    async def _live(self, request: web.Request) -> web.StreamResponse:
        with self._seat():
            socket = web.WebSocketResponse(heartbeat=PING, max_msg_size=16 * 1024, compress=False)
            await socket.prepare(request)
            await Viewer(socket, self._board, self._pictures).run(request)
            return socket

    async def _mjpeg(self, request: web.Request) -> web.StreamResponse:
        stream = int(request.match_info["stream"])
        if stream >= len(self._pictures):
            raise web.HTTPNotFound(
                text=f"there is no stream {stream}: they count from 0 to {len(self._pictures) - 1}\n"
            )
        if request.method == "HEAD":
            return web.Response(headers={"Content-Type": CONTENT_TYPE})
        with self._seat():
            return await mjpeg(request, self._pictures, stream, WIDTHS[-1])

    async def _status(self, _: web.Request) -> web.Response:
        text = self._board.json(self._board.read())
        return web.Response(text=text, content_type="application/json")

    async def _metrics(self, request: web.Request) -> web.Response:
        accept = request.headers.get("Accept", "")
        body, kind = exposition(self._board.read(), accept, self.viewers)
        return web.Response(body=body, headers={"Content-Type": kind})

    async def _health(self, _: web.Request) -> web.Response:
        try:
            found = health(self._board.read())
        except Unreadable:
            answer: dict[str, object] = {"status": "failing", "why": "the status of the run cannot be read"}
            return web.json_response(answer, status=503)
        return web.json_response(found.as_dict(), status=200 if found.ok else 503)


async def _harden(_: web.Request, response: web.StreamResponse) -> None:
    response.headers.update(_HEADERS)


def _files() -> dict[str, tuple[bytes, str]]:
    """Body and type of each file of the page, by name; some ten kilobytes."""
    folder = resources.files("vidinfer.preview") / "static"
    return {
        file.name: (file.read_bytes(), _TYPES[PurePath(file.name).suffix])
        for file in folder.iterdir()
        if PurePath(file.name).suffix in _TYPES
    }
