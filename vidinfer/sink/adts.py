"""AAC as broadcasts carry it: a header in front of each frame (ADTS) instead of one description for all."""

from __future__ import annotations

__all__ = ["audio_specific_config"]

_HEADER = 7
_SYNC = 0xFFF


def audio_specific_config(frame: bytes) -> bytes | None:
    """The description MP4 wants (ISO 14496-3, 1.6.2.1), from a frame that begins with an ADTS header.

    ``None`` where there is no such header, or it leaves the channels to the frame itself.
    """
    if len(frame) < _HEADER or frame[0] << 4 | frame[1] >> 4 != _SYNC or frame[1] & 0x06:
        return None
    object_type = (frame[2] >> 6) + 1
    frequency = frame[2] >> 2 & 0x0F
    channels = (frame[2] & 1) << 2 | frame[3] >> 6
    if channels == 0 or frequency > 12:
        return None
    return (object_type << 11 | frequency << 7 | channels << 3).to_bytes(2, "big")
