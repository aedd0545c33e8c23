"""The bundled model on the bundled clip, through the command line, judged by the COCO evaluator itself."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from training.evaluate import evaluate

ROOT = Path(__file__).parents[2]
CLIP, TRUTH = ROOT / "sample_media" / "traffic.mp4", ROOT / "sample_media" / "traffic.coco.json"


@pytest.fixture(scope="module")
def labels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Labels of the whole clip, down to low scores as average precision wants them."""
    out = tmp_path_factory.mktemp("accuracy")
    subprocess.run(
        [
            sys.executable,
            "-m",
            "vidinfer",
            CLIP,
            "--model",
            "demo",
            "--score-threshold",
            "0.01",
            "--out",
            out,
        ],
        check=True,
        capture_output=True,
        cwd=ROOT,
    )
    return out / "traffic.labels.jsonl"


def test_average_precision(labels: Path) -> None:
    found = evaluate(labels, TRUTH)
    assert found["AP50"] >= 0.95, found
    assert found["AP"] >= 0.70, found


def test_the_truth_is_of_this_clip(labels: Path) -> None:
    truth = json.loads(TRUTH.read_text())
    frames = [json.loads(line)["frame"] for line in labels.read_text().splitlines()]
    assert sorted(image["id"] for image in truth["images"]) == frames
    assert {category["name"] for category in truth["categories"]} == {
        "car",
        "truck",
        "bus",
        "bicycle",
        "pedestrian",
    }
    assert {a["category_id"] for a in truth["annotations"]} == {1, 2, 3, 4, 5}


def test_the_weights_are_small_enough() -> None:
    assert (ROOT / "vidinfer" / "model" / "demo.safetensors").stat().st_size <= 8 * 10**6
