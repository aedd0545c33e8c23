"""4:2:0 pictures -> H.264 packets that browsers and QuickTime play, tagged as the first picture is."""

from __future__ import annotations

from fractions import Fraction

from av.codec.context import Flags
from av.container import OutputContainer
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from vidinfer.sink.codec import Codec, steady_options
from vidinfer.sink.planes import even

__all__ = ["H264Track"]

_KEYFRAME_SECONDS = 2
_KEYFRAME_FRAMES = (12, 300)


class H264Track:
    """The video track of an MP4 file: 8-bit 4:2:0, of even size.

    Thread rule: one thread at a time.
    """

    def __init__(
        self,
        output: OutputContainer,
        width: int,
        height: int,
        codec: Codec,
        *,
        time_base: Fraction,
        rate: Fraction,
        aspect: Fraction | None,
    ) -> None:
        """Add the track to ``output``; the encoder is opened with the first picture, whose colours it must name.

        Args:
            output: not yet written to.
            width: of the pictures before an odd edge is repeated, in pixels.
            height: of the pictures, in pixels.
            codec: the encoder and its options.
            time_base: of the times given to ``encode``, kept in the file.
            rate: frames per second, a hint for the level and the distance of keyframes.
            aspect: width over height of one pixel; ``None`` where unknown.

        Raises:
            av.FFmpegError: there is no such encoder.
        """
        self.size = (even(width), even(height))
        self.padded = self.size != (width, height)
        self._time_base = time_base
        keyframes = min(max(round(_KEYFRAME_SECONDS * rate), _KEYFRAME_FRAMES[0]), _KEYFRAME_FRAMES[1])
        options = {**codec.options, **steady_options(codec, self.size[0]), "g": str(keyframes)}
        stream = output.add_stream(codec.name, rate=rate, options=options)
        assert isinstance(stream, VideoStream)
        stream.width, stream.height, stream.pix_fmt = *self.size, "yuv420p"
        stream.time_base = time_base
        context = stream.codec_context
        context.time_base = time_base
        if aspect is not None:
            context.sample_aspect_ratio = aspect
        context.flags |= Flags.frame_duration  # else the last frame lasts 1/rate, whatever its stamp says
        self._stream: VideoStream = stream

    def encode(self, picture: VideoFrame, pts: int, duration: int) -> list[Packet[VideoStream]]:
        """Encode ``picture``, yuv420p of ``size``; it is the encoder's from now on.

        Raises:
            av.FFmpegError: the encoder failed, or cannot be opened.
        """
        context = self._stream.codec_context
        if not context.is_open:
            context.colorspace, context.color_range = picture.colorspace, picture.color_range
            context.color_primaries, context.color_trc = picture.color_primaries, picture.color_trc
            context.open()
        picture.pts, picture.time_base, picture.duration = pts, self._time_base, duration
        return self._stream.encode(picture)

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
