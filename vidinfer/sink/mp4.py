"""One MP4 file being written: pictures and sound on one clock, whole after a crash and ordinary at the end."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
from av.container import OutputContainer
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from vidinfer.address import file_url
from vidinfer.frame import FrameStamp, SourceInfo
from vidinfer.sink.audio import SourceAudio
from vidinfer.sink.codec import Codec
from vidinfer.sink.encoder import H264Track
from vidinfer.sink.timeline import VideoTimeline, start_shift
from vidinfer.sink.verify import verify

__all__ = ["CONTAINER", "Mp4File", "claimed_rate", "pixel_aspect"]

CONTAINER = {
    # Fragments while it is being written, so that a crash leaves a playable file; an ordinary MP4 once closed.
    "movflags": "hybrid_fragmented+empty_moov+default_base_moof",
    # The edit list carries starts other than 0 and the encoder's delay, so that all times stay exact.
    "use_editlist": "1",
    "flush_packets": "1",
    "brand": "isom",
}
_USUAL_RATE = Fraction(25)
_RATES = (Fraction(1), Fraction(240))


class Mp4File:
    """Pictures from the pipeline, sound from the source's file.

    Whatever fails raises ``av.FFmpegError`` or ``OSError``; then only ``abort`` makes sense.

    Thread rule: one thread at a time.
    """

    def __init__(self, path: Path, source: SourceInfo, codec: Codec) -> None:
        """Create ``path`` for pictures encoded by ``codec``, and look for the source's sound."""
        self._path = path
        self._codec = codec
        self.timeline = VideoTimeline(source.time_base, source.rate)
        self.frames = 0
        # Edit lists count in the movie's own unit, so it must be as fine as the track's.
        options = CONTAINER | {"movie_timescale": str(self.timeline.time_base.denominator)}
        self._output: OutputContainer = av.open(file_url(path), "w", format="mp4", options=options)
        try:
            self._track = H264Track(
                self._output,
                source.width,
                source.height,
                codec,
                time_base=self.timeline.time_base,
                rate=claimed_rate(source),
                aspect=pixel_aspect(source),
            )
            self._audio = SourceAudio(source.path, self._output)
        except BaseException:
            self._output.close()
            raise

    def add(self, stamp: FrameStamp, picture: VideoFrame) -> None:
        """Append a picture, yuv420p of even size, and the sound that belongs before it."""
        if self.frames == 0:
            self._begin(stamp)
        placed = self.timeline.place(stamp)
        packets = self._track.encode(picture, placed.pts, placed.duration)
        self.frames += 1
        self._mux(packets)

    def finish(self, final: Path) -> None:
        """Write what is left and read the file back; ``final`` names it in messages.

        Raises:
            SinkError: what is in the file is not what was written.
        """
        self._mux(self._track.flush())
        self._audio.finish(self.timeline.source_end, self.timeline.step)
        self._audio.close()
        self._output.close()
        verify(self._path, final, self.frames, self.timeline, self._audio.tracks)

    def abort(self) -> bool:
        """Free encoder and files. Idempotent. Returns whether the end of the file could still be written."""
        self._audio.close()
        try:
            self._output.close()
        except (av.FFmpegError, OSError):
            return False
        return True

    def facts(self) -> dict[str, object]:
        """The form of the file and what became of the sound."""
        return {
            "codec": "h264",
            "encoder": self._codec.name,
            "size": list(self._track.size),
            "padded_to_even": self._track.padded,
            "time_base": str(self.timeline.time_base),
            "start_shift_seconds": float(self.timeline.shift),
            "audio": self._audio.facts(),
        }

    def warnings(self) -> list[str]:
        """What was changed or lost, in words."""
        slow = [self._codec.warning] if self._codec.warning else []
        return slow + self.timeline.warnings() + self._audio.warnings()

    def _begin(self, stamp: FrameStamp) -> None:
        """Fix how the source's clock becomes the file's, for pictures and sound alike."""
        start = self.timeline.seconds(stamp)
        from_the_start = stamp.index == 0  # else the beginning was left out, and its sound goes with it
        self.timeline.begin(start_shift(start, self._audio.start if from_the_start else None))
        self._audio.begin(self.timeline.shift, None if from_the_start else start)

    def _mux(self, packets: list[Packet[VideoStream]]) -> None:
        for packet in packets:
            time = self._track.seconds(packet)
            self._output.mux(packet)
            self._audio.write_until(time - self.timeline.shift)


def claimed_rate(source: SourceInfo) -> Fraction:
    """Frames per second as claimed, where that can be; a hint for encoders."""
    return min(max(source.rate or _USUAL_RATE, _RATES[0]), _RATES[1])


def pixel_aspect(source: SourceInfo) -> Fraction | None:
    """Width over height of one pixel as displayed: a quarter turn swaps the two."""
    text = source.details.get("sample_aspect_ratio")
    if not isinstance(text, str):
        return None
    try:
        aspect = Fraction(text.replace(":", "/"))
    except (ValueError, ZeroDivisionError):
        return None
    if aspect <= 0:
        return None
    return 1 / aspect if source.details.get("rotation") in (90, 270) else aspect
