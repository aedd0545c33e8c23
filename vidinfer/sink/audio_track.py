"""One audio track of the output: its packets copied, or decoded and encoded again."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Protocol, TypeAlias, cast

import av
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.bitstream import BitStreamFilterContext
from av.container import OutputContainer
from av.packet import Packet

from vidinfer.sink.adts import audio_specific_config
from vidinfer.sink.timeline import Increasing

__all__ = ["AudioTrack", "add_track"]

AudioPacket: TypeAlias = "Packet[AudioStream]"

PLAYED_EVERYWHERE = ("aac", "mp3", "opus", "flac")
"""Codecs that MP4 holds and that browsers and current QuickTime play; everything else is encoded as AAC."""
_AAC_RATES = (96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350)
_MP3_LOWEST = 16000
"""MPEG-2.5 layer III (below 16 kHz) is not standard in MP4."""
_BITS_PER_CHANNEL = 80_000
_LAYOUTS = {1: "mono", 2: "stereo", 6: "5.1", 8: "7.1"}
"""By number of channels, as PCM often does not name them; others are mixed down to stereo."""
_USUAL_RATE = 48000
_JITTER = Fraction(1, 50)
"""Seconds that a decoded frame may be off its predecessor's end without being moved: containers round their times."""


class AudioTrack(Protocol):
    """What the copying loop asks of a track. Thread rule: one thread."""

    action: str
    """``copied`` or ``encoded``, with the codec."""

    def take(self, packet: AudioPacket, shift: Fraction) -> list[AudioPacket]:
        """The packets to write for ``packet`` of the source, ``shift`` seconds later than there.

        Raises:
            av.FFmpegError: the encoder failed.
        """
        ...

    def flush(self) -> list[AudioPacket]:
        """The last packets."""
        ...

    def warnings(self) -> list[str]:
        """What was changed or lost, in words."""
        ...


def add_track(output: OutputContainer, source: AudioStream, first: Callable[[], bytes]) -> AudioTrack:
    """Add a track for ``source`` to ``output``.

    Args:
        output: not yet written to.
        source: with a decoder.
        first: reads the first packet of ``source``, for codecs that describe themselves there.

    Raises:
        av.FFmpegError: the container takes neither the codec nor its replacement.
        ValueError: likewise.
    """
    codec = source.codec_context
    name = codec.codec.canonical_name
    if name == "aac" and not codec.extradata:
        description = audio_specific_config(first())
        return (
            EncodedTrack(output, source) if description is None else CopiedTrack(output, source, description)
        )
    if name not in PLAYED_EVERYWHERE or (name == "mp3" and (codec.sample_rate or 0) < _MP3_LOWEST):
        return EncodedTrack(output, source)
    return CopiedTrack(output, source)


class CopiedTrack:
    """The source's packets, byte for byte; of AAC in ADTS what follows its headers."""

    def __init__(
        self, output: OutputContainer, source: AudioStream, description: bytes | None = None
    ) -> None:
        self._out = output.add_stream_from_template(source)
        self._unwrap = None
        if description is not None:
            self._out.codec_context.extradata = description
            self._unwrap = BitStreamFilterContext("aac_adtstoasc", source)
        self._time_base = cast(Fraction, source.time_base)
        self._increasing = Increasing(self._time_base)
        self._next: int | None = None
        self.action = f"{source.codec_context.codec.canonical_name} copied"

    def take(self, packet: AudioPacket, shift: Fraction) -> list[AudioPacket]:
        dts = packet.dts if packet.dts is not None else packet.pts
        if dts is None:
            dts = self._next or 0
        later = round(shift / self._time_base)
        moved = self._increasing.next(dts + later, packet.duration or 1)
        self._next = dts + (packet.duration or 1)
        packet.pts = moved if packet.pts is None else packet.pts - dts + moved
        packet.dts = moved
        packets = [packet] if self._unwrap is None else self._unwrap.filter(packet)
        for out in packets:
            out.stream = self._out
        return packets

    def flush(self) -> list[AudioPacket]:
        return []

    def warnings(self) -> list[str]:
        changed = self._increasing.changed + self._increasing.resets
        return [f"timestamps that did not increase: {changed}; moved"] if changed else []


class EncodedTrack:
    """The source's sound, decoded and encoded as AAC."""

    def __init__(self, output: OutputContainer, source: AudioStream) -> None:
        codec = source.codec_context
        rate = codec.sample_rate or _USUAL_RATE
        self._rate = min((r for r in _AAC_RATES if r >= rate), default=max(_AAC_RATES))
        layout = _LAYOUTS.get(codec.channels, "stereo")
        self._out = output.add_stream("aac", rate=self._rate, layout=layout)
        self._out.codec_context.bit_rate = _BITS_PER_CHANNEL * len(self._out.codec_context.layout.channels)
        self._resampler = av.AudioResampler("fltp", layout, self._rate)
        self._next: int | None = None
        self._damaged = 0
        self.action = f"{codec.codec.canonical_name} encoded as aac"

    def take(self, packet: AudioPacket, shift: Fraction) -> list[AudioPacket]:
        try:
            frames = packet.decode()
        except av.FFmpegError:
            self._damaged += 1
            return []
        return [out for frame in frames for out in self._encode(frame, shift)]

    def flush(self) -> list[AudioPacket]:
        if self._next is None:
            return []
        return [
            out for frame in self._resampler.resample(None) for out in self._send(frame)
        ] + self._out.encode(None)

    def warnings(self) -> list[str]:
        return [f"packets that could not be decoded: {self._damaged}"] if self._damaged else []

    def _encode(self, frame: AudioFrame, shift: Fraction) -> list[AudioPacket]:
        at = (
            None
            if frame.pts is None
            else round((frame.pts * cast(Fraction, frame.time_base) + shift) * self._rate)
        )
        if self._next is None:
            self._next = at or 0
        elif at is not None and at > self._next + _JITTER * self._rate:
            self._next = at  # something is missing in the source: stay in step with the pictures
        frame.pts = None
        try:
            resampled = self._resampler.resample(frame)
        except ValueError:  # the sound changes its form on the way
            self._damaged += 1
            return []
        return [out for part in resampled for out in self._send(part)]

    def _send(self, frame: AudioFrame) -> list[AudioPacket]:
        frame.pts, frame.time_base = self._next, Fraction(1, self._rate)
        self._next = (self._next or 0) + frame.samples
        return self._out.encode(frame)
