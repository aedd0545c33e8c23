"""The report as one HTML file that needs nothing else: no script, no font, no address. It is well-formed XML too."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from vidinfer.archive.journal import Quarantined
from vidinfer.archive.pace import Pace
from vidinfer.archive.report.damage import damage
from vidinfer.archive.report.found import Strong
from vidinfer.archive.report.gather import Gathered
from vidinfer.archive.report.labels import labels
from vidinfer.archive.report.speed import cost, speed
from vidinfer.archive.report.style import STYLE
from vidinfer.archive.report.tables import facts, key, table, tile
from vidinfer.archive.report.words import hours, number, safe, share, size
from vidinfer.audit import joined_facts

__all__ = ["RunFacts", "page"]

_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
_ORDER = ("complete", "damaged", "quarantined", "failed", "interrupted")
_MEANING = {
    "complete": "every frame labelled, or left out knowingly",
    "damaged": "labelled as far as they can be decoded; what is missing is in the label file as gaps",
    "quarantined": "given up: whoever labels them crashes, hangs or fails",
    "failed": "not readable, or not media",
    "interrupted": "not done yet; run the same command again to go on",
}


@dataclass(frozen=True, slots=True)
class RunFacts:
    """What is known of the run itself."""

    title: str
    when: str
    """Of its end."""
    seconds: float
    """Of wall time."""
    pace: Pace
    price: float | None
    """Of an hour of this machine."""
    settings: Sequence[tuple[str, str]]
    quarantine: Sequence[Quarantined]


def page(run: RunFacts, all_of_it: Gathered, strong: Sequence[Strong], stills: Sequence[bytes | None]) -> str:
    """The whole report."""
    sections = [
        ("done", "What was done", _done(all_of_it)),
        ("found", "What was found", labels(all_of_it, strong, stills)),
        ("damaged", "What is damaged", damage(all_of_it, run.quarantine)),
        ("speed", "How fast", speed(run.pace, run.seconds, all_of_it)),
        ("cost", "What it cost", cost(run.pace, run.seconds, run.price)),
        ("settings", "Settings", facts(run.settings)),
    ]
    links = "".join(f'<a href="#{name}">{title}</a>' for name, title, _ in sections)
    body = "\n".join(
        f'<section id="{name}"><h2>{title}</h2>\n{text}</section>' for name, title, text in sections
    )
    return (
        '<!DOCTYPE html>\n<html lang="en" xmlns="http://www.w3.org/1999/xhtml"><head><meta charset="utf-8"/>'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}"/>'
        '<meta name="viewport" content="width=device-width, initial-scale=1"/>'
        f"<title>{safe(run.title)}: vidinfer</title><style>{STYLE}</style></head>\n<body>\n"
        f'<h1>{safe(run.title)}</h1><p class="dim">{safe(_verdict(all_of_it))} As of {safe(run.when)}.</p>\n'
        f"<nav>{links}</nav>\n{_tiles(run, all_of_it)}\n{body}\n</body></html>\n"
    )


def _verdict(all_of_it: Gathered) -> str:
    groups = all_of_it.groups
    total = sum(group.sources for group in groups.values())
    open_ = groups["interrupted"].sources
    bad = sum(groups[name].sources for name in ("damaged", "quarantined", "failed"))
    if not total:
        return "No sources."
    if open_:
        return f"Interrupted: {number(total - open_)} of {number(total)} sources are done."
    if bad:
        return f"Done; {number(bad)} of {number(total)} sources need a look."
    return "Complete: every frame of every source is accounted for."


def _tiles(run: RunFacts, all_of_it: Gathered) -> str:
    counts, total = all_of_it.found.counts, run.pace.total()
    findings = int(counts.sum())
    found = f"{'finding' if findings == 1 else 'findings'}, {_several(int((counts > 0).sum()), 'label')}"
    shown = [
        tile(number(len(all_of_it.told)), "sources"),
        tile(hours(all_of_it.seconds), "of video"),
        tile(number(all_of_it.ledger["decoded"]), "frames decoded"),
        tile(number(findings), found),
    ]
    if total.frames and run.seconds:
        shown.append(tile(number(total.frames / run.seconds), "frames/s in this run"))
        if total.video:
            shown.append(tile(f"{number(total.video / run.seconds)} x", "as fast as it plays"))
    return f'<div class="tiles">{"".join(shown)}</div>'


def _done(all_of_it: Gathered) -> str:
    total = max(1, len(all_of_it.told))
    groups = [(name, all_of_it.groups[name]) for name in _ORDER if all_of_it.groups[name].sources]
    bar = "".join(f'<i class="{name}" style="flex:{group.sources}"></i>' for name, group in groups)
    rows = [
        [
            key(name) + name,
            number(group.sources),
            share(group.sources / total),
            hours(group.seconds),
            number(group.frames),
            size(group.nbytes),
            f'<span class="dim">{_MEANING[name]}</span>',
        ]
        for name, group in groups
    ]
    heads = ["", "sources", "", "video", "frames", "size", ""]
    return (
        f'<div class="bar" role="img" aria-label="sources by status">{bar}</div>'
        + table(heads, rows, right={1, 2, 3, 4, 5}, wide={6})
        + _ledger(all_of_it)
        + _still(all_of_it)
        + _kinds(all_of_it)
    )


def _ledger(all_of_it: Gathered) -> str:
    of = all_of_it.ledger
    names = ("labelled", "skipped", "corrupt", "failed")
    sums = " + ".join(f"{number(of[name])} {name}" for name in names)
    lost = ", ".join(_several(of[name], noun) for name, noun in (("gaps", "gap"), ("packets_lost", "packet")))
    lost = f" Lost before decoding: {lost}." if of["gaps"] else ""
    balanced = (
        "" if of["decoded"] == sum(of[name] for name in names) else " These do not add up: please report it."
    )
    return f"<p>Every frame: {number(of['decoded'])} decoded = {sums}.{lost}{balanced}</p>"


def _still(all_of_it: Gathered) -> str:
    """What was propagated, and how often that was wrong."""
    told = joined_facts(all_of_it.audits)
    if told is None:
        return ""
    text = f"{number(told['propagated'])} of the labelled frames looked like one before and got its labels."
    if not told["audited"]:
        return f"<p>{text} None was checked.</p>"
    low, high = told["interval_95"]
    return (
        f"<p>{text} Of {number(told['audited'])} such frames that the model saw all the same, {number(told['missed'])} "
        f"would have been wrong: {share(told['miss_rate'])} (95 %: {share(low)} to {share(high)}).</p>"
    )


def _several(count: int, noun: str) -> str:
    return f"{number(count)} {noun}" if count == 1 else f"{number(count)} {noun}s"


def _kinds(all_of_it: Gathered) -> str:
    most = all_of_it.codecs.most_common(6)
    if not most:
        return ""
    told = ", ".join(f"{safe(name)} ({number(count)})" for name, count in most)
    rest = len(all_of_it.codecs) - len(most)
    return f'<p class="note">Kinds of video: {told}{f", and {rest} more" if rest > 0 else ""}.</p>'
