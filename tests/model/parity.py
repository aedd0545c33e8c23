"""Any builder of torchvision, with weights that answer to what they see: through vidinfer and as documented.

What torchvision does is in ``reference`` and ``networks``; from vidinfer only ``load_model`` is used.
"""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torchvision.models import get_model, get_model_builder, get_model_weights, list_models
from torchvision.models.detection.roi_heads import paste_masks_in_image
from torchvision.models.quantization.utils import quantize_model

from tests.model import reference
from tests.model.frames import scene
from tests.model.networks import CLASSES, random_detector
from tests.model.running import label, label_windows
from vidinfer.model import load_model
from vidinfer.model.registry import builders_by_task
from vidinfer.stages import Model

__all__ = ["Parity", "families", "measure"]

SIZES = ((333, 257), (160, 214))
SCORES, PIXELS, OVERLAP = 1e-4, 0.05, 0.999
"""Bounds: of scores, of boxes and flow vectors, of masks and class maps."""


@dataclass(frozen=True)
class Parity:
    """How far vidinfer and torchvision are apart, at worst."""

    name: str
    task: str
    compared: int
    """Classes, objects, pixels or vectors that were compared."""
    scores: float = 0.0
    pixels: float = 0.0
    overlap: float = 1.0
    """Share of equal pixels of class maps; intersection over union of masks."""

    @property
    def holds(self) -> bool:
        return self.scores <= SCORES and self.pixels <= PIXELS and self.overlap >= OVERLAP


def families() -> dict[str, str]:
    """The smallest builder of every architecture family: a family is a module of torchvision."""
    found: dict[str, tuple[int, str]] = {}
    for name in list_models():
        parameters = get_model_weights(name).DEFAULT.meta["num_params"]
        module = get_model_builder(name).__module__
        found[module] = min(found.get(module, (parameters, name)), (parameters, name))
    return {module: name for module, (_, name) in found.items()}


def measure(name: str) -> Parity:
    """Compare one builder on made-up pictures, two sizes for what takes pictures of any size.

    Raises:
        AssertionError: other classes, another order, another number of findings, or too little to compare.
    """
    task = next(task for task, names in builders_by_task().items() if name in names)
    compare: dict[str, Callable[[str], Parity]] = {
        "classification": _classifier,
        "quantization": _quantized,
        "detection": _detector,
        "segmentation": _segmenter,
        "video": _video,
        "optical_flow": _flow,
    }
    return compare[task](name)


def _loaded(name: str, network: nn.Module, **options: Any) -> Model:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "own.pth"
        torch.save(network.state_dict(), path)
        return load_model(name, weights=str(path), device="cpu", **options)


def _head(network: nn.Module, classes: int) -> Any:
    """The layer that gives the scores."""
    sized = [
        m
        for m in network.modules()
        if classes in (getattr(m, "out_features", 0), getattr(m, "out_channels", 0))
    ]
    return sized[-1]


def _awakened(name: str) -> nn.Module:
    torch.manual_seed(1)
    options = (
        {"init_weights": False, "transform_input": True} if "inception" in name or "googlenet" in name else {}
    )
    size = get_model_weights(name).DEFAULT.transforms().crop_size[0]
    if name.startswith("vit_"):
        options["image_size"] = size
    network = get_model(name, weights=None, **options).eval()
    reference.awaken(network, [(_head(network, 1000), 0.0, 2.0)], size)
    return network


def _classifier(name: str) -> Parity:
    network = _awakened(name)
    return _same_classes(name, "classification", network, _loaded(name, network))


def _quantized(name: str) -> Parity:
    network = _awakened(name)
    member = get_model_weights(name).DEFAULT
    with warnings.catch_warnings():  # this part of torch announces its end; torchvision still uses it
        warnings.simplefilter("ignore")
        quantize_model(network, member.meta["backend"])
    return _same_classes(name, "quantization", network, _loaded(name, network))


def _same_classes(name: str, task: str, network: nn.Module, model: Model) -> Parity:
    transforms = get_model_weights(name).DEFAULT.transforms()
    worst, compared = 0.0, 0
    for size in SIZES:
        frames = [scene(*size, seed) for seed in range(2)]
        expected = reference.classify(network, transforms, frames)
        found = label(model, frames).classes
        assert found is not None
        assert float(expected.max()) > 0.01, f"{name}: uniform scores show nothing"
        worst = max(worst, _classes_apart(name, expected, found))
        compared += found.labels.size
    return Parity(name, task, compared, scores=worst)


def _classes_apart(name: str, expected: torch.Tensor, found: Any) -> float:
    """The largest difference of scores; the order may differ among those that are closer than the bound."""
    scores, _ = expected.topk(found.labels.shape[1])
    theirs = expected.gather(1, torch.from_numpy(found.labels)).numpy()
    assert (np.diff(theirs, axis=1) <= SCORES).all(), f"{name}: another order of the classes"
    return float(max(np.abs(theirs - found.scores).max(), np.abs(scores.numpy() - found.scores).max()))


def _segmenter(name: str) -> Parity:
    torch.manual_seed(3)
    network = (
        get_model(name, weights=None, weights_backbone=None, aux_loss=True) if "lraspp" not in name else None
    )
    network = (network or get_model(name, weights=None, weights_backbone=None)).eval()
    heads = [m for m in network.modules() if isinstance(m, nn.Conv2d) and m.out_channels == 21]
    reference.awaken(network, [(layer, 0.0, 2.0) for layer in heads], 224)
    model = _loaded(name, network)
    transforms = get_model_weights(name).DEFAULT.transforms()
    worst, compared = 1.0, 0
    for size in SIZES:
        frames = [scene(*size)]
        (expected,) = reference.segment(network, transforms, frames)
        segments = label(model, frames).segments
        assert segments is not None
        assert len(expected.unique()) > 3, f"{name}: one class everywhere shows nothing"
        worst = min(worst, float((segments.class_maps[0] == expected.numpy()).mean()))
        compared += expected.numel()
    return Parity(name, "segmentation", compared, overlap=worst)


def _video(name: str) -> Parity:
    torch.manual_seed(5)
    network = get_model(name, weights=None).eval()
    transforms = get_model_weights(name).DEFAULT.transforms()
    window = load_model(name, weights="none", device="cpu").input_for(96, 80).window
    assert window is not None
    clip = [scene(96, 80, i // 4) for i in range(window.frames)]
    with torch.no_grad():  # scores of the spread that trained ones have
        logits = network(transforms(torch.stack([reference.as_tensor(rgb) for rgb in clip]))[None])
        _head(network, 400).weight.mul_(2.0 / logits.std())
    model = _loaded(name, network)
    expected = reference.classify_clip(network, transforms, clip)[None]
    found = label_windows(model, [clip]).clips
    assert found is not None
    return Parity(name, "video", found.labels.size, scores=_classes_apart(name, expected, found))


def _flow(name: str) -> Parity:
    torch.manual_seed(2)
    network = get_model(name, weights=None).eval()
    model = _loaded(name, network)
    pair = (scene(160, 128, 1), np.roll(scene(160, 128, 1), 3, axis=1))
    expected = reference.estimate_flow(
        network, get_model_weights(name).DEFAULT.transforms(), pair, [128, 160]
    )
    flow = label_windows(model, [pair]).flow
    assert flow is not None
    apart = np.abs(flow.fields[0] - expected.permute(1, 2, 0).numpy()).max()
    return Parity(name, "optical_flow", expected[0].numel(), pixels=float(apart))


def _detector(name: str) -> Parity:
    network = random_detector(name, few_proposals=False)
    frames = [scene(*SIZES[0])]
    (expected,) = reference.detect(network, get_model_weights(name).DEFAULT.transforms(), frames)
    threshold = _gap(expected["scores"].tolist())
    with tempfile.TemporaryDirectory() as folder:
        names = Path(folder) / "names.txt"
        names.write_text("".join(f"thing {i}\n" for i in range(1, CLASSES)))
        model = _loaded(name, network, labels_file=names, score_threshold=threshold)
    found = label(model, frames).objects
    keep = expected["scores"] >= threshold
    assert int(keep.sum()) >= 5, f"{name}: {int(keep.sum())} objects show too little"
    assert found is not None
    return _objects_apart(name, {key: value[keep] for key, value in expected.items()}, found)


def _gap(scores: Sequence[float], least: int = 8, most: int = 40) -> float:
    """A threshold that lies well between two scores, so that rounding does not decide what is above it."""
    sides = [
        (scores[i] - scores[i + 1], scores[i], scores[i + 1])
        for i in range(least, min(most, len(scores) - 1))
    ]
    _, above, below = max(sides)
    return (above + below) / 2


def _objects_apart(name: str, expected: dict[str, torch.Tensor], found: Any) -> Parity:
    pairs = _paired(name, expected, found)
    scores = max(abs(float(expected["scores"][i]) - float(found.scores[j])) for i, j in pairs)
    pixels = max(float(np.abs(expected["boxes"][i].numpy() - found.boxes[j]).max()) for i, j in pairs)
    overlap = 1.0
    if found.masks is not None:
        overlap = min(_mask_overlap(expected["masks"][i, 0], found, j) for i, j in pairs)
    if found.keypoints is not None:
        points = [(expected["keypoints"][i, :, :2].numpy(), found.keypoints[j, :, :2]) for i, j in pairs]
        pixels = max(pixels, float(np.median([np.abs(a - b).max() for a, b in points])))
    return Parity(name, "detection", len(pairs), scores, pixels, overlap)


def _paired(name: str, expected: dict[str, torch.Tensor], found: Any) -> Sequence[tuple[int, int]]:
    """The same objects on both sides: same label, nearest box; each once."""
    count = len(expected["scores"])
    assert len(found) == count, f"{name}: {len(found)} objects, expected {count}"
    free, pairs = set(range(count)), []
    for i in range(count):
        same = [j for j in free if found.labels[j] == int(expected["labels"][i])]
        assert same, f"{name}: an object of class {int(expected['labels'][i])} is missing"
        box, score = expected["boxes"][i].numpy(), float(expected["scores"][i])
        j = min(same, key=lambda j: np.abs(found.boxes[j] - box).max() + abs(found.scores[j] - score))
        free.discard(j)
        pairs.append((i, j))
    return pairs


def _mask_overlap(expected: torch.Tensor, found: Any, row: int) -> float:
    pasted = paste_masks_in_image(
        torch.from_numpy(found.masks[row : row + 1])[:, None],
        torch.from_numpy(found.boxes[row : row + 1]),
        tuple(expected.shape),
    )[0, 0]
    ours, theirs = pasted >= 0.5, expected >= 0.5
    union = int((ours | theirs).sum())
    return 1.0 if union == 0 else int((ours & theirs).sum()) / union
