"""The networks of the hand-tuned script: the dense part for OpenVINO, and what is left for numpy."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import openvino as ov
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file
from torch import Tensor, nn
from torchvision.models import get_model, get_model_weights
from torchvision.models.detection.image_list import ImageList
from torchvision.models.detection.rpn import concat_box_prediction_layers
from torchvision.ops import batched_nms

from benchmarks.clips import FOLDER
from benchmarks.hand_tuned_resize import AntialiasedCrop, Bilinear

FARTHEST = math.log(1000 / 16)
"""torchvision's limit to how much a box may outgrow its anchor."""


STREAMS = os.cpu_count() or 1
"""One thread each: on a few cores that beats many threads in one batch."""


def compiled(dense: nn.Module, example: Tensor, shape: list[int], kept: Path, streams: int) -> Any:
    """A network in OpenVINO; the converted one is kept."""
    core = ov.Core()
    if not kept.exists():
        ov.save_model(ov.convert_model(dense, example_input=example), kept, compress_to_fp16=False)
    model = core.read_model(kept)
    model.reshape(shape)
    bf16 = "BF16" in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    return core.compile_model(
        model,
        "CPU",
        {
            "INFERENCE_PRECISION_HINT": "bf16" if bf16 else "f32",
            "NUM_STREAMS": streams,
            "INFERENCE_NUM_THREADS": streams,
            "ENABLE_CPU_PINNING": False,  # the decoder's threads must run somewhere, too
        },
    )


class Network(Protocol):
    """One model on frames of one size."""

    version: str
    batch: int
    dense: nn.Module
    example: Tensor
    prepare: Callable[[Any, NDArray[Any]], None]

    def records(self, outputs: list[NDArray[Any]]) -> Iterator[dict[str, Any]]:
        """What to write of each frame."""
        ...


def _loaded(name: str, weights: Path, **options: Any) -> Any:
    network = get_model(name, weights=None, **options)
    network.load_state_dict(load_file(weights))
    return network.eval().requires_grad_(False)


class _DenseSsd(nn.Module):
    """Up to the scores. Each level's output is read as it lies in memory, by pixel, so nothing is transposed."""

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.network = network

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """``(n, h, w, 4)``, the fourth not used, to offsets ``(n, anchors, 4)`` and scores ``(n, anchors, c)``."""
        features = list(self.network.backbone(pixels[..., :3].permute(0, 3, 1, 2)).values())
        heads = (self.network.head.regression_head, 4), (self.network.head.classification_head, 91)
        offsets, logits = (
            torch.cat([block(level).permute(0, 2, 3, 1).reshape(level.shape[0], -1, wide)
                       for block, level in zip(head.module_list, features, strict=True)], 1)
            for head, wide in heads
        )  # fmt: skip
        return offsets, logits.softmax(-1)


class Ssdlite:
    """ssdlite320_mobilenet_v3_large."""

    version, batch = "dense1", 4

    def __init__(self, weights: Path, source: tuple[int, int], threshold: float) -> None:
        network = _loaded("ssdlite320_mobilenet_v3_large", weights, weights_backbone=None)
        transform, side = network.transform, network.transform.fixed_size[0]
        self.dense, self.example = _DenseSsd(network), torch.rand(self.batch, side, side, 4)
        self.prepare = Bilinear(source, (side, side), transform.image_mean, transform.image_std)
        features = list(network.backbone(torch.zeros(1, 3, side, side)).values())
        anchors = network.anchor_generator(
            ImageList(torch.zeros(1, 3, side, side), [(side, side)]), features
        )[0]
        self._anchors, self._side = anchors.numpy(), side
        self._scale = np.array([source[1], source[0]] * 2, np.float32) / np.float32(side)
        self._threshold, self._overlap, self._most = threshold, network.nms_thresh, network.detections_per_img

    def records(self, outputs: list[NDArray[Any]]) -> Iterator[dict[str, Any]]:
        """Boxes, scores and labels of each frame, best first."""
        offsets, scores = outputs
        # A class can only reach the threshold where the background leaves it that much: few anchors, found at once.
        frame, anchor = np.nonzero(scores[..., 0] <= 1 - self._threshold + 1e-6)
        row, label = np.nonzero(scores[frame, anchor, 1:] >= self._threshold)
        frame, anchor, label = frame[row], anchor[row], label + 1
        score = scores[frame, anchor, label]
        boxes = self._boxes(offsets[frame, anchor], self._anchors[anchor])
        groups = torch.from_numpy(frame * scores.shape[2] + label)
        kept = batched_nms(
            torch.from_numpy(boxes).double(), torch.from_numpy(score).double(), groups, self._overlap
        )
        kept = kept.numpy()
        kept = kept[np.argsort(frame[kept], kind="stable")]
        cuts = np.searchsorted(frame[kept], np.arange(1, len(scores)))
        for one in np.split(kept, cuts):
            one = one[: self._most]
            yield {
                "boxes": np.round(boxes[one].astype(np.float64) * self._scale, 2).tolist(),
                "scores": np.round(score[one].astype(np.float64), 4).tolist(),
                "labels": label[one].tolist(),
            }

    def _boxes(self, offsets: NDArray[np.float32], anchors: NDArray[np.float32]) -> NDArray[np.float32]:
        sides = anchors[:, 2:] - anchors[:, :2]
        centre = offsets[:, :2] / 10 * sides + anchors[:, :2] + 0.5 * sides
        half = 0.5 * np.exp(np.minimum(offsets[:, 2:] / 5, FARTHEST)) * sides
        return np.clip(np.concatenate([centre - half, centre + half], 1), 0, self._side)


class _DenseResnet(nn.Module):
    def __init__(self, network: nn.Module, mean: Any, std: Any) -> None:
        super().__init__()
        self.network, self.mean, self.std = (
            network,
            torch.tensor(mean).view(3, 1, 1),
            torch.tensor(std).view(3, 1, 1),
        )

    def forward(self, pixels: Tensor) -> Tensor:
        """``(n, 3, h, w)`` uint8 to logits: a softmax in here would see them rounded to bf16."""
        return self.network((pixels.float() / 255 - self.mean) / self.std)


class Resnet50:
    """resnet50, the five best classes."""

    version, batch = "dense1", 4

    def __init__(self, weights: Path, source: tuple[int, int], threshold: float) -> None:
        del threshold
        preset = get_model_weights("resnet50").DEFAULT.transforms()
        (crop,), (shorter,) = preset.crop_size, preset.resize_size
        self.dense = _DenseResnet(_loaded("resnet50", weights), preset.mean, preset.std)
        self.example = torch.zeros(self.batch, 3, crop, crop, dtype=torch.uint8)
        self.prepare = AntialiasedCrop(source, shorter, crop)

    def records(self, outputs: list[NDArray[Any]]) -> Iterator[dict[str, Any]]:
        """Classes and their probabilities, best first."""
        for logits in outputs[0].astype(np.float64):
            best = np.argpartition(logits, -5)[-5:]
            best = best[np.argsort(-logits[best])]
            powers = np.exp(logits - logits[best[0]])
            yield {"labels": best.tolist(), "scores": np.round(powers[best] / powers.sum(), 4).tolist()}


class _DenseRcnn(nn.Module):
    def __init__(self, network: Any) -> None:
        super().__init__()
        self.backbone, self.head = network.backbone, network.rpn.head

    def forward(self, pixels: Tensor) -> tuple[Tensor, ...]:
        """``(n, h, w, 4)``, the fourth not used, to features, objectness and offsets of each level."""
        features = list(self.backbone(pixels[..., :3].permute(0, 3, 1, 2)).values())
        objectness, offsets = self.head(features)
        return *features, *objectness, *offsets


class FasterRcnn:
    """fasterrcnn_mobilenet_v3_large_320_fpn: the two dense parts in OpenVINO, torchvision's own code between them."""

    version, batch = "dense1", 4

    def __init__(self, weights: Path, source: tuple[int, int], threshold: float) -> None:
        self._network = _loaded("fasterrcnn_mobilenet_v3_large_320_fpn", weights, weights_backbone=None)
        images, _ = self._network.transform([torch.zeros(3, *source)])
        (self._size,), padded = images.image_sizes, images.tensors.shape[-2:]
        self.dense, self.example = _DenseRcnn(self._network), torch.rand(self.batch, *padded, 4)
        transform = self._network.transform
        self.prepare = Bilinear(source, self._size, transform.image_mean, transform.image_std)
        self._scale = np.array([source[1] / self._size[1], source[0] / self._size[0]] * 2)
        heads = self._network.roi_heads
        heads.score_thresh = threshold - 1e-6
        judge = nn.Sequential(heads.box_head, heads.box_predictor)
        regions = torch.rand(8, self._network.backbone.out_channels, 7, 7)
        self._judge = compiled(
            judge, regions, [-1, *regions.shape[1:]], FOLDER / f"{weights.stem}-judge1.xml", 1
        )

    def records(self, outputs: list[NDArray[Any]]) -> Iterator[dict[str, Any]]:
        """Boxes, scores and labels of each frame, best first."""
        network, heads = self._network, self._network.roi_heads
        tensors = [torch.from_numpy(output) for output in outputs]
        features, objectness, offsets = tensors[:3], tensors[3:6], tensors[6:]
        sizes = [self._size] * len(features[0])
        images = ImageList(torch.empty(len(sizes), 3, *self.example.shape[1:3]), sizes)
        anchors = network.rpn.anchor_generator(images, features)
        per_level = [level[0].numel() for level in objectness]
        scores, moves = concat_box_prediction_layers(objectness, offsets)
        proposals = network.rpn.box_coder.decode(moves, anchors).view(len(sizes), -1, 4)
        proposals, _ = network.rpn.filter_proposals(proposals, scores, sizes, per_level)
        names = list(heads.box_roi_pool.featmap_names)
        regions = heads.box_roi_pool(dict(zip(names, features, strict=False)), proposals, sizes)
        logits, moves = (torch.from_numpy(value) for value in self._judge(regions.numpy()).values())
        for boxes, score, label in zip(
            *heads.postprocess_detections(logits, moves, proposals, sizes), strict=True
        ):
            yield {
                "boxes": np.round(boxes.double().numpy() * self._scale, 2).tolist(),
                "scores": np.round(score.double().numpy(), 4).tolist(),
                "labels": label.tolist(),
            }


BUILT: dict[str, Callable[[Path, tuple[int, int], float], Network]] = {
    "ssdlite320_mobilenet_v3_large": Ssdlite,
    "resnet50": Resnet50,
    "fasterrcnn_mobilenet_v3_large_320_fpn": FasterRcnn,
}
