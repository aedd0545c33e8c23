"""The loop that everybody writes first: OpenCV reads, torchvision runs, one frame at a time, JSON comes out.

Its own process, sharing no code with vidinfer, so that it can be timed as a user would run it:
``python -m benchmarks.plain_loop VIDEO MODEL WEIGHTS THRESHOLD OUT``.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import Any

import cv2
import torch
from safetensors.torch import load_file
from torch import Tensor
from torchvision.models import get_model, get_model_weights

TOP = 5


def load(name: str, file: str) -> torch.nn.Module:
    """As ``get_model(name, weights="DEFAULT")``, which would download them, with the tensors of ``file``.

    ``demo`` is built by its own module.
    """
    if name == "demo":
        from vidinfer.model.demo import build_demo  # the network only: no other code of vidinfer runs

        return build_demo().eval()
    weights: Any = get_model_weights(name).DEFAULT
    weights.get_state_dict = lambda *_, **__: load_file(file)
    return get_model(name, weights=weights).eval()


def detector(model: torch.nn.Module, threshold: float) -> Callable[[Tensor], dict[str, Any]]:
    """Boxes that score at least ``threshold``."""

    def label(image: Tensor) -> dict[str, Any]:
        found = model([image.float() / 255])[0]
        keep = found["scores"] >= threshold
        return {name: found[name][keep].tolist() for name in ("boxes", "scores", "labels")}

    return label


def classifier(model: torch.nn.Module, name: str) -> Callable[[Tensor], dict[str, Any]]:
    """The best classes, after the weights' own preprocessing."""
    preprocess = get_model_weights(name).DEFAULT.transforms()

    def label(image: Tensor) -> dict[str, Any]:
        best = model(preprocess(image).unsqueeze(0)).squeeze(0).softmax(0).topk(TOP)
        return {"labels": best.indices.tolist(), "scores": best.values.tolist()}

    return label


def main() -> None:
    """Label one file and say how long it took."""
    video, name, weights, threshold, out = sys.argv[1:6]
    model = load(name, weights)
    detects = hasattr(model, "roi_heads") or hasattr(model, "anchor_generator")
    label = detector(model, float(threshold)) if detects else classifier(model, name)
    frames, started = 0, time.perf_counter()
    capture = cv2.VideoCapture(video)
    with open(out, "w") as labels, torch.inference_mode():  # noqa: PTH123 - as everybody writes it
        while True:
            ok, bgr = capture.read()
            if not ok:
                break
            rgb = cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)
            record = {"frame": frames} | label(torch.from_numpy(rgb).permute(2, 0, 1))
            labels.write(json.dumps(record) + "\n")
            frames += 1
    print(json.dumps({"frames": frames, "seconds": time.perf_counter() - started}))


if __name__ == "__main__":
    main()
