"""The closing lines that a person reads: frames, time, frames per second, what was damaged, where the outputs are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from vidinfer.audit import joined_facts
from vidinfer.cli.text import count, duration
from vidinfer.light import advice
from vidinfer.report import RunReport, SourceReport, Status
from vidinfer.stats import LedgerSnapshot

__all__ = ["light_line", "run_line", "source_line"]


def source_line(report: SourceReport) -> str:
    """How one source went, in one line."""
    if report.status == "skipped":
        return f"{report.source}: skipped: {'; '.join(report.warnings) or 'nothing to do'}"
    named = (report.error or "").split(": ")[0]
    if report.status == "failed" and (named == report.source or named.endswith(f"/{report.source}")):
        return f"{report.error}"
    parts = []
    if report.status != "complete":
        parts.append(": ".join(filter(None, (report.status, report.error))))
    if report.ledger is not None and report.status != "failed":
        parts += [_damage(report.ledger), _speed(report, report.ledger)]
        parts.append(_still(_audit(report)))
    if report.outputs:
        parts.append(f"wrote {_files(report.outputs)}")
    elif report.ledger is not None and report.status == "interrupted":
        parts.append("given up, no outputs kept")
    return f"{report.source}: {'; '.join(filter(None, parts))}"


def light_line(report: SourceReport) -> str:
    """What the machine could do and which share was reached, in one line; empty where nothing was labelled."""
    light, model = report.details.get("speed_of_light"), report.details.get("model")
    if not isinstance(light, Mapping) or "bound" not in light:
        return ""
    only = {"decode_only": "decoding", "model_only": "the model", "write_only": "drawing and encoding"}
    if "core_milliseconds_per_frame" not in light:
        del only["write_only"]  # of the run itself, mostly labels
    alone = ", ".join(f"{name} alone {light[key]:.0f}" for key, name in only.items() if key in light)
    device = str(model.get("device", "cpu")) if isinstance(model, Mapping) else "cpu"
    reached = f"{100 * light['share']:.0f} % of the {light['bound']:.0f} frames/s that this machine could do"
    return f"{report.source}: {reached} ({alone}); {advice(light, device)}"


def run_line(report: RunReport) -> str:
    """How several sources went together, in one line."""
    statuses = Counter(source.status for source in report.sources)
    order: tuple[Status, ...] = ("complete", "skipped", "damaged", "failed", "interrupted")
    told = ", ".join(f"{statuses[status]} {status}" for status in order if statuses[status])
    done = [source.ledger for source in report.sources if source.ledger and source.status != "skipped"]
    frames = sum(ledger.decoded for ledger in done)
    page = "" if report.page is None else f"; see {report.page}"
    rate = f"; {_rate(count(frames, 'frame'), frames, report.seconds)}" if done else ""
    still = _still(joined_facts([_audit(source) for source in report.sources if source.status != "skipped"]))
    return "; ".join(filter(None, [f"{count(len(report.sources), 'source')}: {told}{rate}", still])) + page


def _speed(report: SourceReport, ledger: LedgerSnapshot) -> str:
    frames = count(ledger.decoded, "frame")
    if ledger.labelled != ledger.decoded:
        frames += f", {ledger.labelled} labelled,"
    return _rate(frames, ledger.decoded, report.seconds)


def _rate(what: str, frames: int, seconds: float) -> str:
    if not seconds:  # of an archive: what a source took is in the report, by worker and unit
        return what.removesuffix(",")
    return f"{what} in {duration(seconds)} ({frames / seconds:.1f} frames/s)"


def _damage(ledger: LedgerSnapshot) -> str:
    found = [
        f"{count(ledger.corrupt, 'frame')} corrupt" if ledger.corrupt else "",
        f"{count(ledger.failed, 'frame')} failed in the model" if ledger.failed else "",
        f"{count(ledger.gaps, 'gap')} ({count(ledger.packets_lost, 'packet')} lost)" if ledger.gaps else "",
    ]
    return ", ".join(filter(None, found))


def _audit(report: SourceReport) -> Mapping[str, Any] | None:
    found = report.details.get("skip_static")
    return found if isinstance(found, Mapping) else None


def _still(still: Mapping[str, Any] | None) -> str:
    """What was propagated, and how often that was wrong."""
    if still is None:
        return ""
    if not still["propagated"]:
        return "no frame was like one before"
    told = f"{still['propagated']} of them propagated"
    if not still["audited"]:
        return f"{told}, none checked"
    low, high = (100 * end for end in still["interval_95"])
    missed = f"{still['missed']} of {still['audited']} checked were wrong"
    return f"{told}, {missed}: {100 * still['miss_rate']:.1f} % (95 %: {low:.1f} to {high:.1f})"


def _files(paths: Sequence[Path]) -> str:
    """The first with its folder, those beside it by name."""
    first = paths[0]
    return ", ".join(str(p) if p is first or p.parent != first.parent else p.name for p in paths)
