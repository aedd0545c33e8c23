"""The overlaid video as supervision's documentation shows it: ``process_video`` with a torchvision detector.

Its own process, sharing no code with vidinfer: ``python -m benchmarks.supervision_video VIDEO MODEL WEIGHTS THRESHOLD
OUT``, with supervision on the path (:mod:`benchmarks.beside`).
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import supervision as sv
import torch

from benchmarks.plain_loop import load


def main() -> None:
    """Annotate one file and say how long it took."""
    video, name, weights, threshold, out = sys.argv[1:6]
    model = load(name, weights)
    boxes, labels = sv.BoxAnnotator(), sv.LabelAnnotator()

    def callback(scene: np.ndarray[Any, Any], _index: int) -> np.ndarray[Any, Any]:
        rgb = cv2.cvtColor(scene, cv2.COLOR_BGR2RGB)
        with torch.inference_mode():
            found = model([torch.from_numpy(rgb).permute(2, 0, 1).float() / 255])[0]
        keep = found["scores"] >= float(threshold)
        detections = sv.Detections(
            xyxy=found["boxes"][keep].numpy(),
            confidence=found["scores"][keep].numpy(),
            class_id=found["labels"][keep].numpy(),
        )
        texts = [
            f"{label} {score:.2f}"
            for label, score in zip(detections.class_id, detections.confidence, strict=True)
        ]
        return labels.annotate(boxes.annotate(scene.copy(), detections), detections, texts)

    started = time.perf_counter()
    sv.process_video(source_path=video, target_path=out, callback=callback)
    with_frames = cv2.VideoCapture(out)
    frames = int(with_frames.get(cv2.CAP_PROP_FRAME_COUNT))
    print(
        json.dumps(
            {"frames": frames, "seconds": time.perf_counter() - started, "bytes": Path(out).stat().st_size}
        )
    )


if __name__ == "__main__":
    main()
