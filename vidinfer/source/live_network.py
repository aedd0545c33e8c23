"""How FFmpeg is told to read each kind of stream live: no buffering, little probing, and an end to every wait."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import av
import av.error
from av.container import InputContainer
from av.stream import Discard
from av.video.stream import VideoStream

from vidinfer.clock import Clock
from vidinfer.errors import SourceError, SourceRefused, SourceUnreachable
from vidinfer.interrupt import Interrupt
from vidinfer.source.capture import CaptureTimes, SenderTimes, Unknown
from vidinfer.source.cut import cut_reading
from vidinfer.source.live_address import LiveAddress
from vidinfer.source.live_read import SLICE, LiveReader
from vidinfer.source.live_stream import Opened
from vidinfer.source.lookup import look_up
from vidinfer.source.patience import Patience
from vidinfer.source.refusal import refusal
from vidinfer.source.rtp_losses import RtpLosses
from vidinfer.source.rtsp_knock import knock

__all__ = [
    "PROBING",
    "Wishes",
    "open_container_live",
    "open_rtmp",
    "open_rtsp",
    "open_udp",
    "video_of",
]

PROBING: Mapping[str, str] = {
    "fpsprobesize": "0",  # rates are measured by arrivals; FFmpeg would read ten seconds to guess one
}
"""Not ``discardcorrupt``: what refers to a damaged packet must go as well. Not ``nobuffer``: it throws away what was
read while probing, and with it the keyframe to begin with."""
_UDP_BUFFER = 4 << 20
_STATUS = {
    av.error.HTTPBadRequestError: 400,
    av.error.HTTPUnauthorizedError: 401,
    av.error.HTTPForbiddenError: 403,
    av.error.HTTPNotFoundError: 404,
}


@dataclass(frozen=True, slots=True)
class Wishes:
    """What every way of connecting is told."""

    clock: Clock
    interrupt: Interrupt
    stall: float
    patience: float
    transport: str
    verify: bool

    def new_patience(self) -> Patience:
        """For one connection."""
        return Patience(self.stall, self.patience)

    @property
    def wait(self) -> float:
        """Seconds that FFmpeg may wait for a socket."""
        return min(SLICE, self.stall)


def open_rtsp(where: LiveAddress, wishes: Wishes) -> Opened:
    """RTSP over TCP or UDP, and RTSPS."""
    knock(where, wishes.interrupt, wishes.patience, verify=wishes.verify)
    options = {
        **PROBING,
        "rtsp_transport": wishes.transport,
        "timeout": _microseconds(wishes.wait),
        "allowed_media_types": "video",  # with sound, FFmpeg moves the pictures' time at the first sender report
        "probesize": "32",
        "tls_verify": str(int(wishes.verify)),
    }
    if wishes.transport == "tcp":
        options["reorder_queue_size"] = "2"
    if wishes.transport == "udp":
        options |= {"buffer_size": str(_UDP_BUFFER)}
    # FFmpeg looks the name up once more, right after this; a number would be another stream to some servers.
    targets = look_up(where, wishes.interrupt)
    with ExitStack() as connection, ExitStack() as cut:
        losses = connection.enter_context(RtpLosses())
        reading = cut.enter_context(cut_reading(targets, wishes.interrupt))
        with losses.heard():
            container = open_container_live(where, where.url, wishes, options)
        reading.look()
        stream = video_of(container, where)
        reader = _reader(container, stream, wishes, resumable=True, losses=losses)
        details: dict[str, object] = {"transport": wishes.transport}
        capture = SenderTimes(container, stream)
        opened = _opened(where, container, stream, reader, capture, wishes, details, cut.pop_all())
        opened.connection = connection.pop_all()
        return opened


def open_rtmp(where: LiveAddress, wishes: Wishes) -> Opened:
    """RTMP and RTMPS."""
    # Not ``timeout``: to FFmpeg's RTMP that means to listen.
    options = {**PROBING, "rw_timeout": _microseconds(wishes.wait), "rtmp_live": "live", "rtmp_buffer": "100"}
    options |= {"analyzeduration": "1000000"}
    targets = look_up(where, wishes.interrupt)
    with ExitStack() as cut:
        reading = cut.enter_context(cut_reading(targets, wishes.interrupt))
        container = open_container_live(where, where.url, wishes, options)
        reading.look()
        stream = video_of(container, where)
        reader = _reader(container, stream, wishes)
        return _opened(where, container, stream, reader, Unknown(), wishes, {}, cut.pop_all())


def open_udp(where: LiveAddress, wishes: Wishes) -> Opened:
    """MPEG-TS that somebody sends to a port here, or to a multicast group."""
    options = {
        **PROBING,
        "timeout": _microseconds(wishes.wait),
        "buffer_size": str(_UDP_BUFFER),
        "overrun_nonfatal": "1",
    }
    options |= {"probesize": "1000000", "analyzeduration": "2000000"}
    if where.host:
        look_up(where, wishes.interrupt)
    container = open_container_live(where, where.url, wishes, options, format="mpegts")
    stream = video_of(container, where)
    return _opened(where, container, stream, _reader(container, stream, wishes), Unknown(), wishes, {})


def open_container_live(
    where: LiveAddress, file: Any, wishes: Wishes, options: Mapping[str, str], **how: Any
) -> InputContainer:
    """``av.open`` without its password in the error.

    Raises:
        SourceRefused: see :func:`~vidinfer.source.refusal.refusal`.
        SourceError: anything else.
    """
    try:
        # Reads are bounded by FFmpeg's own options; PyAV's read timeout would ask Python at every read of the socket.
        container: InputContainer = av.open(
            file, options=dict(options), timeout=(wishes.patience, None), metadata_errors="replace", **how
        )
    except (av.FFmpegError, OSError, EOFError, ValueError) as error:
        if isinstance(error, SourceError):
            raise
        raise _opening(where, wishes, error) from None
    if wishes.interrupt.is_set:
        container.close()
        raise SourceError(f"{where.shown}: interrupted while connecting")
    return container


def video_of(container: InputContainer, where: LiveAddress) -> VideoStream:
    """The video to read; everything else is not read at all.

    Raises:
        SourceError: there is none, or nothing decodes it; the container is closed.
    """
    best = container.streams.best("video")
    if not isinstance(best, VideoStream) or best.codec_context is None:
        what = "no decoder for its video" if isinstance(best, VideoStream) else "it sends no video"
        container.close()
        raise SourceRefused(f"{where.shown}: {what}; choose another stream or codec at the camera")
    for other in container.streams:
        if other is not best:
            other.discard = Discard.all
    return best


def _opening(where: LiveAddress, wishes: Wishes, error: Exception) -> SourceError:
    status = next((status for kind, status in _STATUS.items() if isinstance(error, kind)), None)
    if status is not None:
        return refusal(where.shown, status)
    if wishes.interrupt.is_set:
        return SourceError(f"{where.shown}: interrupted while connecting")
    if isinstance(error, TimeoutError | av.error.ExitError):
        return SourceError(f"{where.shown}: connected, and nothing came; check that the camera sends")
    if isinstance(error, ConnectionRefusedError):
        return SourceUnreachable(
            f"{where.shown}: connection refused; check that the server runs and the port is right"
        )
    words = getattr(error, "strerror", None) or type(error).__name__
    return SourceError(f"{where.shown}: cannot be opened ({words}); check the address and what is sent there")


def _microseconds(seconds: float) -> str:
    return str(int(seconds * 1e6))


def _reader(
    container: InputContainer,
    stream: VideoStream,
    wishes: Wishes,
    *,
    resumable: bool = False,
    losses: RtpLosses | None = None,
) -> LiveReader:
    return LiveReader(
        container,
        stream,
        wishes.clock,
        wishes.interrupt,
        wishes.new_patience(),
        wait=wishes.wait,
        resumable=resumable,
        losses=losses,
    )


def _opened(
    where: LiveAddress,
    container: InputContainer,
    stream: VideoStream,
    reader: LiveReader,
    capture: CaptureTimes,
    wishes: Wishes,
    details: dict[str, object],
    cut: ExitStack | None = None,
) -> Opened:
    return Opened(
        where.shown,
        container,
        stream,
        reader,
        capture,
        wishes.interrupt,
        ExitStack(),
        details=details,
        cut=cut or ExitStack(),
    )
