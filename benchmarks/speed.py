"""vidinfer beside what one would write by hand: the plain loop, a hand-tuned script, supervision's overlay.

Every competitor is a process of its own, timed from opening the file to the last label written; loading libraries and
weights counts for nobody. They take turns, so that what else the machine does hits all alike; medians are compared.
The slow ones, whose speed does not depend on the length, get the beginning of the same recording: it takes them
longer all the same.
Behind them what has a bar of its own: post-processing, the first label, Python's own share.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import first_label, profile
from benchmarks.beside import NotInstalled, environment_with
from benchmarks.clips import scaled
from benchmarks.measure import rate_of, report_of, run, script, vidinfer
from benchmarks.rows import row, table
from benchmarks.weights import trained_like

__all__ = ["measure", "table"]

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
OVERLAY_COST = 1.15
POSTPROCESSING = 1.0


@dataclass(frozen=True)
class Case:
    """One network on one file."""

    model: str
    weights: Path
    clip: Path
    short: Path
    """For the slow."""
    folder: Path

    def script(self, module: str, out: str, env: Mapping[str, str] | None = None) -> float:
        """Frames a second of a script of this package."""
        clip = self.clip if module == "hand_tuned" else self.short
        return rate_of(run(script(module, clip, self.model, self.weights, "0.5", self.folder / out), env=env))

    def vidinfer(self, *flags: str) -> tuple[float, dict[str, Any]]:
        """Frames a second of vidinfer with its defaults, and its report."""
        out = self.folder / "vidinfer"
        model = ("--model", self.model, "--weights", self.weights)
        run(vidinfer(self.clip, *model, "--out", out, "--overwrite", "-q", *flags))
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
    name = f"{case.model} --video"
    try:
        env = environment_with("supervision")
    except NotInstalled as reason:
        return {"model": name, "against": OVERLAY, "error": str(reason)}
    ours, theirs = [], []
    for i in range(rounds + 1):
        other, rate = case.script("supervision_video", "supervision.mp4", env), case.vidinfer("--video")[0]
        if i:
            ours.append(rate)
            theirs.append(other)
    return row(name, OVERLAY, ours, theirs, BARS[case.model, OVERLAY])


def overlay_cost_row(case: Case, rounds: int) -> dict[str, Any]:
    """Seconds of the overlaid run against a bare transcode and a run without video, one after the other."""
    out = case.folder / "transcoded.mp4"
    ours, theirs = [], []
    for i in range(rounds + 1):
        bare = rate_of(run(script("transcode", case.clip, out)))
        labels, video = case.vidinfer()[0], case.vidinfer("--video")[0]
        if i:
            ours.append(1000 / video)
            theirs.append(1000 / bare + 1000 / labels)
    held = [a / b for a, b in zip(ours, theirs, strict=True)]
    name = "bare transcode plus labels alone, ms a frame"
    return row(f"{case.model} --video", name, ours, theirs, OVERLAY_COST, held=held)


def postprocessing_row(case: Case) -> dict[str, Any]:
    """Milliseconds of one core for each frame, ten boxes found; of medians, in a process of its own."""
    code = (
        "import json, torch; from benchmarks import postprocessing as p; torch.set_num_threads(1)\n"
        f"case = p.one_stage({case.model!r}, (320, 320), (16, 32, 64, 107, 160, 320), 8, 10, 0.5)\n"
        "with torch.inference_mode(): print(json.dumps(p.compared(case)))"
    )
    said = json.loads(run([sys.executable, "-W", "ignore", "-c", code]).output.splitlines()[-1])
    spent = float(said["vidinfer_ms"])
    return row(
        case.model,
        "torchvision's post-processing, ms a frame",
        [spent],
        [float(said["torchvision_ms"])],
        POSTPROCESSING,
        held=[spent],
    )


def measure(*, quick: bool = False) -> Iterator[dict[str, Any]]:
    """All rows, on a 1080p clip, each as soon as it is known."""
    rounds = 3 if quick else 5
    long, half, short = (scaled(1920, 1080, frames // 4 if quick else frames) for frames in (2400, 600, 300))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        ssdlite = Case(SSDLITE, trained_like(SSDLITE), long, short, folder)
        resnet, rcnn, overlaid = (
            Case(model, trained_like(model), half, short, folder) for model in (RESNET, RCNN, SSDLITE)
        )
        yield from rows_of(ssdlite, rounds, [PLAIN, TUNED])
        yield from rows_of(resnet, rounds, [PLAIN, TUNED])
        yield from rows_of(rcnn, rounds, [PLAIN, TUNED])
        yield overlay_row(overlaid, rounds)
        yield overlay_cost_row(overlaid, rounds)
        yield postprocessing_row(ssdlite)
    yield first_label.measure(rounds)
    yield profile.python_share(half, SSDLITE, trained_like(SSDLITE), rounds)
    with tempfile.TemporaryDirectory() as name:
        quiet = Case(SSDLITE, trained_like(SSDLITE, quiet=True), half, short, Path(name))
        for one in rows_of(quiet, rounds, [PLAIN, TUNED]):
            yield one | {"model": f"{SSDLITE}, nothing to find"}
