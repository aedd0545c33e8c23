"""One door for every kind of live source."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Literal

from vidinfer.clock import Clock
from vidinfer.errors import SourceError
from vidinfer.interrupt import Interrupt
from vidinfer.source.camera import open_camera
from vidinfer.source.capture import Unknown
from vidinfer.source.container import choose_video, open_container
from vidinfer.source.live_address import Kind, LiveAddress, parse_live
from vidinfer.source.live_http import open_http
from vidinfer.source.live_network import Wishes, open_rtmp, open_rtsp, open_udp
from vidinfer.source.live_stream import LiveStream, Opened
from vidinfer.source.paced import PacedReader
from vidinfer.stages import LiveSource

__all__ = ["open_live"]


def open_live(
    address: str,
    *,
    name: str,
    clock: Clock,
    interrupt: Interrupt | None = None,
    first_index: int = 0,
    transport: Literal["tcp", "udp"] = "tcp",
    stall: float = 2.0,
    patience: float = 10.0,
    threads: int = 1,
    loop: bool = False,
    verify_tls: bool = False,
) -> LiveSource:
    """Connect to a camera or stream and read up to its first picture; ``close`` the result.

    Args:
        address: ``rtsp://``, ``rtsps://``, ``rtmp://``, ``http(s)://`` (MJPEG, HLS, or a file, which is played at
            its own pace), ``udp://`` (MPEG-TS), ``camera:N``, a camera's device, or the path of a file, played
            likewise.
        name: as shown in the records.
        clock: stamps the packets, right after they were read.
        interrupt: of this connection alone; ends its opening within two seconds, and later its iterator, from any
            thread. FFmpeg looks a name up once more right after it was found; only that cannot be ended.
        first_index: of the first frame: frames are counted across reconnects.
        transport: of RTSP.
        stall: seconds of silence after which the iterator ends; three intervals of a slower stream, if that is longer.
            RTMP and UDP end after two seconds at the latest.
        patience: seconds for each answer while connecting, and for the first picture.
        threads: the most the decoder may use, at least 1.
        loop: play a file again and again, its times running on.
        verify_tls: refuse certificates that nobody known signed; cameras have no others.

    Raises:
        UsageError: not an address.
        SourceRefused: the other end wants another user, password or path: asking again soon is no use.
        SourceError: it cannot be reached or sends no picture, for now.
    """
    if threads < 1:
        raise ValueError(f"threads must be at least 1, got {threads}")
    where = parse_live(address)
    wishes = Wishes(clock, interrupt or Interrupt(), stall, patience, transport, verify_tls)
    if where.kind is Kind.FILE:
        opened = _open_file(where, wishes, loop=loop)
    elif where.kind is Kind.HTTP:
        opened = open_http(where, wishes, loop=loop)
    else:
        ways = {Kind.RTSP: open_rtsp, Kind.RTMP: open_rtmp, Kind.UDP: open_udp, Kind.CAMERA: open_camera}
        opened = ways[where.kind](where, wishes)
    return LiveStream(opened, name=name, first_index=first_index, threads=threads)


def _open_file(where: LiveAddress, wishes: Wishes, *, loop: bool) -> Opened:
    path = Path(where.url).expanduser()
    container = open_container(path)
    try:
        stream = choose_video(container, path)
    except SourceError:
        container.close()
        raise
    reader = PacedReader(container, stream, wishes.clock, wishes.interrupt, loop=loop)
    details: dict[str, object] = {"paced": True, "loop": loop}
    return Opened(
        where.shown,
        container,
        stream,
        reader,
        Unknown(),
        wishes.interrupt,
        ExitStack(),
        scale=True,
        details=details,
    )
