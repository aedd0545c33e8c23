"""``--model tests.live.reading_network:reading``: labels tell the number that is drawn into their picture."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from tests.media import read_number

__all__ = ["number_of", "reading"]

UNREADABLE = 9999


class Reading(nn.Module):
    """One box of a pixel, at (number modulo 100, number / 100)."""

    def forward(self, pictures: list[Tensor]) -> list[dict[str, Tensor]]:
        return [
            {"boxes": _box(picture), "scores": torch.tensor([0.9]), "labels": torch.tensor([1])}
            for picture in pictures
        ]


def reading() -> tuple[nn.Module, None, list[str]]:
    return Reading(), None, ["number"]


def number_of(record: Mapping[str, Any]) -> int:
    """What the network has read in the picture of a labelled record."""
    x, y, _, _ = record["objects"][0]["box"]
    return round(x) + 100 * round(y)


def _box(picture: Tensor) -> Tensor:
    try:
        number = read_number((picture * 255).round().byte().permute(1, 2, 0).numpy())
    except ValueError:
        number = UNREADABLE
    x, y = float(number % 100), float(number // 100)
    return torch.tensor([[x, y, x + 1, y + 1]])
