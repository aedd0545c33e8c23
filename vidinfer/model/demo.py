"""The bundled model `demo`: a small FCOS detector for drawn street scenes.

It was trained from scratch by `training/train_demo.py` on pictures that
`training/scenes` draws, and it knows nothing else. Its purpose is to show and
to test the whole program without a download. See docs/demo-model-card.md.
"""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path
from typing import Any

from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional
from torchvision.models.detection import FCOS
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.fcos import FCOSHead

CATEGORIES: tuple[str, ...] = ("__background__", "car", "truck", "bus", "bicycle", "pedestrian")
WEIGHTS: Path = Path(__file__).with_name("demo.safetensors")

MIN_SIZE = 288  # pixels of the shorter side the network sees
MAX_SIZE = 512
CHANNELS = 64  # of the feature pyramid
STAGES = (32, 64, 96, 160)  # channels at strides 4, 8, 16 and 32


def _conv(inputs: int, outputs: int, stride: int = 1, kernel: int = 3) -> nn.Sequential:
    """Convolution with batch norm; keeps the size divided by the stride."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False),
        nn.BatchNorm2d(outputs),
    )


class _Residual(nn.Module):
    """Two 3x3 convolutions around a shortcut."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.first = _conv(inputs, outputs, stride)
        self.second = _conv(outputs, outputs)
        straight = stride == 1 and inputs == outputs
        self.shortcut: nn.Module = nn.Identity() if straight else _conv(inputs, outputs, stride, 1)

    def forward(self, x: Tensor) -> Tensor:
        inner: Tensor = self.second(functional.relu(self.first(x)))
        return functional.relu(inner + self.shortcut(x))


class DemoBackbone(nn.Module):
    """Residual network with a feature pyramid at strides 8, 16 and 32.

    Input (N, 3, H, W) float; output maps "0", "1", "2" of (N, 64, H/s, W/s).
    """

    out_channels: int = CHANNELS

    def __init__(self) -> None:
        super().__init__()
        c4, c8, c16, c32 = STAGES
        self.stem = nn.Sequential(_conv(3, 24, 2), nn.ReLU(), _conv(24, c4, 2), nn.ReLU())
        self.stage4 = _Residual(c4, c4, 1)
        self.stage8 = nn.Sequential(_Residual(c4, c8, 2), _Residual(c8, c8, 1))
        self.stage16 = nn.Sequential(_Residual(c8, c16, 2), _Residual(c16, c16, 1))
        self.stage32 = nn.Sequential(_Residual(c16, c32, 2), _Residual(c32, c32, 1))
        self.lateral8 = nn.Conv2d(c8, CHANNELS, 1)
        self.lateral16 = nn.Conv2d(c16, CHANNELS, 1)
        self.lateral32 = nn.Conv2d(c32, CHANNELS, 1)
        self.smooth8 = nn.Conv2d(CHANNELS, CHANNELS, 3, padding=1)
        self.smooth16 = nn.Conv2d(CHANNELS, CHANNELS, 3, padding=1)

    def forward(self, x: Tensor) -> OrderedDict[str, Tensor]:
        x8 = self.stage8(self.stage4(self.stem(x)))
        x16 = self.stage16(x8)
        p32 = self.lateral32(self.stage32(x16))
        p16 = self.lateral16(x16)
        p16 = p16 + functional.interpolate(p32, size=p16.shape[-2:], mode="nearest")
        p8 = self.lateral8(x8)
        p8 = p8 + functional.interpolate(p16, size=p8.shape[-2:], mode="nearest")
        return OrderedDict([("0", self.smooth8(p8)), ("1", self.smooth16(p16)), ("2", p32)])


def _detector(**detector_kwargs: Any) -> FCOS:
    """The untrained detector."""
    backbone = DemoBackbone()
    head = FCOSHead(CHANNELS, 1, len(CATEGORIES), num_convs=2)
    # The head passes distances through a ReLU; starting well above zero keeps
    # its gradient alive in the first steps.
    nn.init.constant_(head.regression_head.bbox_reg.bias, 1.5)
    anchors = AnchorGenerator(((8,), (16,), (32,)), ((1.0,),) * 3)
    settings: dict[str, Any] = {
        "min_size": MIN_SIZE,
        "max_size": MAX_SIZE,
        "score_thresh": 0.05,
        "nms_thresh": 0.6,
    }
    settings.update(detector_kwargs)
    return FCOS(backbone, len(CATEGORIES), anchor_generator=anchors, head=head, **settings)


def build_demo(*, weights: Path | None = WEIGHTS, **detector_kwargs: Any) -> nn.Module:
    """The demo detector in eval mode.

    Args:
        weights: safetensors file with every parameter and buffer, or None for
            an untrained network.
        detector_kwargs: passed to torchvision's `FCOS`, such as `score_thresh`.

    Returns:
        A torchvision detection model: takes a list of (3, H, W) float images
        in 0..1 and returns dictionaries of `boxes`, `labels` and `scores`,
        labels being indices into CATEGORIES.
    """
    model: nn.Module = _detector(**detector_kwargs)
    if weights is not None:
        model.load_state_dict(load_file(str(weights)), strict=True)
    model.eval()
    return model
