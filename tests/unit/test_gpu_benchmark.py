"""The benchmark for GPUs where there is none, and what becomes of a part that fails."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import gpu

ROOT = Path(__file__).parents[2]


def test_without_a_gpu_it_says_so_and_the_table_is_empty(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.gpu", tmp_path / "table.md"],
        cwd=ROOT, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{gpu.NO_DEVICE}\n\n{gpu.HEAD}\n"
    assert (tmp_path / "table.md").read_text() == f"{gpu.HEAD}\n"


def test_a_part_that_fails_is_a_line_of_the_table(tmp_path: Path) -> None:
    (line,) = gpu._part("nonsense", str(tmp_path), 60)
    assert line == {"part": "nonsense", "what": "failed", "remarks": "KeyError: 'nonsense'"}
    assert gpu._row(line) == "| nonsense | failed |  |  | KeyError: 'nonsense' |"


def test_the_share_is_of_the_slower_of_decoding_and_the_model() -> None:
    lines = [
        {"part": "nvdec", "what": "NVDEC, 1 sessions", "figure": 1000.0, "unit": "frames/s"},
        {"part": "nvdec", "what": "NVDEC, 7 sessions", "figure": 5000.0, "unit": "frames/s"},
        {"part": "runs", "what": "labels", "figure": 3600.0, "unit": "frames/s", "decoded_by": "nvdec",
         "model_only": 4000.0},
        {"part": "runs", "what": "failed", "remarks": "no memory"},
    ]  # fmt: skip
    (row,) = gpu._shares(lines)
    assert "| 0.90 | of the bound | bound 4000 frames/s: decode-only 5000 by nvdec, model-only 4000 |" in row
