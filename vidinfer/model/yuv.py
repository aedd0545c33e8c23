"""From the planes of 8-bit 4:2:0 pictures to RGB, in torch on any device.

To the bit what libswscale gives for progressive pictures with even sides on x86: its factors, its whole numbers, its
shifts, and each chroma sample for the four pixels that it covers. So it does not matter for a label where its picture
was decoded and converted.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from vidinfer.frame import ColourTags

__all__ = ["convertible", "rgb_of"]

_FULL_RANGE = 2
_PQ, _HLG = 16, 18
_ONE = 1 << 16
_SMPTE_170M = (0.299, 0.114)
_SHARES = {
    1: (0.2126, 0.0722),
    2: _SMPTE_170M,  # untagged, as everywhere
    4: (0.30, 0.11),
    5: _SMPTE_170M,
    6: _SMPTE_170M,
    7: (0.212, 0.087),
    9: (0.2627, 0.0593),
}
"""By matrix (H.273): how much red and blue are part of the luma."""


class _Factors(NamedTuple):
    """Of a difference times 8, in units of 1 / 65536."""

    luma: int
    black: int
    red_of_v: int
    green_of_u: int
    green_of_v: int
    blue_of_u: int


def convertible(width: int, height: int, tags: ColourTags) -> bool:
    """Whether ``rgb_of`` can do it: even sides, a matrix that is known, neither PQ nor HLG."""
    even = width % 2 == 0 and height % 2 == 0
    return even and tags.matrix in _SHARES and tags.transfer not in (_PQ, _HLG)


def rgb_of(y: Tensor, u: Tensor, v: Tensor, tags: ColourTags) -> Tensor:
    """``(n, h, w, 3)`` uint8.

    Args:
        y: ``(n, h, w)`` uint8.
        u: ``(n, h / 2, w / 2)`` uint8.
        v: as ``u``.
        tags: of all of them; ``convertible``.
    """
    n, height, width = y.shape
    factors = _factors(tags)
    luma = _times(y, factors.black, factors.luma).view(n, height // 2, 2, width // 2, 2)
    green = _times(u, 128, factors.green_of_u) + _times(v, 128, factors.green_of_v)
    chroma = (_times(v, 128, factors.red_of_v), green, _times(u, 128, factors.blue_of_u))
    rgb = torch.empty((n, height, width, 3), dtype=torch.uint8, device=y.device)
    for channel, part in enumerate(chroma):
        sums = luma + part[:, :, None, :, None]  # each sample for its 2x2 pixels
        rgb[..., channel] = sums.clamp_(0, 255).view(n, height, width)
    return rgb


def _times(samples: Tensor, zero: int, factor: int) -> Tensor:
    """``8 * (samples - zero) * factor``, the low 16 bits cut off: int16."""
    scaled = samples.int().sub_(zero).mul_(8 * factor)
    return scaled.bitwise_right_shift_(16).short().contiguous()


def _factors(tags: ColourTags) -> _Factors:
    red, blue = _SHARES[tags.matrix]
    green = 1.0 - red - blue
    # First as in ISO/IEC 13818-2: of chroma that has 224 steps, in units of 1 / 65536.
    step = _ONE * 255 / 224
    of_v, of_u = round(2 * (1 - red) * step), round(2 * (1 - blue) * step)
    green_u, green_v = round(2 * (1 - blue) * blue / green * step), round(2 * (1 - red) * red / green * step)
    chroma = [of_v, green_u, green_v, of_u]
    luma, black = _ONE * 255 // 219, 16
    if tags.range == _FULL_RANGE:
        luma, black = _ONE, 0
        chroma = [factor * 224 // 255 for factor in chroma]
    of_v, green_u, green_v, of_u = chroma
    return _Factors(_eighth(luma), black, _eighth(of_v), _eighth(-green_u), _eighth(-green_v), _eighth(of_u))


def _eighth(factor: int) -> int:
    """Rounded, halves up."""
    return (factor + 4) >> 3
