"""What is known of a file once its first frame is out, in the words of ``run.json``."""

from __future__ import annotations

from fractions import Fraction

import av
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from vidinfer.frame import SourceInfo
from vidinfer.source.coded_video import CodedVideo, Packaging
from vidinfer.source.colour import HDR_CONVERSION, colour_of
from vidinfer.source.orientation import Orientation
from vidinfer.storage import Location

__all__ = ["describe", "duration_seconds", "video_facts"]


def describe(
    path: Location,
    name: str,
    container: InputContainer,
    stream: VideoStream,
    first: VideoFrame,
    orientation: Orientation,
) -> SourceInfo:
    """Sum up an open file; ``first`` is its first displayed frame."""
    width, height = orientation.size(first.width, first.height)
    codec = stream.codec_context
    details = video_facts(container, stream, first, orientation) | {
        "bytes": path.stat().st_size,
        "decoder": codec.codec.name,
        "decoder_threads": codec.thread_count,
        "start_pts": stream.start_time,
        "other_streams": [other.type for other in container.streams if other is not stream],
        "pyav": av.__version__,
        "ffmpeg": {lib: ".".join(map(str, version)) for lib, version in av.library_versions.items()},
    }
    return SourceInfo(
        name=name,
        width=width,
        height=height,
        time_base=Fraction(stream.time_base or Fraction(1, av.time_base)),
        rate=Fraction(stream.average_rate) if stream.average_rate else None,
        frames_claimed=stream.frames or None,
        duration=duration_seconds(container, stream),
        path=str(path),
        details=details,
    )


def video_facts(
    container: Packaging, stream: CodedVideo, frame: VideoFrame, orientation: Orientation
) -> dict[str, object]:
    """Codec, sizes, pixel format, colour and orientation, ready for JSON."""
    codec = stream.codec_context
    colour = colour_of(frame)
    width, height = orientation.size(frame.width, frame.height)
    aspect = stream.sample_aspect_ratio or codec.sample_aspect_ratio
    return {
        "container": container.format.name,
        "codec": codec.codec.canonical_name,
        "profile": stream.profile,
        "pix_fmt": frame.format.name,
        "bit_depth": max(component.bits for component in frame.format.components),
        "coded_size": [codec.coded_width or frame.width, codec.coded_height or frame.height],
        "stored_size": [frame.width, frame.height],
        "displayed_size": [width, height],
        "rotation": orientation.rotation,
        "mirrored": orientation.mirrored,
        "sample_aspect_ratio": f"{aspect.numerator}:{aspect.denominator}" if aspect else None,
        "interlaced": frame.interlaced_frame,
        "colour": colour.as_dict(),
        "hdr": HDR_CONVERSION if colour.hdr else None,
    }


def duration_seconds(container: InputContainer, stream: VideoStream) -> float | None:
    """As claimed by the stream, else by the container."""
    if stream.duration is not None and stream.time_base:
        return float(stream.duration * stream.time_base)
    return None if container.duration is None else container.duration / av.time_base
