"""Torchvision as its own documentation uses it, one picture at a time. Shares no code with vidinfer."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torchvision.transforms import functional as F

from tests.model.frames import scene


def as_tensor(rgb: NDArray[np.uint8]) -> Tensor:
    """``(3, H, W)`` uint8."""
    return torch.from_numpy(rgb).permute(2, 0, 1).contiguous()


def detect(
    network: nn.Module, transforms: Any, frames: Iterable[NDArray[np.uint8]]
) -> list[dict[str, Tensor]]:
    """``weights.transforms()``, then the model, for each frame on its own."""
    with torch.inference_mode():
        return [network([transforms(as_tensor(rgb))])[0] for rgb in frames]


def classify(network: nn.Module, transforms: Any, frames: Iterable[NDArray[np.uint8]]) -> Tensor:
    """``(n, classes)`` probabilities."""
    with torch.inference_mode():
        return torch.cat([network(transforms(as_tensor(rgb))[None]).softmax(1) for rgb in frames])


def segment(network: nn.Module, transforms: Any, frames: Iterable[NDArray[np.uint8]]) -> list[Tensor]:
    """``(h, w)``: the likeliest class of each pixel, for each frame on its own."""
    with torch.inference_mode():
        return [network(transforms(as_tensor(rgb))[None])["out"][0].argmax(0) for rgb in frames]


def classify_clip(network: nn.Module, transforms: Any, frames: Sequence[NDArray[np.uint8]]) -> Tensor:
    """``(classes,)`` probabilities of one clip."""
    clip = torch.stack([as_tensor(rgb) for rgb in frames])
    with torch.inference_mode():
        return network(transforms(clip)[None]).softmax(1)[0]


def estimate_flow(
    network: nn.Module, transforms: Any, pair: tuple[NDArray[np.uint8], NDArray[np.uint8]], size: list[int]
) -> Tensor:
    """``(2, h, w)`` in pixels of pictures resized to ``size``, as torchvision's example of RAFT does it."""
    first, second = (F.resize(as_tensor(rgb)[None], size=size, antialias=False) for rgb in pair)
    with torch.inference_mode():
        return network(*transforms(first, second))[-1][0]


def awaken(network: nn.Module, heads: Sequence[tuple[nn.Module, float, float]], size: int) -> None:
    """Make random weights answer to what they see, in place: trained-like scales without training.

    Batch norms learn the statistics of some pictures; then each head ``(layer, mean, spread)`` is scaled so that
    its outputs on them have that mean and spread.
    """
    pictures = torch.stack([as_tensor(scene(size, size, seed)) for seed in range(2)]).float() / 255
    with torch.no_grad():
        norms = [m for m in network.modules() if isinstance(m, nn.BatchNorm2d)]
        for norm in norms:
            norm.momentum = None
            norm.reset_running_stats()
            norm.train()
        _pass(network, pictures)
        for norm in norms:
            norm.eval()
        seen: list[list[Tensor]] = [[] for _ in heads]
        hooks = [_watch(layer, kept) for (layer, _, _), kept in zip(heads, seen, strict=True)]
        _pass(network, pictures)
        for hook in hooks:
            hook.remove()
        for (layer, mean, spread), kept in zip(heads, seen, strict=True):
            _rescale(layer, mean, spread, torch.cat(kept))


def _pass(network: Any, pictures: Tensor) -> None:
    if not hasattr(network, "transform"):
        network((pictures - 0.45) / 0.225)
        return
    holder = getattr(network, "roi_heads", network)
    before, holder.score_thresh = holder.score_thresh, 2.0  # nothing passes: no time for post-processing
    network([*pictures])
    holder.score_thresh = before


def _watch(layer: Any, kept: list[Tensor]) -> Any:
    nn.init.normal_(layer.weight, std=0.05)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer.register_forward_hook(lambda _m, _a, out: kept.append(out.detach().flatten()))


def _rescale(layer: Any, mean: float, spread: float, values: Tensor) -> None:
    factor = float(spread / values.std())
    layer.weight *= factor
    if layer.bias is None:
        return
    nn.init.normal_(layer.bias, mean=mean - float(values.mean()) * factor, std=0.5 * spread)


def assert_same_objects(
    found: Any, expected: Sequence[dict[str, Tensor]], threshold: float, *, least: int
) -> None:
    """``found`` (columns of a batch) are ``expected`` (one dictionary per frame) from ``threshold`` up.

    Same labels, scores within 1e-4, boxes within 0.05 pixels; in all at least ``least``, or nothing was shown.
    """
    assert len(found.offsets) == len(expected) + 1
    assert len(found) >= least, f"only {len(found)} objects: this shows nothing"
    for i, reference in enumerate(expected):
        rows = found.rows(i, i + 1)
        keep = reference["scores"] >= threshold
        scores, boxes, labels = (reference[k][keep].numpy() for k in ("scores", "boxes", "labels"))
        assert len(rows) == len(scores), f"frame {i}: {len(rows)} objects, expected {len(scores)}"
        assert (np.diff(rows.scores) <= 0).all(), "not best first"
        free = set(range(len(rows)))
        for score, box, label in zip(scores, boxes, labels, strict=True):
            match = next(
                (
                    j
                    for j in free
                    if rows.labels[j] == label
                    and abs(rows.scores[j] - score) <= 1e-4
                    and np.abs(rows.boxes[j] - box).max() <= 0.05
                ),
                None,
            )
            assert match is not None, f"frame {i}: no {label} {score} {box} among {rows}"
            free.discard(match)
