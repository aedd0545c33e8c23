"""Every builder of torchvision: is it the same through vidinfer, what memory does it take, how fast is it here?

``python -m benchmarks.every_builder [NAME...]`` writes docs/models.md; each builder runs in processes of its own.
Random weights, eager, fp32 (quantised builders: int8), batches as chosen by vidinfer. The figures are kept in
``benchmarks/every_builder.jsonl``; only what is missing there is measured, so it can be made in several sittings.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.clips import SAMPLE
from benchmarks.measure import report_of, run, vidinfer

ROOT = Path(__file__).parents[1]
KEPT = Path(__file__).with_suffix(".jsonl")
PAGE = ROOT / "docs" / "models.md"
WORK = 300.0
"""Billions of multiply-adds spent on timing each builder, within ``FRAMES``."""
FRAMES = (8, 120)

HEAD = """\
# Every builder of torchvision

Made by `python -m benchmarks.every_builder`: each builder with random weights that answer to what they see, through
vidinfer and as torchvision's documentation runs it, one frame at a time, in fp32 (quantised builders: int8). *Scores*,
*pixels* (boxes, flow vectors) and *overlap* (masks, class maps) are the largest differences found; the bounds are 1e-4,
0.05 and 0.999. Memory is the peak of the whole process, Python and torch included; frames per second are those of a
whole run over the 720p sample clip with JSON lines written, eager, on two cores of an AMD EPYC (Zen 4) without a GPU,
and a rough guide only, as other work ran beside it. torch {torch}, torchvision {torchvision}. A frame of a
video classifier is a frame of the source, not a clip.

| builder | task | same | scores | pixels | overlap | peak memory, MiB | frames/s |
|---|---|---|---|---|---|---|---|
"""


def measure(name: str) -> dict[str, Any]:
    """One builder, in two processes."""
    code = "import sys, json, dataclasses as d; from tests.model.parity import measure; p = measure(sys.argv[1]); "
    code += "print(json.dumps(d.asdict(p) | {'holds': p.holds}))"
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code, name], capture_output=True, text=True, cwd=ROOT
    )
    if done.returncode:
        raise RuntimeError(f"{name}: {done.stderr.strip().splitlines()[-1]}")
    parity = json.loads(done.stdout.splitlines()[-1])
    with tempfile.TemporaryDirectory() as out:
        command = vidinfer(SAMPLE, "--model", name, "--weights", "none", "--max-frames", str(_frames(name)))
        measured = run([*command, "--out", out, "-q"])
        timings: Any = report_of(Path(out), SAMPLE.stem)["timings"]
    return parity | {
        "peak_mib": round(measured.peak_mib),
        "frames_per_second": timings["frames_per_second"],
    }


def _frames(name: str) -> int:
    from torchvision.models import get_model_weights

    meta = get_model_weights(name).DEFAULT.meta
    return max(FRAMES[0], min(FRAMES[1], round(WORK / meta["_ops"]) if meta["_ops"] else FRAMES[1]))


def page(rows: Mapping[str, dict[str, Any]]) -> str:
    """The table, by task and name."""
    import torch
    import torchvision

    lines = []
    for row in sorted(rows.values(), key=lambda row: (row["task"], row["name"])):
        overlap = "" if row["task"] not in ("segmentation", "detection") else f"{row['overlap']:.4f}"
        lines.append(
            f"| `{row['name']}` | {row['task'].replace('_', ' ')} | {'yes' if row['holds'] else 'no'} "
            f"| {row['scores']:.1e} | {row['pixels']:.4f} | {overlap} | {row['peak_mib']} "
            f"| {row['frames_per_second']} |"
        )
    head = HEAD.format(
        torch=torch.__version__.split("+")[0], torchvision=torchvision.__version__.split("+")[0]
    )
    return head + "\n".join(lines) + "\n"


def main() -> int:
    """Measure what is named, or what is missing."""
    from torchvision.models import list_models

    kept = {}
    if KEPT.exists():
        kept = {row["name"]: row for row in map(json.loads, KEPT.read_text().splitlines())}
    for name in sys.argv[1:] or [name for name in list_models() if name not in kept]:
        try:
            kept[name] = measure(name)
        except RuntimeError as error:
            print(error, file=sys.stderr)
            continue
        print(json.dumps(kept[name]), flush=True)
        KEPT.write_text("".join(json.dumps(kept[key]) + "\n" for key in sorted(kept)))
        PAGE.write_text(page(kept))
    missing = [name for name in list_models() if name not in kept]
    if missing:
        print(f"not measured: {', '.join(missing)}", file=sys.stderr)
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
