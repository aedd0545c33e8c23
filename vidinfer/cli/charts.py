"""What tuning found, as charts."""

from __future__ import annotations

from vidinfer.annotate.chart import Chart, Trace
from vidinfer.tuned import Tuning

__all__ = ["charts_of"]


def charts_of(tuning: Tuning) -> list[Chart]:
    """Throughput and the time of one batch, over the batch size; dashed: what labels otherwise than eager fp32."""
    measured = [one for one in tuning.curves if one.timed]
    rates, times = [], []
    for one in measured:
        name = one.name if one.exact else f"{one.name} (other labels)"
        rates.append(Trace(name, [(t.frames, t.frames_per_second) for t in one.timed], not one.exact))
        times.append(Trace(name, [(t.frames, t.milliseconds) for t in one.timed], not one.exact))
    limits = [(tuning.decode_only, "decoding alone")] if tuning.decode_only else []
    budgets = [(budget, f"{budget:g} ms") for budget, _ in tuning.within]
    where = f"{tuning.model.name}, {tuning.size[0]}x{tuning.size[1]}"
    return [
        Chart(f"{where}: throughput of the model", "frames in a batch", "frames/s", rates, limits),
        Chart(f"{where}: time of one batch", "frames in a batch", "milliseconds", times, budgets),
    ]
