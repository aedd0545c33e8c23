"""torchvision's detectors in two: the dense part for an engine, and stand-ins where it was taken out.

The detector's own code runs on as it is. Where it calls its backbone and its heads, a :class:`Handed` gives back what
the engine has computed for this batch.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, Protocol, cast

import torch
from torch import Tensor, nn
from torchvision.models.detection import FCOS, RetinaNet
from torchvision.models.detection.generalized_rcnn import GeneralizedRCNN
from torchvision.models.detection.roi_heads import RoIHeads
from torchvision.models.detection.rpn import RegionProposalNetwork
from torchvision.models.detection.ssd import SSD, SSDScoringHead

from vidinfer.model.engine import Outputs

__all__ = ["Handed", "RegionHeads", "SplitDetector", "split"]


class SplitDetector(Protocol):
    """What ``split`` makes of a detector."""

    @property
    def part(self) -> nn.Module:
        """From ``(n, h, w, 3)`` float32 to its outputs."""
        ...

    @property
    def heads(self) -> dict[str, RegionHeads]:
        """Dense parts behind the first, each from ``(regions, channels, h, w)``, run in the midst of ``network``."""
        ...

    def hand(self, outputs: Outputs) -> None:
        """Let the next call of the network find ``outputs``."""
        ...


class Handed(nn.Module):
    """Stands where a module was, and gives what it was handed, once."""

    value: Any = None

    def forward(self, *_: Any) -> Any:
        """The value; it is let go."""
        value, self.value = self.value, None
        return value


def split(network: nn.Module) -> SplitDetector | None:
    """Take the dense part out of ``network``, which keeps working through ``hand``.

    Returns:
        ``None`` for a class with a ``forward`` of its own, left as it is.
    """
    kind = type(network)
    if isinstance(network, GeneralizedRCNN):
        known: bool = kind.forward is GeneralizedRCNN.forward
        known &= type(network.rpn).forward is RegionProposalNetwork.forward
        return _TwoStage(network) if known and type(network.roi_heads) is RoIHeads else None
    for family in (SSD, RetinaNet, FCOS):
        if isinstance(network, family) and kind.forward is family.forward:
            return _OneStage(network)
    return None


class _OneStage:
    """SSD, RetinaNet, FCOS: one head over all levels."""

    def __init__(self, network: Any) -> None:
        for module in network.head.modules():
            if isinstance(module, SSDScoringHead) and type(module).forward is SSDScoringHead.forward:
                module.forward = partial(_scores_as_stored, module)
        self.part = _OneStagePart(network.backbone, network.head)
        self.heads: dict[str, RegionHeads] = {}
        self._backbone = network.backbone = Handed()
        self._head = network.head = Handed()

    def hand(self, outputs: Outputs) -> None:
        """The head's outputs; of the features only their sizes are asked for."""
        names = self.part.names
        self._head.value = dict(zip(names, outputs, strict=False))
        self._backbone.value = OrderedDict((str(i), level) for i, level in enumerate(outputs[len(names) :]))


class _OneStagePart(nn.Module):
    def __init__(self, backbone: nn.Module, head: nn.Module) -> None:
        super().__init__()
        self.backbone = backbone
        self.head = head
        self.names: tuple[str, ...] = ()
        """Of the head's outputs, known once it has run."""

    def forward(self, places: Tensor) -> Outputs:
        """The head's outputs ``(n, anchors, k)`` by name, then one channel of each level for its size."""
        levels = list(_levels(self.backbone(places.permute(0, 3, 1, 2))).values())
        given: Mapping[str, Tensor] = self.head(levels)
        self.names = tuple(given)
        return (*given.values(), *(level[:, :1] for level in levels))


def _scores_as_stored(head: Any, levels: list[Tensor]) -> Tensor:
    """``SSDScoringHead.forward``, ``(n, places, columns)``, for memory in the order of pixels.

    torchvision splits the channels, then puts the pixels before them; this way round OpenVINO sees that nothing moves.
    """
    results = (module(level) for module, level in zip(head.module_list, levels, strict=True))
    # ``len(r)`` would be a constant to a tracer.
    parts = [r.permute(0, 2, 3, 1).reshape(r.shape[0], -1, head.num_columns) for r in results]
    return torch.cat(parts, dim=1)


class _TwoStage:
    """Faster, Mask and Keypoint R-CNN: proposals, then heads on regions."""

    def __init__(self, network: Any) -> None:
        self.part = _TwoStagePart(network.backbone, network.rpn.head)
        self._backbone = network.backbone = Handed()
        self._proposals = network.rpn.head = Handed()
        self.heads = dict(_take_heads(network.roi_heads))

    def hand(self, outputs: Outputs) -> None:
        """The features, and the proposal head's outputs by level."""
        names = self.part.names
        k = len(names)
        maps = (output.permute(0, 3, 1, 2) for output in outputs[:k])
        self._backbone.value = OrderedDict(zip(names, maps, strict=True))
        self._proposals.value = (list(outputs[k : 2 * k]), list(outputs[2 * k :]))


class _TwoStagePart(nn.Module):
    def __init__(self, backbone: nn.Module, proposals: nn.Module) -> None:
        super().__init__()
        self.backbone = backbone
        self.proposals = proposals
        self.names: tuple[str, ...] = ()
        """Of the levels, known once it has run."""

    def forward(self, places: Tensor) -> Outputs:
        """Features of each level ``(n, h, w, channels)``, then objectness of each, then deltas of each."""
        levels = _levels(self.backbone(places.permute(0, 3, 1, 2)))
        self.names = tuple(levels)
        features = list(levels.values())
        objectness, deltas = self.proposals(features)
        maps = (
            level.permute(0, 2, 3, 1) for level in features
        )  # as regions are read from them, without a copy
        return (*maps, *objectness, *deltas)


class RegionHeads(nn.Module):
    """A head and its predictor, in the predictor's place: what is given to it goes through the engine."""

    def __init__(self, head: nn.Module, predictor: nn.Module) -> None:
        super().__init__()
        self.part = _RegionPart(head, predictor)
        self.engine: Callable[[Tensor], Outputs] | None = None
        """Runs the part; ``None``: eager torch."""

    def forward(self, regions: Tensor) -> Tensor | Outputs:
        """As the predictor's own."""
        outputs: Outputs = (self.engine or self.part)(regions)
        return outputs if len(outputs) > 1 else outputs[0]


class _RegionPart(nn.Module):
    def __init__(self, head: nn.Module, predictor: nn.Module) -> None:
        super().__init__()
        self.head = head
        self.predictor = predictor

    def forward(self, regions: Tensor) -> Outputs:
        """The predictor's outputs as a tuple."""
        given = self.predictor(self.head(regions))
        return (given,) if isinstance(given, Tensor) else tuple(given)


def _take_heads(roi_heads: Any) -> Iterator[tuple[str, RegionHeads]]:
    for name in ("box", "mask", "keypoint"):
        head, predictor = (getattr(roi_heads, f"{name}_{kind}", None) for kind in ("head", "predictor"))
        if head is not None and predictor is not None:
            taken = RegionHeads(head, predictor)
            setattr(roi_heads, f"{name}_head", nn.Identity())
            setattr(roi_heads, f"{name}_predictor", taken)
            yield name, taken


def _levels(features: Tensor | Mapping[str, Tensor]) -> OrderedDict[str, Tensor]:
    """As torchvision takes them: a backbone may give one tensor alone."""
    return OrderedDict([("0", features)]) if isinstance(features, Tensor) else cast(Any, features)
