"""The sound of the source, carried over while the pictures are written; never more than a moment of it in memory."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import cast

import av
from av.audio.stream import AudioStream
from av.container import InputContainer, OutputContainer
from av.packet import Packet
from av.stream import Discard, Stream

from vidinfer.sink.audio_track import AudioPacket, AudioTrack, add_track
from vidinfer.storage import locate, media_input

__all__ = ["SourceAudio"]


class SourceAudio:
    """Reads the audio streams of a file again, beside the decoder, and hands them on in step with the pictures.

    Thread rule: one thread at a time.
    """

    def __init__(self, path: str | None, output: OutputContainer) -> None:
        """Open ``path`` (``None``: there is no sound) and add a track to ``output`` for each of its audio streams.

        What cannot be carried over is told in ``warnings``, not raised.
        """
        self._path = path
        self._output = output
        self._tracks: dict[int, AudioTrack] = {}
        self._written: dict[int, int] = {}
        self._warnings: list[str] = []
        self._actions: list[dict[str, object]] = []
        self._input: InputContainer | None = None
        self._packets: Iterator[Packet[Stream]] = iter(())
        self._waiting: AudioPacket | None = None
        self._shift = Fraction(0)
        self._not_before: Fraction | None = None
        self._finished = False
        if path is not None and not Path(path).is_dir():  # a folder of images is silent
            self._open(path)

    @property
    def start(self) -> Fraction | None:
        """When the sound begins in the source, in seconds; ``None`` without sound."""
        if self._input is None:
            return None
        starts = [
            stream.start_time * cast(Fraction, stream.time_base)
            for stream in self._input.streams.audio
            if stream.index in self._tracks and stream.start_time is not None
        ]
        return min(starts, default=None)

    @property
    def tracks(self) -> int:
        """How many audio tracks of the output have packets."""
        return sum(1 for count in self._written.values() if count)

    def begin(self, shift: Fraction, not_before: Fraction | None) -> None:
        """Say how much later all sound comes than in the source, and whether its beginning is left out.

        Args:
            shift: in seconds.
            not_before: seconds in the source; what ends before is left out.
        """
        self._shift, self._not_before = shift, not_before

    def write_until(self, time: Fraction | None) -> None:
        """Write what the source plays before ``time`` seconds (of the source); ``None``: all that is left.

        Raises:
            av.FFmpegError: the output cannot be written.
        """
        while (packet := self._next()) is not None:
            at = _seconds(packet)
            if time is not None and at is not None and at >= time:
                return
            self._waiting = None
            if self._not_before is not None and at is not None and at + _length(packet) <= self._not_before:
                continue
            self._write(packet)

    def finish(self, end: Fraction | None, tolerance: Fraction) -> None:
        """Write the rest: all of it, or up to ``end`` where the pictures stopped before the source did.

        Raises:
            av.FFmpegError: the output cannot be written.
        """
        cut = end is not None and bool(self._tracks) and self._video_goes_on(end + tolerance)
        self.write_until(end if cut else None)
        for index, track in self._tracks.items():
            for out in track.flush():
                self._output.mux(out)
                self._written[index] += 1
        self._finished = True

    def close(self) -> None:
        """Let go of the source. Idempotent."""
        container, self._input = self._input, None
        self._packets, self._waiting = iter(()), None
        if container is not None:
            container.close()

    def facts(self) -> list[dict[str, object]]:
        """What became of each audio stream."""
        return self._actions

    def warnings(self) -> list[str]:
        """What was lost or changed, in words."""
        found = list(self._warnings)
        for index, track in self._tracks.items():
            found += [f"audio stream {index}: {warning}" for warning in track.warnings()]
            if self._finished and not self._written[index]:
                found.append(f"audio stream {index} is empty where there are pictures")
        return found

    def _open(self, path: str) -> None:
        try:
            self._input = _opened(path)
        except (av.FFmpegError, OSError) as error:
            self._warnings.append(f"no sound: {path} cannot be opened again ({_first_line(error)})")
            return
        chosen = [stream for stream in self._input.streams.audio if self._add(stream)]
        for stream in self._input.streams:
            if stream.index not in self._tracks:
                stream.discard = Discard.all  # its packets need not even be read
        if chosen:
            self._packets = self._input.demux(chosen)
        else:
            self.close()

    def _add(self, stream: AudioStream) -> bool:
        """Add a track for ``stream``; whether that worked."""
        action = "dropped"
        try:
            if stream.codec_context is None:
                raise ValueError("FFmpeg has no decoder for it")
            track = add_track(self._output, stream, lambda: self._first_packet(stream.index))
        except (av.FFmpegError, ValueError, OSError) as error:
            self._warnings.append(f"audio stream {stream.index} dropped: {_first_line(error)}")
        else:
            self._tracks[stream.index], self._written[stream.index] = track, 0
            action = track.action
        self._actions.append({"stream": stream.index, "action": action})
        return action != "dropped"

    def _first_packet(self, index: int) -> bytes:
        with _opened(cast(str, self._path)) as container:
            return next((bytes(p) for p in container.demux(container.streams[index]) if p.size), b"")

    def _next(self) -> AudioPacket | None:
        """The packet to write next, not yet taken; ``None`` at the end."""
        while self._waiting is None:
            try:
                packet = next(self._packets, None)
            except av.FFmpegError as error:
                self._warnings.append(f"the sound ends early: {_first_line(error)}")
                self._packets = iter(())
                return None
            if packet is None:
                return None
            if packet.size:  # an empty one only marks the end of its stream
                self._waiting = cast(AudioPacket, packet)
        return self._waiting

    def _write(self, packet: AudioPacket) -> None:
        index = packet.stream.index
        for out in self._tracks[index].take(packet, self._shift):
            self._output.mux(out)
            self._written[index] += 1

    def _video_goes_on(self, time: Fraction) -> bool:
        """Whether the source has pictures at or after ``time`` seconds."""
        try:
            with _opened(cast(str, self._path)) as container:
                stream = container.streams.best("video")
                if stream is None or not stream.time_base:
                    return False
                tick = int(time / stream.time_base)
                container.seek(tick, stream=stream)
                return any(
                    packet.pts is not None and packet.pts >= tick and not packet.is_discard
                    for packet in container.demux(stream)
                )
        except (av.FFmpegError, OSError):
            return False  # it cannot be told: keep all the sound


def _opened(path: str) -> InputContainer:
    """``path`` as the decoder opens it, so that what can be decoded can also be heard."""
    media, options = media_input(locate(path))
    container: InputContainer = av.open(media, metadata_errors="replace", options=options)
    return container


def _seconds(packet: AudioPacket) -> Fraction | None:
    ticks = packet.dts if packet.dts is not None else packet.pts
    return None if ticks is None else ticks * packet.time_base


def _length(packet: AudioPacket) -> Fraction:
    return (packet.duration or 0) * packet.time_base


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
