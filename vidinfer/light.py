"""The speed of light: what this machine could do, which share of it a run reached, and what holds it back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["Alone", "Rate", "advice", "speed_of_light"]

_ONLY = {"decode": "decode_only", "infer": "model_only", "write": "write_only"}
_NAMES = {"infer": "model"}


@dataclass(frozen=True, slots=True)
class Rate:
    """How fast one stage is while the machine is its own."""

    frames_per_second: float
    core_seconds: float
    """Of processor time per frame, all its threads together."""


@dataclass(frozen=True, slots=True)
class Alone:
    """What was measured of the stages one by one."""

    cores: int
    decode: Rate | None = None
    """Decoding, converting and preparing for the model."""
    infer: Rate | None = None
    """The model and its post-processing; on a GPU it takes little of the processor."""
    write: Rate | None = None
    """Drawing and encoding, where a video is written."""
    together: float | None = None
    """Frames a second of decoding and the model side by side, with nothing handed over."""

    @property
    def rates(self) -> dict[str, Rate]:
        """By stage, as far as they were measured."""
        stages = {"decode": self.decode, "infer": self.infer, "write": self.write}
        return {stage: rate for stage, rate in stages.items() if rate is not None}


def speed_of_light(
    frames: int,
    seconds: float,
    busy: Mapping[str, float],
    alone: Alone | None = None,
    *,
    labelled: int | None = None,
    model_only: float | None = None,
) -> dict[str, object]:
    """The share reached of what the machine could do.

    With stages measured alone, the bound is the smaller of the slowest stage, and of all of them on the cores that they
    share: decoding and the model as measured side by side, writing by the time that it takes of the cores. Without (a
    short source), it is the slowest stage of the run itself.

    Args:
        frames: frames decoded.
        seconds: wall time of the pipeline.
        busy: seconds each stage spent working (``decode``, ``infer``, ``write``), waits excluded.
        alone: decoding and the model, both measured; else it does not count.
        labelled: frames that the model saw, of those decoded; ``None``: all.
        model_only: frames a second of the model alone as it was known before the run; used where ``alone`` is not.
    """
    if frames <= 0 or seconds <= 0:
        return {}
    seen = 1.0 if labelled is None else labelled / frames
    if alone is not None and {"decode", "infer"} <= alone.rates.keys():
        return _measured(frames / seconds, alone, seen)
    return _within(frames, seconds, busy, model_only, seen)


def _measured(achieved: float, alone: Alone, seen: float) -> dict[str, object]:
    rates = alone.rates
    if 0 < seen < 1:  # for each frame decoded the model has less to do
        rates["infer"] = Rate(rates["infer"].frames_per_second / seen, rates["infer"].core_seconds * seen)
    slowest = min(rates, key=lambda stage: rates[stage].frames_per_second)
    costs = {stage: rate.core_seconds for stage, rate in rates.items()}
    side_by_side = alone.together if seen == 1 else None
    together = _together(costs, alone.cores, side_by_side)
    bound = min(together, rates[slowest].frames_per_second)
    limit = slowest if rates[slowest].frames_per_second <= together else max(costs, key=costs.__getitem__)
    how = (
        "the sum of what they take of the cores"
        if side_by_side is None
        else "decoding and the model side by side"
    )
    return {
        **{_ONLY[stage]: round(rate.frames_per_second, 2) for stage, rate in rates.items()},
        "bound": round(bound, 2),
        "achieved": round(achieved, 2),
        "share": round(achieved / bound, 4),
        "limited_by": _NAMES.get(limit, limit),
        "core_milliseconds_per_frame": {stage: round(1000 * cost, 3) for stage, cost in costs.items()},
        "cores": alone.cores,
        "method": f"measured behind the run: each stage alone, and {how}",
    }


def _together(costs: Mapping[str, float], cores: int, side_by_side: float | None) -> float:
    """Frames a second of all stages on the same cores."""
    if side_by_side is None:
        return cores / sum(costs.values())
    return 1 / (1 / side_by_side + costs.get("write", 0.0) / cores)


def _within(
    frames: int, seconds: float, busy: Mapping[str, float], model_only: float | None, seen: float
) -> dict[str, object]:
    rates = {stage: frames / s for stage, s in busy.items() if s > 0}
    if model_only is not None and seen > 0:  # of a model that works by itself the run sees the waiting only
        rates["infer"] = model_only / seen
    if not rates:
        return {}
    limit = min(rates, key=rates.__getitem__)
    achieved = frames / seconds
    return {
        **{_ONLY.get(stage, stage): round(rate, 2) for stage, rate in rates.items()},
        "bound": round(rates[limit], 2),
        "achieved": round(achieved, 2),
        "share": round(achieved / rates[limit], 4),
        "limited_by": _NAMES.get(limit, limit),
        "method": "busy time of each stage within this run: too short, or too little of it decoded, to measure them "
        "alone",
    }


def advice(light: Mapping[str, object], device: str) -> str:
    """What to change to go faster, in words; empty where nothing is known."""
    limit = light.get("limited_by")
    if limit == "model":
        gpu = "" if device.startswith("cuda") else ", or a GPU"
        return f"the model takes most: a smaller one, --every N or --fps F, --precision int8{gpu}"
    if limit == "decode":
        return "decoding takes most: --decode fast, or --keyframes where these are enough"
    if limit == "write":
        return "drawing and encoding take most: leave --video out where labels are enough"
    return ""
