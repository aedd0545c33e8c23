"""Anchors, made once for each size of picture: torchvision makes them anew for every batch."""

from __future__ import annotations

from typing import Any, TypeAlias

import torch
from torch import Tensor, nn
from torchvision.models.detection.anchor_utils import AnchorGenerator, DefaultBoxGenerator
from torchvision.models.detection.image_list import ImageList

__all__ = ["AnchorStore", "remember"]

LIMIT = 8
"""Sizes kept: a source has one, and the anchors of a large picture take megabytes."""

_Key: TypeAlias = tuple[torch.Size, tuple[torch.Size, ...], torch.dtype, torch.device]


class AnchorStore(nn.Module):
    """Takes the place of an anchor generator; the anchors given out are shared, not to be written to.

    Thread rule: the thread that runs the network.
    """

    def __init__(self, generator: nn.Module) -> None:
        """``generator``: its anchors depend on sizes, type and device alone."""
        super().__init__()
        self.generator = generator
        self._kept: dict[_Key, Tensor] = {}

    def forward(self, image_list: ImageList, feature_maps: list[Tensor]) -> list[Tensor]:
        """``(anchors, 4)`` for each picture, all the same object."""
        first = feature_maps[0]
        maps = tuple(f.shape[-2:] for f in feature_maps)
        key = (image_list.tensors.shape[-2:], maps, first.dtype, first.device)
        anchors = self._kept.pop(key, None)
        if anchors is None:
            (anchors,) = self.generator(
                ImageList(image_list.tensors, image_list.image_sizes[:1]), feature_maps
            )
        self._kept[key] = anchors  # last, as the one used most recently
        if len(self._kept) > LIMIT:
            del self._kept[next(iter(self._kept))]
        return [anchors] * len(image_list.image_sizes)


def remember(network: nn.Module) -> bool:
    """Let a detector of torchvision keep its anchors from batch to batch.

    Returns:
        Whether it does now; a network with a generator of its own class is left as it is.
    """
    holder: Any = getattr(network, "rpn", network)
    if type(getattr(holder, "anchor_generator", None)) not in (AnchorGenerator, DefaultBoxGenerator):
        return False
    holder.anchor_generator = AnchorStore(holder.anchor_generator)
    return True
