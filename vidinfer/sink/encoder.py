"""RGB pictures -> H.264 packets that browsers and QuickTime play, with colours tagged as they were converted."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from av.codec.context import Flags
from av.container import OutputContainer
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange, Colorspace, Interpolation, VideoReformatter
from av.video.stream import VideoStream
from numpy.typing import NDArray

__all__ = ["H264Track"]

_BT709 = 1
"""The number of BT.709 in H.264's tables of primaries, transfer characteristics and matrices."""
_LIMITED = 1
_KEYFRAME_SECONDS = 2
_KEYFRAME_FRAMES = (12, 300)


class H264Track:
    """The video track of an MP4 file.

    8-bit 4:2:0 in BT.709, limited range: the one form that everything plays. 4:2:0 needs even sizes; an odd edge is
    repeated once.

    Thread rule: one thread at a time.
    """

    def __init__(
        self,
        output: OutputContainer,
        width: int,
        height: int,
        *,
        time_base: Fraction,
        rate: Fraction,
        aspect: Fraction | None,
        preset: str,
        crf: float,
        threads: int,
    ) -> None:
        """Add the track to ``output`` and open the encoder.

        Args:
            output: not yet written to.
            width: of the pictures, in pixels.
            height: of the pictures, in pixels.
            time_base: of the times given to ``encode``, kept in the file.
            rate: frames per second, a hint for the level and the distance of keyframes.
            aspect: width over height of one pixel; ``None`` where unknown.
            preset: of x264.
            crf: of x264: 0 (lossless) to 51.
            threads: of the encoder; 0: its own choice.

        Raises:
            av.FFmpegError: the encoder refuses.
        """
        self.size = (width + width % 2, height + height % 2)
        self.padded = self.size != (width, height)
        self._picture = np.empty((self.size[1], self.size[0], 3), np.uint8) if self.padded else None
        self._time_base = time_base
        keyframes = min(max(round(_KEYFRAME_SECONDS * rate), _KEYFRAME_FRAMES[0]), _KEYFRAME_FRAMES[1])
        options = {"preset": preset, "crf": str(crf), "g": str(keyframes), "threads": str(threads)}
        stream = output.add_stream("libx264", rate=rate, options=options)
        stream.width, stream.height, stream.pix_fmt = *self.size, "yuv420p"
        stream.time_base = time_base
        codec = stream.codec_context
        codec.time_base = time_base
        codec.colorspace = codec.color_primaries = codec.color_trc = _BT709
        codec.color_range = _LIMITED
        if aspect is not None:
            codec.sample_aspect_ratio = aspect
        codec.flags |= Flags.frame_duration  # else the last frame lasts 1/rate, whatever its stamp says
        codec.open()
        self._stream: VideoStream = stream
        self._converter = VideoReformatter()

    def encode(self, rgb: NDArray[np.uint8], pts: int, duration: int) -> list[Packet[VideoStream]]:
        """Encode ``rgb`` ``(height, width, 3)``, contiguous in its last two dimensions; it is read before returning.

        Raises:
            av.FFmpegError: the encoder failed.
        """
        whole = VideoFrame.from_numpy_buffer(self._even(rgb), "rgb24")
        whole.pts, whole.time_base, whole.duration = pts, self._time_base, duration
        planes = self._converter.reformat(
            whole,
            format="yuv420p",
            src_color_range=ColorRange.JPEG,
            dst_color_range=ColorRange.MPEG,
            dst_colorspace=Colorspace.ITU709,
            interpolation=Interpolation.AREA,  # chroma is the mean of its four pixels: thin lines keep their hue
            threads=1,
        )
        return self._stream.encode(planes)

    def flush(self) -> list[Packet[VideoStream]]:
        """The packets that the encoder still holds; nothing can be encoded after.

        Raises:
            av.FFmpegError: the encoder failed.
        """
        return self._stream.encode(None)

    def seconds(self, packet: Packet[VideoStream]) -> Fraction:
        """The decoding time of a packet of this track."""
        ticks = packet.dts if packet.dts is not None else packet.pts or 0
        return ticks * packet.time_base

    def _even(self, rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
        if self._picture is None:
            return rgb
        height, width = rgb.shape[:2]
        self._picture[:height, :width] = rgb
        self._picture[height:, :width] = rgb[-1]
        self._picture[:, width:] = self._picture[:, width - 1 : width]
        return self._picture
