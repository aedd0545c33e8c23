"""Weights that behave like trained ones, made from a seed and the sample clip: real ones need a download.

A random network in evaluation mode says nearly the same of everything, and magnifies rounding a hundredfold: no reduced
precision would be exact for it. So pieces of the sample clip are shown to it once, and layer by layer it is given what
training leaves behind: each layer looks at the few directions in which its input really varies, blocks add to what
they are given rather than replace it, batch norms know the statistics, and layers without one give values of a usual
mean and spread. The background of a detector is then raised until as many boxes score 0.5 as a street scene would
give. What the labels say is noise; how much work they make, and how exact they stay, is not.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import av
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torchvision.models import get_model, get_model_weights

from benchmarks.clips import FOLDER, SAMPLE

RECIPE = 4
"""In the name of the file: another recipe is another file."""
OBJECTS = 5.0
"""Boxes per frame that score at least ``THRESHOLD``, on average."""
THRESHOLD = 0.5
SPREAD = {"ssdlite320_mobilenet_v3_large": 1.5, "fasterrcnn_mobilenet_v3_large_320_fpn": 2.0, "resnet50": 9.0}
"""Standard deviation of the logits of one class. In ssdlite some 750 of the 291,000 then score 0.001, which leaves
the full 300 boxes that torchvision allows, as it does with trained weights."""
KEPT = 0.8
"""Share of the variance of a layer's input that lies in the directions it looks at."""
FEWEST = 16
"""Directions that a layer which judges single boxes looks at at least, and at all of them alike: the regions of a
street differ little, and not only in one way."""
SAMPLES = 1024
"""Positions from which those directions are found."""
ADDED = 0.5
"""Spread of what a block adds, next to what it adds it to."""
CLASSES = 91
QUIET = 25.0
"""Added to the background: then nothing scores even the 0.001 from which torchvision's ssdlite sorts boxes."""


def trained_like(name: str, *, quiet: bool = False) -> Path:
    """A safetensors file for the builder ``name``, one of ``SPREAD``, made when first asked for.

    Args:
        quiet: a detector that finds nothing, the best case of a post-processing that costs more the more there is.
    """
    path = FOLDER / f"{name}-recipe{RECIPE}{'-quiet' if quiet else ''}.safetensors"
    if not path.exists():
        FOLDER.mkdir(parents=True, exist_ok=True)
        network = make(name)
        for layer in _scoring(network) if quiet else ():
            _background(layer).add_(QUIET)
        partial_file = path.with_suffix(".partial")
        save_file(
            {key: value.contiguous() for key, value in _as_trained(name, network).items()}, partial_file
        )
        partial_file.rename(path)
    return path


def make(name: str) -> nn.Module:
    """The network, in evaluation mode."""
    torch.manual_seed(0)
    options: dict[str, Any] = {} if name == "resnet50" else {"weights_backbone": None}
    network = get_model(name, weights=None, **options).eval().requires_grad_(False)
    if name == "resnet50":
        show = get_model_weights(name).DEFAULT.transforms()
        _learn(
            network, [(network.fc, 0.0, SPREAD[name])], torch.stack([show(piece) for piece in _pieces(64)])
        )
        return network
    _learn(network, _layers(network, SPREAD[name]), [piece / 255 for piece in _pieces(32)])
    _raise_background(network, [frame / 255 for frame in _frames(16)])
    return network


def _as_trained(name: str, network: nn.Module) -> dict[str, Tensor]:
    """torchvision trains its Faster R-CNN with frozen batch norms, which keep no count."""
    state = network.state_dict()
    if "rcnn" not in name:
        return state
    return {key: value for key, value in state.items() if not key.endswith("num_batches_tracked")}


def _learn(network: Any, layers: Sequence[tuple[Any, float, float]], pictures: Any) -> None:
    """One pass in which every layer is set before the next one sees what it gives."""
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None
        norm.train()
    for norm in _last_of_blocks(network):
        norm.weight.fill_(ADDED)
    hooks: dict[tuple[str, int], Any] = {}
    judging = list(network.roi_heads.modules()) if hasattr(network, "roi_heads") else []
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear) and getattr(layer, "groups", 1) == 1:
            look = partial(_concentrate, hooks, layer in judging)
            hooks["in", id(layer)] = layer.register_forward_pre_hook(look)
    for layer, mean, spread in layers:
        hooks["out", id(layer)] = layer.register_forward_hook(partial(_standardise, hooks, mean, spread))
    network(pictures)
    for norm in norms:
        norm.eval()


def _last_of_blocks(network: nn.Module) -> Iterator[Any]:
    """Batch norms whose output is added to something."""
    for name, module in network.named_modules():
        if (
            isinstance(module, nn.Sequential)
            and "downsample" not in name
            and isinstance(module[-1], nn.BatchNorm2d)
        ):
            yield module[-1]
        elif name.endswith("bn3"):
            yield module


def _concentrate(hooks: dict[tuple[str, int], Any], alike: bool, layer: Any, args: tuple[Tensor]) -> None:
    """Project the weights onto the principal components of the input: all else in it is mostly rounding."""
    hooks.pop(("in", id(layer))).remove()
    seen = args[0].transpose(0, 1).flatten(1)  # (channels, positions)
    seen = seen[:, :: max(1, seen.shape[1] // SAMPLES)]
    directions, strengths, _ = torch.linalg.svd(seen - seen.mean(1, keepdim=True), full_matrices=False)
    variance = strengths.square().cumsum(0)
    few = int((variance < KEPT * variance[-1]).sum()) + 1
    share = torch.ones(few)
    if alike:
        few = max(few, FEWEST)
        share = strengths[0] / strengths[:few]
    directions = directions[:, :few]
    layer.weight.copy_(torch.einsum("oi...,ik,k,jk->oj...", layer.weight, directions, share, directions))


def _standardise(
    hooks: dict[tuple[str, int], Any], mean: float, spread: float, layer: Any, _: Any, out: Tensor
) -> Tensor:
    """Give each channel ``mean``, all together ``spread``; a layer used at many scales is set at the first."""
    hooks.pop(("out", id(layer))).remove()
    channels = out.transpose(0, 1).flatten(1)  # (c, everything else)
    centre = channels.mean(1)
    factor = spread / float((channels - centre[:, None]).std())
    layer.weight.mul_(factor)
    if layer.bias is None:
        return out * factor
    shift = mean - centre * factor
    layer.bias.mul_(factor).add_(shift)
    return out * factor + shift.view(-1, *[1] * (out.dim() - 2))


def _layers(network: Any, spread: float) -> list[tuple[Any, float, float]]:
    """Layers of a detector that no batch norm follows: mean and spread of what each gives."""
    if not hasattr(network, "roi_heads"):
        placing = [block[-1] for block in network.head.regression_head.module_list]
        return [(layer, 0.0, spread) for layer in _scoring(network)] + [
            (layer, 0.0, 0.35) for layer in placing
        ]
    inside = [network.backbone.fpn, network.rpn.head.conv, network.roi_heads.box_head]
    plain = [m for part in inside for m in part.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    proposing, boxes = network.rpn.head, network.roi_heads.box_predictor
    return [
        *((layer, 0.0, 1.0) for layer in plain),
        (proposing.cls_logits, 0.0, 2.0),
        (proposing.bbox_pred, 0.0, 0.3),
        (boxes.cls_score, 0.0, spread),
        (boxes.bbox_pred, 0.0, 0.35),
    ]


def _scoring(network: Any) -> list[Any]:
    if hasattr(network, "roi_heads"):
        return [network.roi_heads.box_predictor.cls_score]
    return [block[-1] for block in network.head.classification_head.module_list]


def _background(layer: Any) -> Tensor:
    """The biases of the class "background", one per anchor; a view."""
    return layer.bias.view(-1, CLASSES)[:, 0]


def _raise_background(network: Any, frames: list[Tensor]) -> None:
    """The same everywhere, and by bisection until as many boxes are found as ``OBJECTS`` says."""
    holder = getattr(network, "roi_heads", network)
    usual, holder.score_thresh = holder.score_thresh, THRESHOLD
    for layer in _scoring(network):
        layer.weight.view(-1, CLASSES, *layer.weight.shape[1:])[:, 0] = 0.0
    low, high, now = 0.0, 64.0, 0.0
    for _ in range(12):
        middle = (low + high) / 2
        for layer in _scoring(network):
            _background(layer).add_(middle - now)
        now = middle
        found = sum(len(one["scores"]) for one in network(frames)) / len(frames)
        low, high = (middle, high) if found > OBJECTS else (low, middle)
    holder.score_thresh = usual


def _frames(count: int) -> Iterator[Tensor]:
    """Frames ``(3, h, w)`` uint8, spread over the sample clip."""
    with av.open(str(SAMPLE)) as source:
        apart = source.streams.video[0].frames // count
        some = itertools.islice(source.decode(video=0), 0, None, apart)
        for frame in itertools.islice(some, count):
            yield torch.from_numpy(frame.to_ndarray(format="rgb24")).permute(2, 0, 1)


def _pieces(count: int) -> Iterator[Tensor]:
    """Parts of frames in the frame's shape, every other one the whole: one camera alone shows too little."""
    frames = list(_frames(16))
    chance = torch.Generator().manual_seed(0)
    for i in range(count):
        frame = frames[i % len(frames)]
        part = 1.0 if i % 2 else 0.3 + 0.5 * float(torch.rand((), generator=chance))
        height, width = (round(side * part) for side in frame.shape[1:])
        top = int(torch.randint(frame.shape[1] - height + 1, (), generator=chance))
        left = int(torch.randint(frame.shape[2] - width + 1, (), generator=chance))
        yield frame[:, top : top + height, left : left + width]
