"""vidinfer beside what one would write by hand: the plain loop, a hand-tuned script, supervision's overlay.

Every competitor is a process of its own, timed from opening the file to the last label written; loading libraries and
weights counts for nobody. They take turns, so that what else the machine does hits all alike; medians are compared.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import supervision_video
from benchmarks.clips import scaled
from benchmarks.measure import median, report_of, run, vidinfer
from benchmarks.weights import trained_like

SSDLITE, RCNN, RESNET = (
    "ssdlite320_mobilenet_v3_large",
    "fasterrcnn_mobilenet_v3_large_320_fpn",
    "resnet50",
)
PLAIN, TUNED, OVERLAY, BOUND = (
    "plain loop",
    "hand-tuned script",
    "supervision process_video",
    "bound of the machine",
)
BARS = {
    (SSDLITE, PLAIN): 10.0,
    (SSDLITE, TUNED): 0.95,
    (RESNET, PLAIN): 6.5,
    (RCNN, PLAIN): 4.0,
    (SSDLITE, OVERLAY): 4.0,
}
SHARE = 0.90


@dataclass(frozen=True)
class Case:
    """One network on one file."""

    model: str
    weights: Path
    clip: Path
    folder: Path

    def script(self, module: str, out: str) -> float:
        """Frames a second of a script of this package."""
        command = [sys.executable, "-W", "ignore", "-m", f"benchmarks.{module}"]
        said = run([*command, self.clip, self.model, self.weights, "0.5", self.folder / out]).output
        found = json.loads(said.splitlines()[-1])
        return float(found["frames"] / found["seconds"])

    def vidinfer(self, *flags: str) -> tuple[float, dict[str, Any]]:
        """Frames a second of vidinfer with its defaults, and its report."""
        out = self.folder / "vidinfer"
        run(
            vidinfer(
                self.clip,
                "--model",
                self.model,
                "--weights",
                self.weights,
                "--out",
                out,
                "--overwrite",
                "-q",
                *flags,
            )
        )
        report: dict[str, Any] = report_of(out, self.clip.stem)
        return float(report["timings"]["frames_per_second"]), report


def rows_of(case: Case, rounds: int, against: list[str]) -> list[dict[str, Any]]:
    """Every competitor in turn, ``rounds`` times, after one to warm the caches."""
    scripts: dict[str, Callable[[], float]] = {
        PLAIN: lambda: case.script("plain_loop", "plain.jsonl"),
        TUNED: lambda: case.script("hand_tuned", "tuned.jsonl"),
    }
    ours: list[float] = []
    theirs: dict[str, list[float]] = {name: [] for name in against}
    reports = []
    for i in range(rounds + 1):
        others = {name: scripts[name]() for name in against}
        rate, report = case.vidinfer()
        if i:
            ours.append(rate)
            reports.append(report)
            for name, value in others.items():
                theirs[name].append(value)
    model = reports[-1]["model"]
    used = {"backend": f"{model['backend']} {model['precision']}"}
    rows = [
        row(case.model, name, ours, theirs[name], BARS.get((case.model, name))) | used for name in against
    ]
    bounds = [report["speed_of_light"]["bound"] for report in reports]
    light = {
        k: v for k, v in reports[-1]["speed_of_light"].items() if k.endswith("_only") or k == "limited_by"
    }
    return [*rows, row(case.model, BOUND, ours, bounds, SHARE) | used | light]


def overlay_row(case: Case, rounds: int) -> dict[str, Any]:
    """The overlaid video against supervision's; a row without figures where that cannot be had."""
    try:
        supervision_video.install()
    except Exception as error:
        return {"model": case.model, "against": OVERLAY, "error": f"supervision cannot be installed: {error}"}
    ours, theirs = [], []
    for i in range(rounds + 1):
        other, rate = case.script("supervision_video", "supervision.mp4"), case.vidinfer("--video")[0]
        if i:
            ours.append(rate)
            theirs.append(other)
    return row(f"{case.model} --video", OVERLAY, ours, theirs, BARS[case.model, OVERLAY])


def row(
    model: str, against: str, ours: list[float], theirs: list[float], bar: float | None
) -> dict[str, Any]:
    """Medians, and the median of the ratios round by round."""
    ratios = [a / b for a, b in zip(ours, theirs, strict=True)]
    ratio = median(ratios)
    return {
        "model": model,
        "against": against,
        "vidinfer": round(median(ours), 1),
        "other": round(median(theirs), 1),
        "ratio": round(ratio, 3),
        "from_to": [round(min(ratios), 3), round(max(ratios), 3)],
        "bar": bar,
        "met": None if bar is None else ratio >= bar,
    }


def measure(*, quick: bool = False) -> list[dict[str, Any]]:
    """All rows, on a 1080p clip."""
    rounds, frames = (1, 300) if quick else (5, 600)
    clip = scaled(1920, 1080, frames)
    with tempfile.TemporaryDirectory() as name:
        cases = {
            model: Case(model, trained_like(model), clip, Path(name)) for model in (SSDLITE, RESNET, RCNN)
        }
        quiet = Case(SSDLITE, trained_like(SSDLITE, quiet=True), clip, Path(name))
        rows = rows_of(cases[SSDLITE], rounds, [PLAIN, TUNED])
        rows += [
            one | {"model": f"{SSDLITE}, nothing to find"} for one in rows_of(quiet, rounds, [PLAIN, TUNED])
        ]
        rows += rows_of(cases[RESNET], rounds, [PLAIN, TUNED])
        rows += rows_of(cases[RCNN], rounds, [PLAIN, TUNED])
        return [*rows, overlay_row(cases[SSDLITE], rounds)]


def table(rows: list[dict[str, Any]]) -> str:
    """Markdown."""
    lines = [
        "| model | backend | against | vidinfer | other | ratio | from-to | at least | met |",
        "|" + "---|" * 9,
    ]
    for one in rows:
        if "error" in one:
            lines.append(f"| {one['model']} | | {one['against']} | {one['error']} | | | | | |")
            continue
        low, high = one["from_to"]
        met = {None: "", True: "yes", False: "no"}[one["met"]]
        lines.append(
            f"| {one['model']} | {one.get('backend', '')} | {one['against']} | {one['vidinfer']} | {one['other']} "
            f"| {one['ratio']} | {low}-{high} | {one['bar'] or ''} | {met} |"
        )
    return "\n".join(lines)
