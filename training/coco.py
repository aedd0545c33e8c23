"""COCO average precision of boxes, quietly."""

from __future__ import annotations

import contextlib
import io
from typing import Any

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval


def average_precision(truth: dict[str, Any], found: list[dict[str, Any]]) -> dict[str, float]:
    """AP over IoU 0.50:0.95, AP50, AP75 and AP of every category.

    Args:
        truth: a COCO dictionary (images, annotations, categories).
        found: detections as COCO results: image_id, category_id, bbox as
            x, y, width, height in pixels, and score.
    """
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO()
        coco.dataset = truth
        coco.createIndex()
        if not found:
            return {"AP": 0.0, "AP50": 0.0, "AP75": 0.0}
        judge = COCOeval(coco, coco.loadRes([dict(one) for one in found]), "bbox")
        judge.evaluate()
        judge.accumulate()
        judge.summarize()
    figures = {"AP": float(judge.stats[0]), "AP50": float(judge.stats[1]), "AP75": float(judge.stats[2])}
    precision = judge.eval["precision"][:, :, :, 0, -1]  # IoU, recall, category
    for index, category in enumerate(truth["categories"]):
        values = precision[:, :, index]
        if (values > -1).any():
            figures[f"AP {category['name']}"] = float(np.mean(values[values > -1]))
            figures[f"AP50 {category['name']}"] = float(np.mean(values[0][values[0] > -1]))
    return figures


def annotation(number: int, image: int, category: int, box: list[float], ignore: bool) -> dict[str, Any]:
    """A COCO annotation from x1, y1, x2, y2 pixels; `ignore` makes it a crowd."""
    x1, y1, x2, y2 = box
    width, height = x2 - x1, y2 - y1
    return {
        "id": number,
        "image_id": image,
        "category_id": category,
        "bbox": [x1, y1, width, height],
        "area": width * height,
        "iscrowd": int(ignore),
    }
