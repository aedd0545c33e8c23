"""Streams and files over HTTP: MJPEG, HLS, and whatever FFmpeg makes of the bytes."""

from __future__ import annotations

import io
from contextlib import ExitStack

from vidinfer.errors import SourceError
from vidinfer.source.capture import Unknown
from vidinfer.source.hls import HLS_OPTIONS, HlsFiles, is_playlist
from vidinfer.source.http_body import HttpBody, HttpFetcher
from vidinfer.source.live_address import LiveAddress
from vidinfer.source.live_network import PROBING, Wishes, open_container_live, video_of
from vidinfer.source.live_read import LiveReader, Reader
from vidinfer.source.live_stream import Opened
from vidinfer.source.paced import PacedReader

__all__ = ["open_http"]

_PEEK = 1 << 15
"""Bytes at most. FFmpeg goes back over the beginning, so it must be in its buffer: in one piece."""


def open_http(where: LiveAddress, wishes: Wishes, *, loop: bool) -> Opened:
    """A stream without an end is read as it comes; what has one is a recording, and played at its own pace."""
    fetcher = HttpFetcher(where, wishes.interrupt, wishes.patience, verify=wishes.verify)
    body = fetcher.get(where.url)
    with ExitStack() as failed:
        failed.callback(body.close)
        head = body.read(_PEEK)
        if is_playlist(body.kind, head):
            body.close()
            opened = _hls(where, wishes, fetcher, loop=loop)
        else:
            opened = _body(where, wishes, fetcher, body, head, loop=loop)
        failed.pop_all()
    return opened


def _body(
    where: LiveAddress, wishes: Wishes, fetcher: HttpFetcher, body: HttpBody, head: bytes, *, loop: bool
) -> Opened:
    kind = "mpjpeg" if body.kind.startswith("multipart/") else None
    recorded = body.size is not None and kind is None
    options = {**PROBING, "analyzeduration": "1000000"}
    container = open_container_live(where, _Peeked(body, head), wishes, options, format=kind)
    stream = video_of(container, where)
    patience = wishes.new_patience()
    reader: Reader
    if recorded:
        reader = PacedReader(container, stream, wishes.clock, wishes.interrupt, loop=loop)
    else:
        fetcher.silence = lambda: patience.limit
        reader = LiveReader(container, stream, wishes.clock, wishes.interrupt, patience)
    connection = ExitStack()
    connection.callback(body.close)
    details: dict[str, object] = {"paced": recorded, "loop": loop and recorded}
    return Opened(
        where.shown,
        container,
        stream,
        reader,
        Unknown(),
        wishes.interrupt,
        connection,
        scale=recorded,
        details=details,
    )


def _hls(where: LiveAddress, wishes: Wishes, fetcher: HttpFetcher, *, loop: bool) -> Opened:
    try:
        files = HlsFiles(fetcher, where.url, wishes.clock, wishes.interrupt)
    except SourceError as error:
        raise (
            error if str(error).startswith(where.shown) else SourceError(f"{where.shown}: {error}")
        ) from None
    options = {**PROBING, **HLS_OPTIONS}
    if files.recorded:
        options["live_start_index"] = "0"
    container = open_container_live(where, files.name, wishes, options, format="hls", io_open=files.open)
    stream = video_of(container, where)
    reader: Reader
    if files.recorded:
        reader = PacedReader(container, stream, wishes.clock, wishes.interrupt, loop=loop)
    else:
        patience = wishes.new_patience()
        fetcher.silence = lambda: patience.limit
        reader = LiveReader(container, stream, wishes.clock, wishes.interrupt, patience)
    details: dict[str, object] = {"paced": files.recorded, "segment_seconds": files.target}
    return Opened(
        where.shown, container, stream, reader, Unknown(), wishes.interrupt, ExitStack(), details=details
    )


class _Peeked:
    """A body of which the first bytes were looked at."""

    def __init__(self, body: HttpBody, head: bytes) -> None:
        self._body = body
        self._head = head
        self.readable = body.readable
        self.seekable = body.seekable
        self.close = body.close

    def read(self, count: int) -> bytes:
        """The first bytes first."""
        head, self._head = self._head[:count], self._head[count:]
        return head or self._body.read(count)

    def tell(self) -> int:
        """Bytes from the beginning."""
        return self._body.tell() - len(self._head)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a place."""
        if whence == io.SEEK_CUR:
            offset, whence = offset + self.tell(), io.SEEK_SET
        self._head = b""
        return self._body.seek(offset, whence)
