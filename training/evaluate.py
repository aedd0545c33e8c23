"""Average precision of labels that vidinfer wrote, judged by pycocotools.

    python -m training.evaluate traffic.labels.jsonl sample_media/traffic.coco.json

Frames are matched by number. Frames without a record count as frames in which
nothing was found. Write the labels with a low score threshold (0.05): average
precision needs the doubtful detections too.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from training.coco import average_precision


def read_detections(labels_path: Path, image_of_frame: dict[int, int]) -> list[dict[str, Any]]:
    """COCO results from a labels file, one JSON record per line."""
    found: list[dict[str, Any]] = []
    with labels_path.open(encoding="utf-8") as lines:
        for line in lines:
            record = json.loads(line)
            image = image_of_frame.get(record.get("frame", -1))
            if image is None:
                continue
            for one in record.get("objects") or []:
                x1, y1, x2, y2 = one["box"]
                found.append(
                    {
                        "image_id": image,
                        "category_id": one["label_id"],
                        "bbox": [x1, y1, x2 - x1, y2 - y1],
                        "score": one["score"],
                    }
                )
    return found


def evaluate(labels_path: Path, coco_path: Path) -> dict[str, float]:
    """AP, AP50, AP75 and figures per category of a labels file."""
    truth: dict[str, Any] = json.loads(coco_path.read_text(encoding="utf-8"))
    image_of_frame = {image.get("frame", image["id"]): image["id"] for image in truth["images"]}
    return average_precision(truth, read_detections(labels_path, image_of_frame))


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("labels", type=Path)
    parser.add_argument("coco", type=Path)
    options = parser.parse_args()
    for name, value in evaluate(options.labels, options.coco).items():
        print(f"{name:16} {value:.4f}")


if __name__ == "__main__":
    main()
