"""Train the bundled model from nothing on the drawn pictures.

    python -m training.render_dataset --out cache
    python -m training.train_demo --data cache --out run --minutes 60

Two phases: most of the time on cut-outs, which are cheap, then on whole
pictures as the finished model sees them. `--from` goes on from an earlier
run's weights with a fresh optimiser. The learning rate follows the clock,
so the run ends when it was meant to on a busy machine too. The result is the
moving average of the weights, `demo.safetensors` in the output folder.
"""

from __future__ import annotations

import argparse
import json
import math
import queue
import threading
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor
from torchvision.models.detection.image_list import ImageList

from training.augment import Shape, make_example
from training.coco import annotation, average_precision
from vidinfer.model.demo import CATEGORIES, build_demo

Batch = tuple[Tensor, list[dict[str, Tensor]]]

CUTS = Shape(count=16, width=384, height=224, zoom=(0.78, 1.3))
WHOLE = Shape(count=10, width=512, height=288, zoom=(0.97, 1.12))
CUT_SHARE = 0.72  # of the time spent on cut-outs
AVERAGE = 0.998  # decay of the weight average per step


class Pictures:
    """The cached pictures of one split, and batches of them from a thread."""

    def __init__(self, folder: Path, split: str) -> None:
        self.images = np.load(folder / f"{split}.images.npy", mmap_mode="r")
        self.labels: list[list[dict[str, Any]]] = json.loads((folder / f"{split}.labels.json").read_text())
        self.shape = CUTS
        self.ready: queue.Queue[Batch] = queue.Queue(maxsize=4)

    def start(self, seed: int) -> None:
        """Begin preparing random batches."""
        threading.Thread(target=self._fill, args=(seed,), daemon=True).start()

    def _fill(self, seed: int) -> None:
        rng = np.random.default_rng(seed)
        cv2.setRNGSeed(seed)
        while True:
            self.ready.put(self._batch(rng, self.shape))

    def _batch(self, rng: np.random.Generator, shape: Shape) -> Batch:
        images = np.empty((shape.count, shape.height, shape.width, 3), np.uint8)
        targets = []
        for slot in range(shape.count):
            index = int(rng.integers(len(self.labels)))
            example = make_example(rng, np.asarray(self.images[index]), self.labels[index], shape)
            images[slot] = example[0]
            targets.append({"boxes": torch.from_numpy(example[1]), "labels": torch.from_numpy(example[2])})
        return torch.from_numpy(images), targets


def loss_of(model: Any, images: Tensor, targets: list[dict[str, Tensor]]) -> Tensor:
    """Sum of the detector's losses for uint8 images (N, H, W, 3).

    The network runs in bfloat16, the losses in float32.
    """
    mean = torch.tensor(model.transform.image_mean).view(1, 3, 1, 1)
    std = torch.tensor(model.transform.image_std).view(1, 3, 1, 1)
    pixels = (images.permute(0, 3, 1, 2).float() / 255 - mean) / std
    with torch.autocast("cpu", torch.bfloat16):
        features = list(model.backbone(pixels).values())
        outputs = model.head(features)
    outputs = {name: value.float() for name, value in outputs.items()}
    sizes = [(images.shape[1], images.shape[2])] * images.shape[0]
    anchors = model.anchor_generator(ImageList(pixels, sizes), features)
    per_level = [f.shape[2] * f.shape[3] for f in features]
    losses = model.compute_loss(targets, outputs, anchors, per_level)
    total: Tensor = losses["classification"] + 1.5 * losses["bbox_regression"] + losses["bbox_ctrness"]
    return total


def update_average(average: dict[str, Tensor], model: torch.nn.Module, step: int) -> None:
    """Move the averaged weights towards the current ones."""
    keep = min(AVERAGE, (1 + step) / (10 + step))
    with torch.no_grad():
        for name, value in model.state_dict().items():
            if value.is_floating_point():
                average[name].lerp_(value, 1 - keep)
            else:
                average[name].copy_(value)


def validate(weights: dict[str, Tensor], data: Pictures, count: int) -> dict[str, float]:
    """AP on the first `count` pictures of a split."""
    model = build_demo(weights=None)
    model.load_state_dict(weights)
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    found: list[dict[str, Any]] = []
    for index in range(count):
        picture = np.array(data.images[index])
        height, width = picture.shape[:2]
        images.append({"id": index, "width": width, "height": height})
        for one in data.labels[index]:
            x1, y1, x2, y2 = one["box"]
            # 1/2 of the limits of the sample clip, which has twice the pixels a side
            ignore = one["visible"] < 0.3 or min(x2 - x1, y2 - y1) < 7 or max(x2 - x1, y2 - y1) < 20
            annotations.append(annotation(len(annotations) + 1, index, one["category"], one["box"], ignore))
        with torch.inference_mode():
            out = model([torch.from_numpy(picture).permute(2, 0, 1).float() / 255])[0]
        rows = zip(out["boxes"].tolist(), out["labels"].tolist(), out["scores"].tolist(), strict=True)
        for box, label, score in rows:
            size = [box[0], box[1], box[2] - box[0], box[3] - box[1]]
            found.append({"image_id": index, "category_id": label, "bbox": size, "score": score})
    categories = [{"id": i, "name": name} for i, name in enumerate(CATEGORIES) if i]
    return average_precision({"images": images, "annotations": annotations, "categories": categories}, found)


def _rate(progress: float, step: int, peak: float, warm_up: int) -> float:
    """Learning rate: linear warm-up, then half a cosine down to a hundredth."""
    fall = 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * min(progress, 1.0)))
    return peak * fall * min(1.0, (step + 1) / warm_up)


def train(options: argparse.Namespace) -> None:
    """Run the whole training and write checkpoints while it goes."""
    data, out, minutes = options.data, options.out, options.minutes
    torch.manual_seed(options.seed)
    model = build_demo(weights=options.start_from).to(memory_format=torch.channels_last)
    model.train()
    plain = [p for p in model.parameters() if p.ndim == 1]
    heavy = [p for p in model.parameters() if p.ndim > 1]
    optimiser = torch.optim.AdamW(
        [{"params": heavy, "weight_decay": 0.03}, {"params": plain, "weight_decay": 0.0}]
    )
    average = {name: value.clone() for name, value in model.state_dict().items()}
    pictures, check = Pictures(data, "train"), Pictures(data, "val")
    pictures.start(options.seed)
    start, step, seen, mark, recent = time.monotonic(), 0, 0, 0.0, []
    while (progress := (time.monotonic() - start) / (60 * minutes)) < 1:
        pictures.shape = CUTS if progress < CUT_SHARE else WHOLE
        for group in optimiser.param_groups:
            group["lr"] = _rate(progress, step, options.rate, options.warm_up)
        images, targets = pictures.ready.get()
        loss = loss_of(model, images, targets)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(model.parameters(), 8.0)
        optimiser.step()
        step, seen = step + 1, seen + len(images)
        update_average(average, model, step)
        recent.append(float(loss.detach()))
        if step % 100 == 0:
            print(
                f"step {step} seen {seen} progress {progress:.3f} loss {np.mean(recent[-100:]):.4f}",
                flush=True,
            )
        if progress >= mark + 0.12:
            mark = progress
            save_file({k: v.contiguous() for k, v in average.items()}, out / "demo.safetensors")
            print(f"step {step} {_short(validate(average, check, 60))}", flush=True)
    save_file({k: v.contiguous() for k, v in average.items()}, out / "demo.safetensors")
    figures = validate(average, check, len(check.labels))
    print(f"end: step {step} seen {seen} {_short(figures)}", flush=True)
    summary = {"steps": step, "examples": seen, "minutes": minutes, "val": figures}
    (out / "training.json").write_text(json.dumps(summary))


def _short(figures: dict[str, float]) -> str:
    return " ".join(f"{name}={value:.3f}" for name, value in figures.items())


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--rate", type=float, default=2e-3)
    parser.add_argument("--warm-up", type=int, default=300, help="steps until the peak rate")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--from", type=Path, dest="start_from", help="weights to go on from; default: none")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    cv2.setNumThreads(1)
    options.out.mkdir(parents=True, exist_ok=True)
    train(options)


if __name__ == "__main__":
    main()
