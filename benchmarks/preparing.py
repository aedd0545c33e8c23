"""``python -m benchmarks.preparing``: what a frame costs the decoding thread, step by step, as JSON lines.

One thread, 1080p H.264. Each step is timed many times in turn with the others; the figures are medians of the
thread's own processor time. ``torchvision`` is what its own calls take for the same numbers.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from pathlib import Path

import numpy as np
import torch
from torchvision.models import get_model_weights
from torchvision.models.detection.transform import GeneralizedRCNNTransform
from torchvision.transforms.functional import center_crop, resize

from benchmarks.clips import scaled
from vidinfer.feeder import fill_for
from vidinfer.frame import Frame, Picture, ScalablePicture
from vidinfer.model.classification import ClassificationPreset
from vidinfer.model.geometry import DetectionInput
from vidinfer.model.inputs import picture_tensor
from vidinfer.model.segmentation import SegmentationInput
from vidinfer.source import open_source
from vidinfer.stages import ModelInput

WIDTH, HEIGHT, FRAMES = 1920, 1080, 120
ROUNDS, IN_A_ROW, DECODINGS = 10, 8, 5
CPU = torch.device("cpu")

Step = Callable[[], object]


def main() -> int:
    """Measure and print."""
    for name, figures in measure().items():
        print(json.dumps({name: figures}), flush=True)
    return 0


def measure() -> Mapping[str, Mapping[str, float]]:
    """Milliseconds a frame."""
    torch.set_num_threads(1)
    clip = scaled(WIDTH, HEIGHT, FRAMES)
    picture = list(_frames(clip, fast=False))[FRAMES // 2].picture
    rgb = np.array(picture.rgb())
    steps: dict[str, dict[str, Step]] = {"to rgb24": {"exact": picture.rgb}}
    for name, spec, torchvisions in _models(rgb):
        steps[name] = {
            "exact": _exact(spec, rgb),
            "exact, with conversion": _from_picture(spec, picture),
            "fast, with conversion": _fast(spec, picture),
            "torchvision": torchvisions,
        }
    found: dict[str, Mapping[str, float]] = {"decode": _decoding(clip)}
    for name, figures in _times(steps).items():
        found[name] = figures
        if "torchvision" in figures:
            ratio = round(figures["torchvision"] / figures["exact"], 2)
            found[name] = figures | {"torchvision/exact": ratio}
    return found


def _models(rgb: np.ndarray) -> Iterator[tuple[str, ModelInput, Step]]:
    """Name, input, and torchvision's own way to the same numbers."""
    ssd = GeneralizedRCNNTransform(320, 320, [0.5] * 3, [0.5] * 3, size_divisible=1, fixed_size=(320, 320))
    detection = DetectionInput(ssd, CPU)
    yield (
        "bilinear 320x320, normalised (ssdlite320)",
        detection.model_input(detection.geometry(WIDTH, HEIGHT)),
        lambda: ssd([picture_tensor(rgb).float().div(255.0)]),
    )
    resnet = get_model_weights("resnet50").IMAGENET1K_V2.transforms()
    yield (
        "antialiased 232, crop 224 (resnet50)",
        ClassificationPreset.of(resnet).model_input(WIDTH, HEIGHT),
        lambda: center_crop(resize(picture_tensor(rgb), [232], antialias=True), [224]),
    )
    segmenter = get_model_weights("lraspp_mobilenet_v3_large").DEFAULT.transforms()
    yield (
        "antialiased 520 (lraspp)",
        SegmentationInput(segmenter, CPU).input_for(WIDTH, HEIGHT),
        lambda: resize(picture_tensor(rgb), [520], antialias=True),
    )


def _exact(spec: ModelInput, rgb: np.ndarray) -> Step:
    place = np.empty(spec.shape, spec.dtype)
    return lambda: spec.prepare(rgb, place)


def _from_picture(spec: ModelInput, picture: Picture) -> Step:
    place, fill = np.empty(spec.shape, spec.dtype), fill_for(spec)
    return lambda: fill(picture, place)


def _fast(spec: ModelInput, picture: Picture) -> Step:
    place, small = np.empty(spec.shape, spec.dtype), spec.scaled
    assert small is not None
    assert isinstance(picture, ScalablePicture)
    height, width = small.size
    return lambda: small.prepare(picture.rgb_scaled(width, height, smooth=small.smooth), place)


def _times(steps: Mapping[str, Mapping[str, Step]]) -> dict[str, dict[str, float]]:
    taken: dict[str, dict[str, list[float]]] = {
        name: {way: [] for way in ways} for name, ways in steps.items()
    }
    with torch.inference_mode():
        for _ in range(ROUNDS):
            for name, ways in steps.items():
                for way, step in ways.items():
                    step()  # in a run it is all that this thread does: its memory is at hand
                    for _ in range(IN_A_ROW):
                        began = time.thread_time()
                        step()
                        taken[name][way].append(time.thread_time() - began)
    return {name: {way: _ms(seconds) for way, seconds in ways.items()} for name, ways in taken.items()}


def _decoding(clip: Path) -> dict[str, float]:
    taken: dict[str, list[float]] = {"exact": [], "fast": []}
    for _ in range(DECODINGS):
        for way, seconds in taken.items():
            began = time.thread_time()
            count = sum(1 for _ in _frames(clip, fast=way == "fast"))
            seconds.append((time.thread_time() - began) / count)
    return {way: _ms(seconds) for way, seconds in taken.items()}


def _frames(clip: Path, *, fast: bool) -> Iterator[Frame]:
    with closing(open_source(clip, name=clip.name, threads=1, fast=fast)) as source:
        yield from (item for item in source if isinstance(item, Frame))


def _ms(seconds: list[float]) -> float:
    return round(1000 * statistics.median(seconds), 3)


if __name__ == "__main__":
    sys.exit(main())
