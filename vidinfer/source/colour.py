"""Colour tags in words, and what is assumed where a tag is missing."""

from __future__ import annotations

from dataclasses import dataclass

from av.video.frame import VideoFrame

__all__ = ["HDR_CONVERSION", "Colour", "colour_of", "is_hdr"]

# Numbers of ISO/IEC 23091-2 (H.273), named as FFmpeg names them. 2 is "unspecified".
_MATRIX = {0: "rgb", 1: "bt709", 4: "fcc", 5: "bt470bg", 6: "smpte170m", 7: "smpte240m", 8: "ycgco"} | {
    9: "bt2020nc",
    10: "bt2020c",
}
_RANGE = {1: "limited", 2: "full"}
_PRIMARIES = {
    1: "bt709",
    4: "bt470m",
    5: "bt470bg",
    6: "smpte170m",
    7: "smpte240m",
    8: "film",
    9: "bt2020",
} | {
    11: "smpte431",
    12: "smpte432",
}
_TRANSFER = {1: "bt709", 4: "gamma22", 5: "gamma28", 6: "smpte170m", 7: "smpte240m", 8: "linear"} | {
    13: "srgb",
    14: "bt2020-10",
    15: "bt2020-12",
    16: "smpte2084",
    18: "arib-std-b67",
}
_PQ, _HLG = 16, 18

HDR_CONVERSION = (
    "PQ or HLG BT.2020 to BT.709 by libswscale, relative colorimetric: display light up to 203 cd/m2 (BT.2408 "
    "reference white) is re-encoded with gamma 2.4 (BT.1886); brighter and out-of-gamut colours are clipped"
)


@dataclass(frozen=True, slots=True)
class Colour:
    """The tags as found (``None``: absent) and the matrix and range that the conversion to RGB uses."""

    matrix: str | None
    range: str | None
    primaries: str | None
    transfer: str | None
    assumed_matrix: str
    assumed_range: str
    hdr: bool

    def as_dict(self) -> dict[str, object]:
        """Ready for JSON."""
        return {
            "matrix": self.matrix,
            "range": self.range,
            "primaries": self.primaries,
            "transfer": self.transfer,
            "assumed": {"matrix": self.assumed_matrix, "range": self.assumed_range},
        }


def is_hdr(frame: VideoFrame) -> bool:
    """Tagged with the PQ or HLG transfer function."""
    return frame.color_trc in (_PQ, _HLG)


def colour_of(frame: VideoFrame) -> Colour:
    """Read the tags of ``frame``; assumptions are libswscale's own: BT.601 and limited range, at every size."""
    matrix = _MATRIX.get(frame.colorspace)
    stated_range = _RANGE.get(frame.color_range)
    layout = frame.format.name
    if frame.format.is_rgb or layout.startswith("pal"):
        assumed_matrix, assumed_range = "rgb", "full"
    else:
        # FFmpeg's yuvj formats are full range by definition; of grey libswscale never expands the range, tagged or not.
        full = layout.startswith(("yuvj", "gray", "ya", "mono"))
        assumed_matrix = matrix or "smpte170m"
        assumed_range = "full" if full else (stated_range or "limited")
    return Colour(
        matrix=matrix,
        range=stated_range,
        primaries=_PRIMARIES.get(frame.color_primaries),
        transfer=_TRANSFER.get(frame.color_trc),
        assumed_matrix=assumed_matrix,
        assumed_range=assumed_range,
        hdr=is_hdr(frame),
    )
