"""Cutting regions out of feature maps on a CPU: torchvision's RoIAlign, several times faster.

torchvision's own goes through the maps channel by channel, on one thread. Each bin of a region is a weighted sum of 16
places of a map; with the channels of a place side by side that is a bag of embeddings, for which torch has a fast
kernel. Equal up to the order of the sums.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import embedding_bag
from torchvision.ops import MultiScaleRoIAlign

__all__ = ["Regions"]

TOGETHER = 64
"""Regions at a time: so many stay in the cache between the sums and their transposition."""

WORTH = 2
"""Summands of a bag for each place of the maps, from which it pays to put the channels side by side first."""


class Regions:
    """The feature maps of a batch. Thread rule: one thread."""

    def __init__(self, features: dict[str, Tensor], sizes: list[tuple[int, int]]) -> None:
        """``features``: ``(n, c, h, w)`` by name. ``sizes``: ``(height, width)`` of each of the n pictures."""
        self._features = features
        self._sizes = sizes
        self._tables: dict[str, Tensor] = {}

    def cut(self, pooler: Any, boxes: list[Tensor]) -> Tensor:
        """What ``pooler(features, boxes, sizes)`` gives, ``(regions, c, *pooler.output_size)``.

        Args:
            pooler: a :class:`MultiScaleRoIAlign`, or anything that is called like one.
            boxes: ``(m, 4)`` of each picture, finite.
        """
        names = self._names(pooler, sum(len(of_one) for of_one in boxes))
        if not names:
            return pooler(self._features, boxes, self._sizes)  # type: ignore[no-any-return]
        counts = torch.tensor([len(of_one) for of_one in boxes])
        image = torch.arange(len(boxes), dtype=torch.int32).repeat_interleave(counts)
        level = pooler.map_levels(boxes) if len(names) > 1 else torch.zeros_like(image)
        return self._pooled(pooler, names, torch.cat(boxes), image, level)

    def _names(self, pooler: Any, regions: int) -> list[str]:
        """The maps to cut from; none where torchvision's own way is better, or the only one."""
        if type(pooler) is not MultiScaleRoIAlign or pooler.sampling_ratio < 1 or pooler.scales is None:
            return []  # torchvision settles the scales when it is first called
        names = [name for name in self._features if name in pooler.featmap_names]
        maps = [self._features[name] for name in names]
        if any(m.device.type != "cpu" or m.dtype != torch.float32 for m in maps):
            return []
        height, width = pooler.output_size
        summands = regions * height * width * (2 * pooler.sampling_ratio) ** 2
        to_turn = [
            m for name, m in zip(names, maps, strict=True) if name not in self._tables and not _turned(m)
        ]
        return names if summands >= WORTH * sum(m[:, 0].numel() for m in to_turn) else []

    def _table(self, name: str) -> Tensor:
        """``(n * h * w, c)``: the channels of each place side by side."""
        if name not in self._tables:
            maps = self._features[name]
            places = (
                maps.permute(0, 2, 3, 1) if _turned(maps) else torch.stack([m.flatten(1).t() for m in maps])
            )
            self._tables[name] = places.reshape(-1, maps.shape[1])
        return self._tables[name]

    def _pooled(self, pooler: Any, names: list[str], boxes: Tensor, image: Tensor, level: Tensor) -> Tensor:
        bins, grid = pooler.output_size, pooler.sampling_ratio
        channels = self._features[names[0]].shape[1]
        pooled = boxes.new_empty(len(boxes), channels, bins[0] * bins[1])
        for i, (name, scale) in enumerate(zip(names, pooler.scales, strict=True)):
            table = self._table(name)
            height, width = self._features[name].shape[-2:]
            of_level = (level == i).nonzero()[:, 0]
            for start in range(0, len(of_level), TOGETHER):
                chosen = of_level[start : start + TOGETHER]
                scaled = boxes[chosen] * scale
                across, part_x = _taps(scaled[:, 0], scaled[:, 2], bins[1], grid, width)
                down, part_y = _taps(scaled[:, 1], scaled[:, 3], bins[0], grid, height)
                down = down * width + (image[chosen] * (height * width))[:, None, None]
                bags, parts = _pairs(down, across, torch.add), _pairs(part_y, part_x, torch.mul)
                sums = embedding_bag(bags, table, mode="sum", per_sample_weights=parts)
                pooled[chosen] = sums.view(len(chosen), bins[0] * bins[1], channels).transpose(1, 2)
        return pooled.view(len(boxes), channels, *bins)


def _turned(maps: Tensor) -> bool:
    return maps.permute(0, 2, 3, 1).is_contiguous()


def _taps(start: Tensor, end: Tensor, bins: int, grid: int, size: int) -> tuple[Tensor, Tensor]:
    """Along one axis: which places each bin takes, and how much of each, ``(regions, bins, 2 * grid)`` both.

    Args:
        start: ``(regions,)``, in places.
        end: likewise.
        bins: of a region.
        grid: sample points of a bin, each between two places.
        size: places on the axis.
    """
    step = ((end - start).clamp(min=1.0) / bins)[:, None, None]
    points = torch.arange(grid) + 0.5
    at = start[:, None, None] + torch.arange(bins)[:, None] * step + points * step / grid
    inside = (at >= -1.0) & (at <= size)
    at = at.clamp(0, size - 1)
    low = at.floor()
    part = at - low
    places = torch.stack([low, (low + 1).clamp_(max=size - 1)], dim=-1)
    parts = torch.stack([1 - part, part], dim=-1) * (inside / grid)[..., None]
    return places.flatten(2).int(), parts.flatten(2)


def _pairs(down: Tensor, across: Tensor, combine: Any) -> Tensor:
    """``(regions * bins, taps)``: of each bin, every tap down with every tap across."""
    regions, rows, k = down.shape
    columns = across.shape[1]
    # Repeated first: combining is quick over runs that are longer than the few taps of one axis.
    down = down[:, :, :, None].expand(-1, -1, -1, k).reshape(regions, rows, 1, k * k)
    across = across[:, :, None, :].expand(-1, -1, k, -1).reshape(regions, 1, columns, k * k)
    return combine(down, across).view(-1, k * k)  # type: ignore[no-any-return]
