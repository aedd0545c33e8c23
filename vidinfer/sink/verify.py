"""Reads a finished video back: what is in the file is what was written, or it does not get its final name."""

from __future__ import annotations

from pathlib import Path

import av
from av.container import InputContainer
from av.video.stream import VideoStream

from vidinfer.address import file_url
from vidinfer.errors import SinkError
from vidinfer.sink.timeline import VideoTimeline

__all__ = ["verify"]


def verify(written: Path, final: Path, frames: int, timeline: VideoTimeline, audio_tracks: int) -> None:
    """Compare the file's own account of itself with what was written, and decode its first frame.

    Args:
        written: where the file is.
        final: its name in messages.
        frames: that were encoded.
        timeline: on which they were placed.
        audio_tracks: that got packets.

    Raises:
        SinkError: they differ.
        av.FFmpegError: it cannot be read.
    """
    with av.open(file_url(written)) as container:
        found = _found(container)
    expected = {
        "frames": frames,
        "start": timeline.first,
        "last": timeline.last,
        "video tracks": 1,
        "audio tracks": audio_tracks,
    }
    wrong = [
        f"{what} {found[what]} instead of {value}" for what, value in expected.items() if found[what] != value
    ]
    if wrong:
        raise SinkError(
            f"{final} is not what was written ({', '.join(wrong)}); "
            "check the disk, and run again or choose another --out"
        )


def _found(container: InputContainer) -> dict[str, int | None]:
    video = container.streams.video[0]
    first = next(container.decode(video), None)
    return {
        "frames": video.frames,
        "start": None if first is None else first.pts,
        "last": _last(container, video),
        "video tracks": len(container.streams.video),
        "audio tracks": sum(1 for audio in container.streams.audio if audio.frames),
    }


def _last(container: InputContainer, video: VideoStream) -> int | None:
    """The time of the last picture, from the packets behind the last keyframe.

    Not from the track's duration: that ends with the last packet, which after a pause in a variable rate may
    belong to a picture long before the last one.
    """
    end = container.duration or 0
    container.seek(end, backward=True)
    times = [packet.pts for packet in container.demux(video) if packet.pts is not None]
    return max(times, default=None)
