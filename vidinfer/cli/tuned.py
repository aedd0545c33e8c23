"""What tuning found, as a person reads it: a table, bars, and answers in plain words."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence

from vidinfer.cli.bars import Bar, bars
from vidinfer.cli.text import count, table
from vidinfer.service import Curve
from vidinfer.tuned import CAMERA_RATES, Tuning

__all__ = ["answers", "tuning_text"]

NARROW = 40
"""Characters; no text is broken into narrower lines."""
PAYS = 1.15
"""Times the throughput from which something is worth its trouble."""
TOGETHER = 8
"""Frames: the batch that answers are given for, where it was measured."""


def tuning_text(tuning: Tuning, width: int, *, blocks: bool = True) -> str:
    """Everything.

    Args:
        width: of the terminal, in characters.
        blocks: it can show block characters.
    """
    groups = [
        (one.name, [Bar(str(t.frames), t.frames_per_second) for t in one.timed])
        for one in tuning.curves
        if one.timed
    ]
    parts = [
        f"{tuning.model.name} on {tuning.model.device}, {tuning.source} ({tuning.size[0]}x{tuning.size[1]})",
        _candidates(tuning.curves, tuning.unit),
        "\n".join(_notes(tuning.curves, tuning.unit)),
        f"{tuning.unit}s/s of the model alone, over {tuning.unit}s in a batch\n{bars(groups, width, blocks=blocks)}",
        _stages(tuning),
        "\n".join(
            textwrap.fill(line, max(width, NARROW), subsequent_indent="  ") for line in answers(tuning)
        ),
    ]
    return "\n\n".join(filter(None, parts))


def answers(tuning: Tuning) -> Iterator[str]:
    """A line for each question that somebody tunes for."""
    chosen, tuned = tuning.chosen, tuning.tuned
    if chosen is None or tuned is None:
        yield "Choice: none; nothing that was asked for labels as eager fp32 does, so nothing is kept."
        return
    kept = "kept for runs on this machine" if tuning.kept else "not kept: the cache cannot be written"
    yield (
        f"Choice: {chosen.name}, batches of {tuned.batch_size}, {count(tuned.decoder_threads, 'decoder thread')}: "
        f"{_rate(tuning.rate)} frames/s from file to labels ({kept})."
    )
    yield f"Batching: {_batching(chosen, tuning.unit)}"
    yield f"GPU: {_gpu(tuning)}"
    yield from _budgets(tuning)
    yield f"Cameras: {_cameras(tuning)}"
    hours = ", ".join(f"{tuning.archive_hours(fps):.0f} h at {fps} frames/s" for fps in CAMERA_RATES)
    yield f"Archive: {hours} of such video a day."


def _candidates(curves: Sequence[Curve], unit: str) -> str:
    sizes = sorted({one.frames for curve in curves for one in curve.timed})
    header = ("", "labels", *(f"l({n})" for n in sizes), "a", "b", "R²", "best")
    units = ("", "as eager fp32", *("ms" for _ in sizes), "ms", "ms", "", f"{unit}s/s")
    rows = [header, units]
    for curve in curves:
        line = curve.service
        times = [_time(curve, n) for n in sizes]
        quality = "" if line is None or line.quality is None else f"{line.quality:.3f}"
        fitted = ["", ""] if line is None else [f"{line.marginal:.2f}", f"{line.fixed:.2f}"]
        exact = "yes" if curve.exact else "failed" if curve.failure else "no"
        rows.append((curve.name, exact, *times, *fitted, quality, f"{curve.best:.1f}" if curve.timed else ""))
    return table(rows, right=frozenset(range(2, len(header))))


def _time(curve: Curve, frames: int) -> str:
    one = curve.at(frames)
    return "" if one is None else f"{one.milliseconds:.1f}"


def _notes(curves: Sequence[Curve], unit: str) -> Iterator[str]:
    yield f"l(n): milliseconds for one batch of n {unit}s, no other on its way; l(n) = a·n + b fitted to them"
    for curve in curves:
        if curve.failure:
            yield f"{curve.name}: {curve.failure}"
        elif not curve.exact:
            yield f"{curve.name} gives other labels: {curve.parity}"
        if curve.stopped:
            yield f"{curve.name}: {curve.stopped}"


def _stages(tuning: Tuning) -> str:
    rows = [("frames/s", *(count(n, "decoder thread") for n in tuning.decoding))]
    rows.append(("decoding alone", *(_rate(one.frames_per_second) for one in tuning.decoding.values())))
    if tuning.together:
        rows.append(("all together", *(_rate(tuning.together[n]) for n in tuning.decoding)))
    return table(rows, right=frozenset(range(1, len(rows[0])))) if tuning.decoding else ""


def _batching(curve: Curve, unit: str) -> str:
    one, many = curve.timed[0], curve.at(TOGETHER) or curve.timed[-1]
    if many is one:
        return f"only single {unit}s were measured, {one.milliseconds:.1f} ms each."
    gain = many.frames_per_second / one.frames_per_second
    verdict = "pays" if gain >= PAYS else "pays little" if gain > 1 else "does not pay"
    line = curve.service
    half = "" if line is None else f"; a call costs as much as {line.half:.1f} {unit}s (b/a)"
    return (
        f"{verdict} here. l(1) = {one.milliseconds:.1f} ms, l({many.frames}) = {many.milliseconds:.1f} ms "
        f"({many.milliseconds / many.frames:.1f} ms a {unit}){half}. Throughput {_rate(one.frames_per_second)} "
        f"{unit}s/s one by one, {_rate(many.frames_per_second)} in batches of {many.frames}: {gain:.2f} times."
    )


def _gpu(tuning: Tuning) -> str:
    model, decode, now = tuning.model_only, tuning.decode_only, tuning.rate
    alone = f"the model alone does {_rate(model)} frames/s, decoding alone {_rate(decode)}"
    if not decode or not now:
        return f"not known: {alone}."
    if tuning.model.device.startswith("cuda"):
        limit = "decoding on the CPU" if decode < model else "the model"
        return f"there is one; {alone}, so {limit} is the limit."
    gain = decode / now
    if gain < PAYS:
        return f"would not pay: {alone}, both together {_rate(now)}; decoding would be the limit."
    verdict = "would pay" if gain >= 2 else "would pay a little"
    return (
        f"{verdict}: {alone}, both together {_rate(now)}. With the model elsewhere decoding would be the limit, "
        f"at {_rate(decode)} frames/s or {gain:.1f} times as many."
    )


def _budgets(tuning: Tuning) -> Iterator[str]:
    for budget, found in tuning.within:
        if found is None:
            yield f"Within {budget:g} ms: nothing; a single {tuning.unit} takes longer. Take a smaller model, or a GPU."
            continue
        rate = f"{_rate(found.frames_per_second)} {tuning.unit}s/s"
        yield (
            f"Within {budget:g} ms: batches of up to {found.frames} with {found.curve.name} "
            f"({found.milliseconds:.0f} ms), {rate} one batch after the other."
        )


def _cameras(tuning: Tuning) -> str:
    def told(budget: float | None) -> str:
        counts = tuning.cameras(budget)
        return " or ".join(f"{n} at {fps} frames/s" for fps, n in counts.items())

    parts = [told(None)]
    parts += [f"each label within {budget:g} ms: {told(budget)}" for budget, _ in tuning.within]
    return "; ".join(parts) + "."


def _rate(per_second: float) -> str:
    return f"{per_second:.1f}" if per_second < 10 else f"{per_second:.0f}"
