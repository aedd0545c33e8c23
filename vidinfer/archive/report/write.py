"""``report.html``: made at the end of a run, for people. Nothing depends on it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from vidinfer.archive.journal import Quarantined
from vidinfer.archive.pace import Pace
from vidinfer.archive.report.found import Strong
from vidinfer.archive.report.gather import Gathered, Told, gather
from vidinfer.archive.report.labels import CHARTS, busiest
from vidinfer.archive.report.page import RunFacts, page
from vidinfer.archive.report.stills import Stills
from vidinfer.clock import utc_now
from vidinfer.config import RunConfig
from vidinfer.describe import versions
from vidinfer.sink.atomic import PartialFile

__all__ = ["REPORT", "write_html"]

REPORT = "report.html"
PICTURES = 24
WIDTH = 360
"""Pixels of a picture, at most."""
PICTURE_BYTES = 60_000
"""Of a JPEG; a larger one is left out."""

_SHOWN = (
    *(
        "model",
        "weights",
        "score_threshold",
        "top_k",
        "classes",
        "backend",
        "precision",
        "decode",
        "allow_inexact",
    ),
    *("max_batch_size", "every", "fps", "keyframes", "start", "end", "max_frames", "duration", "clip_stride"),
    *("labels", "engine", "workers", "until", "budget", "stall", "worker_memory"),
)


def write_html(
    config: RunConfig,
    told: Sequence[Told],
    quarantine: Sequence[Quarantined],
    pace: Pace,
    seconds: float,
    *,
    stills: Stills,
    hurry: Callable[[], bool],
) -> Path:
    """Write the report of a run.

    Args:
        config: of the run.
        told: every source.
        quarantine: units that are given up.
        pace: of this run.
        seconds: of wall time so far.
        stills: takes pictures.
        hurry: true: what takes long is left out.

    Raises:
        SinkError: it cannot be written.
    """
    ordered = sorted(told, key=lambda one: one.row.source)
    all_of_it = gather(ordered, hurry)
    strong = all_of_it.found.strongest(busiest(all_of_it, 2 * CHARTS), PICTURES)
    pictures = _pictures(all_of_it, strong, stills, hurry)
    out = config.out.resolve()
    run = RunFacts(
        out.name or str(out),
        utc_now(),
        seconds,
        pace,
        config.price_per_hour,
        _settings(config, all_of_it),
        quarantine,
    )
    file = PartialFile(config.out / REPORT, overwrite=True)
    try:
        file.write(page(run, all_of_it, strong, pictures).encode())
        file.commit()
    finally:
        file.abort()  # changes nothing after a commit
    return config.out / REPORT


def _pictures(
    all_of_it: Gathered, strong: Sequence[Strong], stills: Stills, hurry: Callable[[], bool]
) -> list[bytes | None]:
    if hurry() or not strong:
        return [None] * len(strong)
    wanted = [(Path(all_of_it.told[one.source].row.path or ""), one.pts) for one in strong]
    taken = stills(wanted, WIDTH)
    return [None if jpeg is None or len(jpeg) > PICTURE_BYTES else jpeg for jpeg in taken]


def _settings(config: RunConfig, all_of_it: Gathered) -> list[tuple[str, str]]:
    """As labelled, then as asked for where that is not the default, then with what."""
    model, usual = all_of_it.model, RunConfig()
    facts = {
        "model": model.get("name"),
        "task": model.get("task"),
        "weights": model.get("weights"),
        "weights SHA-256": model.get("sha256"),
        "runs on": model and f"{model['device']}, {model['backend']} {model['precision']}",
    }
    found = [(name, str(value)) for name, value in facts.items() if value]
    for name in _SHOWN:
        value = getattr(config, name)
        if value != getattr(usual, name) or name in ("labels", "workers", "score_threshold"):
            found.append((f"--{name.replace('_', '-')}", _plain(value)))
    found.append(("sources", ", ".join(config.sources[:5]) + (" …" if len(config.sources) > 5 else "")))
    found.append(("versions", ", ".join(f"{name} {version}" for name, version in versions().items())))
    return found


def _plain(value: object) -> str:
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    return "auto" if value is None else str(value)
