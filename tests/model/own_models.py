"""Factories for ``--model tests.model.own_models:NAME``, good ones and bad ones."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import torch
from torch import Tensor, nn
from torchvision.models.detection import FCOS
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.transforms._presets import ImageClassification, VideoClassification
from torchvision.transforms.v2 import Compose, Resize, ToDtype

from tests.model.networks import random_detector

NAMES = ["dark", "middle", "bright"]


class Brightness(nn.Module):
    """Three classes by mean brightness, whatever the size of the picture."""

    def forward(self, pictures: Tensor) -> Tensor:
        mean = pictures.mean(dim=(1, 2, 3))
        return torch.stack([0.3 - mean, 0.2 - (mean - 0.5).abs(), mean - 0.7], dim=1) * 20


class Halves(nn.Module):
    """Segments: class 1 where it is bright."""

    def forward(self, pictures: Tensor) -> dict[str, Tensor]:
        grey = pictures.mean(dim=1, keepdim=True)
        return {"out": torch.cat([0.5 - grey, grey - 0.5], dim=1)}


class BrightBox(nn.Module):
    """Detects one box around what is bright, in no particular order, and a worthless one."""

    def forward(self, pictures: list[Tensor]) -> list[dict[str, Tensor]]:
        found = []
        for picture in pictures:
            ys, xs = torch.nonzero(picture.mean(0) > 0.5, as_tuple=True)
            box = [xs.min(), ys.min(), xs.max() + 1, ys.max() + 1] if len(xs) else [0, 0, 1, 1]
            boxes = torch.tensor([[0.0, 0.0, 2.0, 2.0], [float(v) for v in box]])
            found.append({"boxes": boxes, "scores": torch.tensor([0.1, 0.9]), "labels": torch.tensor([2, 1])})
        return found


class Motion(nn.Module):
    """A video classifier: still or moving."""

    def forward(self, clips: Tensor) -> Tensor:
        moved = (clips[:, :, 1:] - clips[:, :, :-1]).abs().mean(dim=(1, 2, 3, 4))
        return torch.stack([torch.full_like(moved, 0.01), moved], dim=1) * 100


def brightness() -> nn.Module:
    return Brightness()


def brightness_with_everything() -> tuple[nn.Module, Any, list[str]]:
    return Brightness(), Compose([Resize((32, 48)), ToDtype(torch.float32, scale=True)]), NAMES


def brightness_with_preset() -> tuple[nn.Module, Any, list[str]]:
    return Brightness(), ImageClassification(crop_size=32, mean=(0.0,) * 3, std=(1.0,) * 3), NAMES


def halves() -> tuple[nn.Module, None, list[str]]:
    return Halves(), None, ["dim", "bright"]


def bright_box() -> tuple[nn.Module, None, list[str]]:
    return BrightBox(), None, ["light", "nothing much"]


def resized_box() -> tuple[nn.Module, Any, list[str]]:
    return (
        BrightBox(),
        Compose([Resize((40, 30)), ToDtype(torch.float32, scale=True)]),
        ["light", "nothing much"],
    )


def motion() -> tuple[nn.Module, Any, list[str]]:
    zero, one = (0.0,) * 3, (1.0,) * 3
    return (
        Motion(),
        VideoClassification(crop_size=(16, 16), resize_size=(16, 16), mean=zero, std=one),
        ["still", "moving"],
    )


class _Backbone(nn.Module):
    out_channels = 32

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Conv2d(3, 32, 3, stride=16, padding=1)

    def forward(self, x: Tensor) -> OrderedDict[str, Tensor]:
        return OrderedDict([("0", self.body(x))])


def small_fcos() -> nn.Module:
    torch.manual_seed(0)
    anchors = AnchorGenerator(((16,),), ((1.0,),))
    return FCOS(_Backbone(), 4, anchor_generator=anchors, min_size=64, max_size=128)


def of_one_size() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(3 * 32 * 32, 3))


def raises() -> nn.Module:
    raise KeyError("no such checkpoint")


def returns_list() -> list[int]:
    return [1, 2]


def returns_bad_names() -> tuple[nn.Module, None, list[str]]:
    return Brightness(), None, ["only", "two"]


def returns_bad_transforms() -> tuple[nn.Module, int]:
    return Brightness(), 3


def transforms_of_the_wrong_kind() -> tuple[nn.Module, Any, list[str]]:
    return Brightness(), lambda _picture: "no tensor", NAMES


class _Broken(nn.Module):
    """Gives what ``how`` says for batches, and something sensible for the one picture that it is tried with."""

    def __init__(self, how: str) -> None:
        super().__init__()
        self.how, self.calls = how, 0

    def forward(self, pictures: Tensor) -> Any:
        self.calls += 1
        scores = Brightness()(pictures)
        if self.calls == 1:
            return scores
        if self.how == "nan":
            return scores * float("nan")
        return scores[:-1] if self.how == "few" else scores[:, :2]


def gives_nan() -> nn.Module:
    return _Broken("nan")


def gives_too_few() -> nn.Module:
    return _Broken("few")


def gives_another_shape() -> nn.Module:
    return _Broken("shape")


not_a_function = 7


FEW: dict[str, Any] = {"min_size": 96, "max_size": 160, "box_detections_per_img": 8}
"""A mask or the keypoints of one object take ten times as long as all the rest of a small picture."""


def small_maskrcnn() -> tuple[nn.Module, None, list[str]]:
    """Finds something, with masks, in a moment."""
    network = random_detector("maskrcnn_resnet50_fpn", **FEW)
    return network, None, ["car", "bus", "cat", "dog", "bird"]


def small_keypointrcnn() -> nn.Module:
    """Finds something, with keypoints, in a moment."""
    return random_detector("keypointrcnn_resnet50_fpn", **FEW)
