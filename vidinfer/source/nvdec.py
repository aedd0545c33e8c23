"""Decoding on NVIDIA's video engine: the pictures stay in the GPU's memory, for a model that runs there.

Frames, times, gaps and all else told of a file come from the same code as in software; only the decoder is another one.
Decoding 8-bit 4:2:0 is exact by its standards, so the pixels are the same, too. But the engine hides damage inside of
pictures that FFmpeg's own decoders would notice; ``facts`` says so.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace

import av
import av.error
import numpy as np
from av.codec.hwaccel import HWAccel
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter
from av.video.stream import VideoStream
from numpy.typing import NDArray

from vidinfer.errors import VidinferError
from vidinfer.frame import ColourTags, DevicePlanes, Gap, Picture, Planes, SourceInfo
from vidinfer.source.container import choose_video
from vidinfer.source.decode import Decoded, Decoder, PassedOver
from vidinfer.source.file import FileSource
from vidinfer.source.orientation import Orientation
from vidinfer.source.picture import Converter, DecodedPicture
from vidinfer.source.sessions import ParallelDecoder
from vidinfer.stages import Source
from vidinfer.storage import Location, media_input

__all__ = ["NvdecPicture", "NvdecSource", "open_nvdec", "why_not"]

SESSIONS = 4
"""Decoders of one file side by side: GPUs have from one engine to seven, and each decoder takes some 100 MiB."""
WAITING_BYTES = 1 << 30
"""Of decoded frames, on the GPU, that may wait for those before them; all sessions together."""
ONE_AFTER_THE_OTHER = ("h264", "hevc")
"""Codecs whose stretches do not depend on each other."""

_LAYOUTS = ("yuv420p", "yuvj420p")
# Both let torch share the memory. The first is refused where torch has begun to use the GPU before FFmpeg did; the
# second needs this thread to have used it through torch.
_PRIMARY: Mapping[str, str] = {"primary_ctx": "1"}
_CURRENT: Mapping[str, str] = {"primary_ctx": "0", "current_ctx": "1"}


def open_nvdec(
    path: Location, *, name: str, threads: int, device: int = 0, sessions: int = SESSIONS
) -> Source:
    """Open ``path`` on GPU ``device``; in software where that cannot be, with the reason in the source's facts.

    Args:
        path: the file.
        name: as shown in the records.
        threads: of the software.
        device: number of the GPU.
        sessions: decoders side by side, at least 1.

    Raises:
        SourceError: it cannot be read, or holds no video that can be decoded.
    """
    try:
        return NvdecSource(path, name=name, device=device, sessions=sessions)
    except _NoNvdec as reason:
        return _InSoftware(path, name=name, threads=threads, reason=str(reason))


class NvdecSource(FileSource):
    """A file decoded on a GPU. Where the engine gives up in the midst of it, software goes on."""

    def __init__(self, path: Location, *, name: str, device: int, sessions: int) -> None:
        """Open ``path`` in software, to know what it holds, and then on GPU ``device``.

        ``sessions``: decoders side by side, where the codec can begin in the midst.

        Raises:
            SourceError: as of a file decoded in software.
            _NoNvdec: it is a file for software only, or this machine cannot.
        """
        software = FileSource(path, name=name, threads=1)
        software.close()
        reason = why_not(software.info.details)
        if reason:
            raise _NoNvdec(reason)
        self._gpu = device
        self._known = software.info
        self._there = self._elsewhere = 0
        self._most = sessions
        self._others: list[InputContainer] = []
        try:
            super().__init__(path, name=name, threads=1)
        except BaseException:
            self._close_others()
            raise

    def _open(self, path: Location) -> InputContainer:
        # The context that is current is that of the first GPU, unless somebody made another current on purpose.
        failures: dict[str, None] = {}
        for options in (_PRIMARY, _CURRENT) if self._gpu == 0 else (_PRIMARY,):
            accelerator = HWAccel("cuda", device=str(self._gpu), is_hw_owned=True, options=dict(options))
            try:
                media, only = media_input(path, self._stop.is_set)
                container: InputContainer = av.open(
                    media, metadata_errors="replace", options=only, hwaccel=accelerator
                )
            except VidinferError:  # of the store
                raise
            except (av.FFmpegError, OSError, ValueError, RuntimeError) as error:
                failures[getattr(error, "strerror", None) or str(error)] = None
                continue
            codec = choose_video(container, path).codec_context
            if not codec.is_hwaccel:
                container.close()
                raise _NoNvdec(f"FFmpeg's decoder {codec.name} has no way to the GPU's engine")
            return container
        raise _NoNvdec(
            f"FFmpeg cannot use GPU {self._gpu} ({'; then '.join(failures)}): no NVIDIA driver, or no such GPU"
        )

    def _make_decoder(self, path: Location, stream: VideoStream, threads: int) -> Decoder:
        codec = stream.codec_context
        if codec.codec.canonical_name not in ONE_AFTER_THE_OTHER or self._most < 2:
            return super()._make_decoder(path, stream, threads)
        with suppress(_NoNvdec):  # memory for no more than those
            while len(self._others) < self._most - 1:
                self._others.append(self._open(path))
        codecs = [codec, *(choose_video(other, path).codec_context for other in self._others)]
        for one in codecs[1:]:
            one.thread_count = 1
        waiting = WAITING_BYTES // len(codecs) // (codec.width * codec.height * 3 // 2)
        return ParallelDecoder(
            path, self._container, stream, threads, self._stop.is_set, codecs=codecs, waiting=max(8, waiting)
        )

    def _describe(self, path: Location, name: str, stream: VideoStream, first: VideoFrame) -> SourceInfo:  # noqa: ARG002
        decoder = {"decoder": f"nvdec on GPU {self._gpu}", "pictures_on": f"cuda:{self._gpu}"}
        return replace(self._known, details={**self._known.details, **decoder})

    def _read_ahead(self, path: Location) -> tuple[deque[Decoded | Gap | PassedOver], VideoFrame]:
        ahead, first = super()._read_ahead(path)
        if not _on_gpu(first):
            codec = self._known.details["codec"]
            raise _NoNvdec(
                f"GPU {self._gpu} does not decode this {codec} stream: it has no engine for such a codec, profile or "
                "size, or the driver's video library (libnvcuvid) is not there"
            )
        return ahead, first

    def _picture(self, frame: VideoFrame, orientation: Orientation) -> Picture:
        size = self._info.width, self._info.height
        if _on_gpu(frame):
            self._there += 1
            return NvdecPicture(frame, self._converter, orientation, *size)
        self._elsewhere += 1
        return DecodedPicture(frame, self._converter, orientation, *size)

    def facts(self) -> dict[str, object]:
        """As of every file, and where it was decoded."""
        told = f"GPU {self._gpu}; damage inside of pictures may go unnoticed"
        counts = {
            "sessions": 1 + len(self._others),
            "frames": self._there,
            "frames_in_software": self._elsewhere,
        }
        return super().facts() | {"nvdec": {"used": True, "why": told, **counts}}

    def close(self) -> None:
        """Free the decoders. Idempotent; frames already given out stay good."""
        super().close()
        self._close_others()

    def _close_others(self) -> None:
        for other in self._others:
            other.close()


class _InSoftware(FileSource):
    """What was to be decoded on a GPU, and is not."""

    def __init__(self, path: Location, *, name: str, threads: int, reason: str) -> None:
        super().__init__(path, name=name, threads=threads)
        self._reason = reason

    def facts(self) -> dict[str, object]:
        """As of every file, and why it was decoded in software."""
        return super().facts() | {"nvdec": {"used": False, "why": self._reason}}


class NvdecPicture:
    """A decoded picture in the memory of a GPU, in layout NV12.

    Thread rule: one thread at a time; handing it from thread to thread is fine.
    """

    __slots__ = ("_converter", "_frame", "_height", "_orientation", "_width")

    def __init__(
        self, frame: VideoFrame, converter: Converter, orientation: Orientation, width: int, height: int
    ) -> None:
        """``width`` and ``height`` are those to display."""
        self._frame = frame
        self._converter = converter
        self._orientation = orientation
        self._width = width
        self._height = height

    @property
    def nbytes(self) -> int:
        """Bytes of the planes, on the device."""
        return self._frame.width * self._frame.height * 3 // 2

    def device_planes(self) -> DevicePlanes | None:
        """The planes where they are; ``None`` for fields, and for a picture that must be scaled."""
        frame, turn = self._frame, self._orientation
        if frame.interlaced_frame or turn.size(self._width, self._height) != (frame.width, frame.height):
            return None
        y, uv = (plane.__dlpack__() for plane in frame.planes)
        tags = ColourTags(frame.colorspace, frame.color_primaries, frame.color_trc, frame.color_range)
        return DevicePlanes(y, uv, tags, turn.transpose, turn.mirror_x, turn.mirror_y)

    def rgb(self) -> NDArray[np.uint8]:
        """As of a picture decoded in software, but copied from the GPU first: slow, other threads wait."""
        return self._downloaded().rgb()

    def planes(self) -> Planes | None:
        """Likewise."""
        return self._downloaded().planes()

    def _downloaded(self) -> DecodedPicture:
        frame = _DOWNLOADS.reformatter.reformat(self._frame, format="yuv420p", threads=1)
        return DecodedPicture(frame, self._converter, self._orientation, self._width, self._height)


def why_not(details: Mapping[str, object]) -> str:
    """Why a file is not decoded on a GPU even where there is one; empty if it is. ``details`` are its source's."""
    layout, size = details["pix_fmt"], details["stored_size"]
    if layout not in _LAYOUTS or details["hdr"]:
        return f"its pictures are {layout}: the GPU is used for 8-bit 4:2:0 without HDR, where it gives the same pixels"
    if details["interlaced"]:
        return "its pictures are interlaced: the GPU is used for progressive ones, where it gives the same pixels"
    if not isinstance(size, list) or any(side % 2 for side in size):
        return f"its pictures are {size} pixels: the GPU is used for even sides"
    return ""


class _NoNvdec(Exception):
    """Never leaves this module; the message is a clause."""


class _Downloads(threading.local):
    """One context of each thread's own."""

    def __init__(self) -> None:
        self.reformatter = VideoReformatter()


_DOWNLOADS = _Downloads()


def _on_gpu(frame: VideoFrame) -> bool:
    return frame.format.name == "cuda" and frame.sw_format is not None and frame.sw_format.name == "nv12"
