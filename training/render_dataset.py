"""Draw the pictures the demo model is trained and checked on.

Writes to a folder: `<split>.images.npy`, uint8 (N, H, W, 3) RGB, and
`<split>.labels.json`, one list of `{category, box, visible}` per picture with
boxes in pixels x1, y1, x2, y2. Scene `i` of a split always looks the same.

    python -m training.render_dataset --out cache --scenes 2400
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from training.scenes.sample import random_scene

MOMENTS = (0.0, 1.3, 2.6)  # seconds; each scene gives one picture per moment
SEED_OF_SPLIT = {"train": 1_000_000, "val": 5_000_000}  # the sample clip's seed is in neither range


def render(seed: int, width: int, height: int) -> tuple[list[np.ndarray], list[list[dict[str, Any]]]]:
    """All moments of one scene and their labels."""
    scene = random_scene(seed, width, height)
    pictures, labels = [], []
    for moment in MOMENTS:
        picture, found = scene.render(moment)
        pictures.append(picture)
        labels.append(
            [
                {"category": one.category, "box": one.box.tolist(), "visible": round(one.visible, 3)}
                for one in found
            ]
        )
    return pictures, labels


def _work(job: tuple[str, int, int, int, int, int]) -> list[list[dict[str, Any]]]:
    """Draw scenes first..last into the already sized array on disk."""
    path, first, last, seed, width, height = job
    cv2.setNumThreads(1)
    images = np.lib.format.open_memmap(path, mode="r+")
    collected: list[list[dict[str, Any]]] = []
    for index in range(first, last):
        pictures, labels = render(seed + index, width, height)
        start = index * len(MOMENTS)
        images[start : start + len(MOMENTS)] = pictures
        collected += labels
    images.flush()
    return collected


def write_split(out: Path, split: str, scenes: int, width: int, height: int, processes: int) -> None:
    """Draw one split into `out`."""
    path = out / f"{split}.images.npy"
    shape = (scenes * len(MOMENTS), height, width, 3)
    np.lib.format.open_memmap(path, mode="w+", dtype=np.uint8, shape=shape).flush()
    step = 20
    jobs = [
        (str(path), first, min(first + step, scenes), SEED_OF_SPLIT[split], width, height)
        for first in range(0, scenes, step)
    ]
    labels: list[list[dict[str, Any]]] = []
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        for done, part in enumerate(pool.imap(_work, jobs), 1):
            labels += part
            if done % 10 == 0:
                print(f"{split}: {min(done * step, scenes)} of {scenes} scenes", flush=True)
    (out / f"{split}.labels.json").write_text(json.dumps(labels))


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--scenes", type=int, default=2400)
    parser.add_argument("--val-scenes", type=int, default=60)
    parser.add_argument("--width", type=int, default=640)
    parser.add_argument("--processes", type=int, default=2)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    height = options.width * 9 // 16
    for split, scenes in (("val", options.val_scenes), ("train", options.scenes)):
        write_split(options.out, split, scenes, options.width, height, options.processes)


if __name__ == "__main__":
    main()
