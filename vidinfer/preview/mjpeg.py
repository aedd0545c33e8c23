"""One stream as ``multipart/x-mixed-replace``: what browsers, VLC and home automation show without any script."""

from __future__ import annotations

import asyncio
import socket

from aiohttp import web

from vidinfer.preview.feed import PictureFeed
from vidinfer.preview.viewer import PATIENCE, waker

__all__ = ["CONTENT_TYPE", "mjpeg"]

_BOUNDARY = "frame"
CONTENT_TYPE = f"multipart/x-mixed-replace; boundary={_BOUNDARY}"
_NEXT = f"\r\n--{_BOUNDARY}\r\nContent-Type: image/jpeg\r\n\r\n".encode()
"""Between two pictures. Chromium shows one only once it has read the headers of the next: so they go out with the one
before, and cannot tell a length."""
_AHEAD = 64 * 1024
"""Bytes the kernel may hold for a reader: about one picture, so that a slow one sees fewer and not older ones."""


async def mjpeg(request: web.Request, pictures: PictureFeed, stream: int, width: int) -> web.StreamResponse:
    """Send each newest picture as soon as the one before has left, until the reader is gone."""
    response = web.StreamResponse(headers={"Content-Type": CONTENT_TYPE})
    response.force_close()
    await response.prepare(request)
    transport = request.transport
    if transport is not None:
        connection = transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _AHEAD)
        if isinstance(transport, asyncio.WriteTransport):
            transport.set_write_buffer_limits(high=0)
    wake = asyncio.Event()
    watch = pictures.watch(stream, width, waker(wake))
    try:
        await response.write(_NEXT)
        sent = 0
        while True:
            wake.clear()
            jpeg = pictures.latest(stream)
            if jpeg is None or jpeg.number == sent:
                await wake.wait()
                continue
            sent = jpeg.number
            async with asyncio.timeout(PATIENCE):
                await response.write(jpeg.data + _NEXT)
    except (ConnectionError, TimeoutError):
        if transport is not None:
            transport.abort()
    finally:
        pictures.unwatch(watch)
    return response
