"""Label a clip with the demo model alone, without the rest of the program.

    python -m training.label_clip sample_media/traffic.mp4 traffic.labels.jsonl

Writes the records that `training.evaluate` reads; used to judge a checkpoint
while training.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import av
import numpy as np
import torch

from vidinfer.model.demo import CATEGORIES, WEIGHTS, build_demo


def label_clip(clip: Path, labels: Path, weights: Path, every: int) -> None:
    """Write one record per `every`-th frame."""
    model = build_demo(weights=weights)
    with av.open(str(clip)) as container, labels.open("w", encoding="utf-8") as out:
        for index, frame in enumerate(container.decode(video=0)):
            if index % every:
                continue
            pixels = torch.from_numpy(np.ascontiguousarray(frame.to_ndarray(format="rgb24")))
            with torch.inference_mode():
                found = model([pixels.permute(2, 0, 1).float() / 255])[0]
            objects = [
                {"label": CATEGORIES[label], "label_id": label, "score": score, "box": box}
                for box, label, score in zip(
                    found["boxes"].tolist(), found["labels"].tolist(), found["scores"].tolist(), strict=True
                )
            ]
            out.write(json.dumps({"frame": index, "outcome": "labelled", "objects": objects}) + "\n")


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("clip", type=Path)
    parser.add_argument("labels", type=Path)
    parser.add_argument("--weights", type=Path, default=WEIGHTS)
    parser.add_argument("--every", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(2)
    label_clip(options.clip, options.labels, options.weights, options.every)


if __name__ == "__main__":
    main()
