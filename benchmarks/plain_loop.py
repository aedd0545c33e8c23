"""The loop that everybody writes first: OpenCV reads, torchvision runs, one frame at a time, JSON comes out.

Its own process, sharing no code with vidinfer, so that it can be timed as a user would run it:
``python -m benchmarks.plain_loop VIDEO MODEL WEIGHTS THRESHOLD OUT``.
"""

from __future__ import annotations

import json
import sys
import time

import cv2
import torch
import torchvision
from safetensors.torch import load_file


def load(name: str, weights: str) -> torch.nn.Module:
    """A torchvision detector with the weights of a file; ``demo`` is built by its own module."""
    if name == "demo":
        from vidinfer.model.demo import build_demo  # the network only: no other code of vidinfer runs

        return build_demo().eval()
    model = torchvision.models.get_model(name, weights=None, weights_backbone=None)
    model.load_state_dict(load_file(weights))
    return model.eval()


def main() -> None:
    video, name, weights, threshold, out = sys.argv[1:6]
    model = load(name, weights)
    capture = cv2.VideoCapture(video)
    frames, started = 0, time.perf_counter()
    with open(out, "w") as labels, torch.inference_mode():  # noqa: PTH123 - as everybody writes it
        while True:
            ok, bgr = capture.read()
            if not ok:
                break
            rgb = cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)
            tensor = torch.from_numpy(rgb).permute(2, 0, 1).float() / 255
            found = model([tensor])[0]
            keep = found["scores"] >= float(threshold)
            record = {
                "frame": frames,
                "boxes": found["boxes"][keep].tolist(),
                "scores": found["scores"][keep].tolist(),
                "labels": found["labels"][keep].tolist(),
            }
            labels.write(json.dumps(record) + "\n")
            frames += 1
    print(json.dumps({"frames": frames, "seconds": time.perf_counter() - started}))


if __name__ == "__main__":
    main()
