"""HLS for FFmpeg, fetched by us: FFmpeg cannot be woken while it waits for the next segment, we can.

The playlists that FFmpeg gets to see are complete addresses with segments of no length to speak of, so that it asks for
the next list at once; the waiting is done here, until there is something new.
"""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from typing import BinaryIO, cast
from urllib.parse import urljoin

from vidinfer.clock import Clock
from vidinfer.errors import SourceError
from vidinfer.interrupt import Interrupt
from vidinfer.source.http_body import HttpBody, HttpFetcher

__all__ = ["HLS_OPTIONS", "HlsFiles", "is_playlist"]

HLS_OPTIONS: Mapping[str, str] = {
    "live_start_index": "-1",  # the newest segment: what is older is not live
    "max_reload": "1000000",  # it ends when the list does, or when nothing new came for too long
    "http_persistent": "0",  # connections are ours
    "http_multiple": "0",
    "extension_picky": "0",  # nothing but HTTP is fetched anyway
    "allowed_extensions": "ALL",
}

_BANDWIDTH = re.compile(r"[:,]BANDWIDTH=(\d+)")
_URI = re.compile(r'URI="([^"]*)"')
_SHORT = "#EXTINF:0.1,"
_TARGET = re.compile(r"#EXT-X-TARGETDURATION:(\d+(?:\.\d+)?)")
_SEQUENCE = re.compile(r"#EXT-X-MEDIA-SEQUENCE:(\d+)")
_PATIENCE = 3
"""Target durations without anything new after which a stream counts as stalled."""


def is_playlist(kind: str, start: bytes) -> bool:
    """By media type, or by the first bytes."""
    return "mpegurl" in kind or start.startswith(b"#EXTM3U")


class HlsFiles:
    """What FFmpeg opens while it plays one stream.

    Thread rule: one thread at a time.
    """

    def __init__(self, fetcher: HttpFetcher, url: str, clock: Clock, interrupt: Interrupt) -> None:
        """Choose the variant of the highest bandwidth of the playlist at ``url``.

        Raises:
            SourceError: it is none, it is encrypted, or it cannot be had.
        """
        self._fetcher = fetcher
        self._clock = clock
        self._interrupt = interrupt
        text, self._url = self._playlist(url)
        if "#EXT-X-STREAM-INF" in text:
            text, self._url = self._playlist(_best_variant(text, self._url))
        self._text = text
        self._given: tuple[int, bool] | None = None
        self.recorded = "#EXT-X-ENDLIST" in text
        """The list is complete: a recording, not a live stream."""
        target = _TARGET.search(text)
        self.target = float(target[1]) if target else 1.0
        """Seconds that a segment may last."""
        self.name = "http://playlist/live.m3u8"
        """What FFmpeg is told the playlist is called: the real name may hold a password."""

    def open(self, url: str, _flags: int, options: Mapping[str, str]) -> BinaryIO:
        """As FFmpeg asks: the playlist, once it has something new, or a segment."""
        if url == self.name:
            return io.BytesIO(self._news().encode())
        end = options.get("end_offset")
        body = self._fetcher.get(
            url, start=int(options.get("offset", "0")), end=None if end is None else int(end)
        )
        return cast(BinaryIO, _Segment(body))

    def _news(self) -> str:
        """The playlist as soon as it says more than last time.

        Raises:
            TimeoutError: it did not, for longer than a stream may pause.
        """
        text, begun = self._text, self._clock.now()
        while (state := _state(text)) == self._given:
            limit = max(self._fetcher.silence(), _PATIENCE * self.target)
            if self._clock.now() - begun > limit:
                raise TimeoutError(f"no new segment for {limit:g} s")
            if self._interrupt.wait(min(1.0, self.target / 4)):
                raise InterruptedError
            text, self._url = self._playlist(self._url)
        self._given = state
        return _rewritten(text, self._url)

    def _playlist(self, url: str) -> tuple[str, str]:
        text, where = self._fetcher.text(url)
        if not text.startswith("#EXTM3U"):
            raise SourceError("the playlist is none: it does not begin with #EXTM3U; check the address")
        if re.search(r"#EXT-X-KEY:.*METHOD=(?!NONE)", text):
            raise SourceError("the stream is encrypted; give one that is not")
        return text, where


class _Segment:
    """A body without places to go to: FFmpeg would ask for its end."""

    def __init__(self, body: HttpBody) -> None:
        self.read = body.read
        self.close = body.close


def _best_variant(text: str, base: str) -> str:
    lines = text.splitlines()
    found = [
        (int(match[1]), urljoin(base, lines[i + 1].strip()))
        for i, line in enumerate(lines[:-1])
        if line.startswith("#EXT-X-STREAM-INF") and (match := _BANDWIDTH.search(line))
    ]
    if not found:
        raise SourceError("the playlist lists no variant that can be played; check the address")
    return max(found)[1]


def _state(text: str) -> tuple[int, bool]:
    """Which segment comes after the last one, and whether it was the last for good."""
    sequence = _SEQUENCE.search(text)
    return (int(sequence[1]) if sequence else 0) + text.count("#EXTINF"), "#EXT-X-ENDLIST" in text


def _rewritten(text: str, base: str) -> str:
    lines = []
    for line in text.splitlines():
        if line.startswith("#EXTINF"):
            line = _SHORT
        elif line.startswith("#EXT-X-TARGETDURATION"):
            line = "#EXT-X-TARGETDURATION:1"
        elif line.startswith("#"):
            line = _URI.sub(lambda m: f'URI="{urljoin(base, m[1])}"', line)
        elif line.strip():
            line = urljoin(base, line.strip())
        lines.append(line)
    return "\n".join(lines) + "\n"
