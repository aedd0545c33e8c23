"""``python -m benchmarks.postprocessing``: what comes behind a detector's convolutions, ours against torchvision's own.

Milliseconds of processor time for each frame on one thread, medians of pairs in one process, as JSON lines. The outputs
of the convolutions are made up: background everywhere, and on it so many anchors that stand out.
"""

from __future__ import annotations

import copy
import json
import statistics
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torchvision.models import get_model
from torchvision.models.detection.image_list import ImageList
from torchvision.ops import MultiScaleRoIAlign

from vidinfer.model import anchors, dense, roi
from vidinfer.model.regions import Regions

PAIRS = 15
CLASSES = 91


class Given(nn.Module):
    """Gives what a convolution would have given."""

    def __init__(self, value: Any) -> None:
        super().__init__()
        self.value = value

    def forward(self, *_: Any) -> Any:
        return self.value


class Case(NamedTuple):
    """One comparison."""

    what: str
    frames: int
    stock: Callable[[], object]
    ours: Callable[[], object]


def main() -> None:
    """Run all, printing each as it is done."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    with torch.inference_mode():
        for case in cases():
            print(json.dumps(compared(case)), flush=True)


def cases() -> Iterator[Case]:
    """In the order of the README's table."""
    ssdlite = "ssdlite320_mobilenet_v3_large"
    strides = (16, 32, 64, 107, 160, 320)
    for found, threshold in ((0, 0.5), (10, 0.5), (1000, 0.05)):
        yield one_stage(ssdlite, (320, 320), strides, 8, found, threshold)
    pyramid = (8, 16, 32, 64, 128)
    for name in ("retinanet_resnet50_fpn", "fcos_resnet50_fpn"):
        for found, threshold in ((10, 0.5), (1000, 0.05)):
            yield one_stage(name, (800, 1088), pyramid, 2, found, threshold)
    yield anchor_case(ssdlite, (320, 320), strides, 8)
    yield from two_stage("fasterrcnn_mobilenet_v3_large_320_fpn", (320, 384), (32, 32, 64), 8)
    yield from two_stage("fasterrcnn_resnet50_fpn", (800, 1088), (4, 8, 16, 32, 64), 1)


def compared(case: Case) -> dict[str, object]:
    """Medians, and the ratio of each pair's."""
    seconds: tuple[list[float], list[float]] = ([], [])
    for _ in range(PAIRS):
        for way, spent in zip((case.stock, case.ours), seconds, strict=True):
            started = time.thread_time()
            way()
            spent.append(time.thread_time() - started)
    stock, ours = ([1000 * s / case.frames for s in spent[1:]] for spent in seconds)  # the first warms up
    return {
        "what": case.what,
        "batch": case.frames,
        "torchvision_ms": round(statistics.median(stock), 3),
        "vidinfer_ms": round(statistics.median(ours), 3),
        "ratio": round(statistics.median([s / o for s, o in zip(stock, ours, strict=True)]), 1),
    }


def one_stage(
    name: str, size: tuple[int, int], strides: tuple[int, ...], frames: int, found: int, threshold: float
) -> Case:
    """``found``: anchors of each frame that stand out."""
    stock = get_model(name, weights=None, weights_backbone=None, score_thresh=threshold).eval()
    quick = copy.copy(stock)
    dense.vectorise(quick)
    levels = maps(size, strides, frames)
    places = stock.anchor_generator(*levels)
    heads = outputs(name, places[0], frames, found)
    if not name.startswith("ssd"):
        each = [level.shape[-2] * level.shape[-1] for level in levels[1]]
        counts = [count * len(places[0]) // sum(each) for count in each]
        heads = {part: list(head.split(counts, dim=1)) for part, head in heads.items()}
        places = [list(of_one.split(counts)) for of_one in places]
    sizes = [size] * frames
    return Case(
        f"{name}, {found} anchors above {threshold}",
        frames,
        lambda: stock.postprocess_detections(heads, places, sizes),
        lambda: quick.postprocess_detections(heads, places, sizes),
    )


def outputs(name: str, places: Tensor, frames: int, found: int) -> dict[str, Any]:
    """Of a head: those that stand out do so by chance, in clusters as anchors around one object do."""
    logits = torch.randn(frames, len(places), CLASSES)
    if name.startswith("ssd"):
        logits[..., 0] += 14.0
    else:
        logits -= 12.0
    for frame in logits:
        first = torch.randint(0, len(places) - 8, (-(-found // 8),))
        cluster = (first[:, None] + torch.arange(8)).flatten()[:found]
        label = torch.randint(1, CLASSES, first.shape).repeat_interleave(8)[:found]
        frame[cluster, label] = (
            16.0 + torch.randn(found) if name.startswith("ssd") else 2 + torch.randn(found)
        )
    heads = {"cls_logits": logits, "bbox_regression": 0.3 * torch.randn(frames, len(places), 4)}
    if name.startswith("fcos"):
        heads["bbox_regression"] = heads["bbox_regression"].abs()
        heads["bbox_ctrness"] = torch.randn(frames, len(places), 1)
    return heads


def anchor_case(name: str, size: tuple[int, int], strides: tuple[int, ...], frames: int) -> Case:
    """The anchors of a batch."""
    network = get_model(name, weights=None, weights_backbone=None).eval()
    generator = network.anchor_generator
    anchors.remember(network)
    levels = maps(size, strides, frames)
    return Case(
        f"{name}: anchors", frames, lambda: generator(*levels), lambda: network.anchor_generator(*levels)
    )


def two_stage(name: str, size: tuple[int, int], strides: tuple[int, ...], frames: int) -> Iterator[Case]:
    """Proposals; regions cut out for them; boxes of what was scored there."""
    stock = get_model(name, weights=None, weights_backbone=None, box_score_thresh=0.5).eval()
    pictures, levels = maps(size, strides, frames, channels=256)
    kinds = stock.rpn.anchor_generator.num_anchors_per_location()[0]
    shapes = [(frames, kinds, *level.shape[-2:]) for level in levels]
    objectness = [2 * torch.randn(shape) - 3 for shape in shapes]
    deltas = [0.3 * torch.randn(n, 4 * k, h, w) for n, k, h, w in shapes]
    stock.rpn.head = Given((objectness, deltas))
    features = OrderedDict(
        (str(i), level.to(memory_format=torch.channels_last)) for i, level in enumerate(levels)
    )
    quick = copy.deepcopy(stock)
    anchors.remember(quick)
    roi.vectorise(quick)
    yield Case(
        f"{name}: proposals",
        frames,
        lambda: stock.rpn(pictures, features),
        lambda: quick.rpn(pictures, features),
    )
    proposals, _ = stock.rpn(pictures, features)
    sizes = [size] * frames
    pooler: MultiScaleRoIAlign = stock.roi_heads.box_roi_pool
    pooler(features, proposals, sizes)
    yield Case(
        f"{name}: regions of {len(proposals[0])} proposals",
        frames,
        lambda: pooler(features, proposals, sizes),
        lambda: Regions(features, sizes).cut(pooler, proposals),
    )
    count = sum(len(of_one) for of_one in proposals)
    scores = 2 * torch.randn(count, CLASSES)
    scores[:, 0] += 10.0
    scores[::20, 1] += 12.0
    for network in (stock, quick):
        network.roi_heads.box_roi_pool = network.roi_heads.box_head = Given(None)
        network.roi_heads.box_predictor = Given((scores, torch.randn(count, 4 * CLASSES)))
    yield Case(
        f"{name}: boxes",
        frames,
        lambda: stock.roi_heads(features, proposals, sizes),
        lambda: quick.roi_heads(features, proposals, sizes),
    )


def maps(
    size: tuple[int, int], strides: tuple[int, ...], frames: int, *, channels: int = 1
) -> tuple[ImageList, list[Tensor]]:
    """A batch, and the feature maps of each level."""
    pictures = ImageList(torch.empty(1, device="meta").expand(frames, 3, *size), [size] * frames)
    levels = [torch.randn(frames, channels, -(-size[0] // s), -(-size[1] // s)) for s in strides]
    return pictures, levels


if __name__ == "__main__":
    main()
