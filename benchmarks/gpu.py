"""What one GPU does with 1080p H.264: ``python -m benchmarks.gpu [OUT.md]``, from a checkout; under 8 minutes.

Installs nothing and downloads nothing: networks with random weights, a clip that it makes itself. Every part runs in a
process of its own with a limit, prints JSON lines as it measures, and takes nothing with it when it fails. At the end
comes a Markdown table, on standard output and, where a file is named, there.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
TOTAL_SECONDS = 460
PARTS: Mapping[str, int] = {
    "context": 40,
    "clip": 40,
    "copies": 25,
    "decode": 45,
    "nvdec": 60,
    "precisions": 60,
    "model ssdlite320_mobilenet_v3_large": 80,
    "model resnet50": 50,
    "model fasterrcnn_mobilenet_v3_large_320_fpn": 50,
    "runs": 100,
}
"""Most seconds for each; together more than there are, as few need all of theirs."""
NO_DEVICE = "no CUDA device that torch can use: nothing to measure"
HEAD = "| part | what | figure | unit | remarks |\n|---|---|---:|---|---|"

Line = dict[str, Any]


def main(arguments: Sequence[str]) -> int:
    """Run all parts, or one of them: ``--part NAME FOLDER SECONDS``."""
    if arguments[:1] == ["--part"]:
        from benchmarks.gpu_parts import run_part

        name, folder, seconds = arguments[1:]
        run_part(name, Path(folder), float(seconds))
        return 0
    lines = list(_all())
    table = "\n".join([HEAD, *map(_row, lines), *_shares(lines)])
    print(f"\n{table}")
    if arguments:
        Path(arguments[0]).write_text(f"{table}\n")
    return 0


def _all() -> Iterator[Line]:
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="vidinfer-gpu-") as folder:
        for name, limit in PARTS.items():
            left = TOTAL_SECONDS - (time.monotonic() - began)
            if left < 5:
                yield _told({"part": name, "what": "left out", "remarks": "no time left"})
                continue
            for line in _part(name, folder, min(limit, left)):
                if line.get("what") == "no device":
                    print(NO_DEVICE, flush=True)
                    return
                yield _told(line)


def _part(name: str, folder: str, seconds: float) -> Iterator[Line]:
    """The lines of one part; of one that fails or takes too long, those that it got to, and why."""
    command = [sys.executable, "-m", "benchmarks.gpu", "--part", name, folder, str(seconds - 5)]
    out, errors = Path(folder) / "out", Path(folder) / "errors"
    failure = ""
    with out.open("w") as lines, errors.open("w") as told:
        try:
            status = subprocess.run(
                command, stdout=lines, stderr=told, timeout=seconds, cwd=ROOT, env=_environment(), check=False
            ).returncode
            if status:
                failure = (errors.read_text().strip().splitlines() or [f"exit status {status}"])[-1]
        except subprocess.TimeoutExpired:
            failure = f"stopped after {seconds:.0f} s"
    for text in out.read_text().splitlines():
        try:
            yield {"part": name, **json.loads(text)}
        except (ValueError, TypeError):  # a library's own words, or a line cut off
            continue
    if failure:
        yield {"part": name, "what": "failed", "remarks": failure}


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONUNBUFFERED": "1", "PYTHONPATH": str(ROOT)}


def _told(line: Line) -> Line:
    print(json.dumps(line), flush=True)
    return line


def _row(line: Line) -> str:
    figure = line.get("figure", "")
    shown = f"{figure:,.2f}" if isinstance(figure, float) and abs(figure) < 100 else figure
    shown = f"{shown:,.0f}" if isinstance(shown, float) else str(shown)
    remarks = " ".join(str(line.get("remarks", "")).split()).replace("|", "/")
    return f"| {line['part']} | {line['what']} | {shown} | {line.get('unit', '')} | {remarks} |"


def _shares(lines: Sequence[Line]) -> Iterator[str]:
    """Of the whole runs: the share of the smaller of decode-only and model-only that they reached."""
    decoding = {kind: _best(lines, kind) for kind in ("decode", "nvdec")}
    for line in lines:
        model_only = line.get("model_only")
        if line["part"] != "runs" or not isinstance(line.get("figure"), float) or not model_only:
            continue
        bound = min(decoding[line["decoded_by"]] or model_only, model_only)
        yield _row(
            {
                "part": "share",
                "what": line["what"],
                "figure": line["figure"] / bound,
                "unit": "of the bound",
                "remarks": f"bound {bound:.0f} frames/s: decode-only {decoding[line['decoded_by']]:.0f} by "
                f"{line['decoded_by']}, model-only {model_only:.0f}",
            }
        )


def _best(lines: Sequence[Line], part: str) -> float:
    rates = [line["figure"] for line in lines if line["part"] == part and line.get("unit") == "frames/s"]
    return max(rates, default=0.0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
