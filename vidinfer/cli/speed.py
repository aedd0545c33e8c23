"""How fast a model is on this machine, as far as a run or ``vidinfer tune`` has found out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

__all__ = ["speed_here", "speed_words"]


def speed_here(folder: Path, model: str) -> dict[str, Any] | None:
    """The latest choice of ``vidinfer tune``, or what runs have measured; ``None``: nothing of this machine."""
    from vidinfer.model.remember import speeds
    from vidinfer.tuned import Tuned

    found = speeds(folder, model)
    if not found:
        return None
    identity, tuned = found[0]["identity"], Tuned.read(found[0].get("tuned"))
    return {
        "width": identity["width"],
        "height": identity["height"],
        "device": identity["device"],
        "model_only": _best(found[0].get("rates")),
        "tuned": None if tuned is None else tuned.as_dict(),
    }


def speed_words(speed: dict[str, Any] | None) -> str:
    """On one line."""
    from vidinfer.tuned import Tuned

    if speed is None:
        return "not measured yet"
    size = f"{speed['width']}x{speed['height']}"
    tuned = Tuned.read(speed["tuned"])
    if tuned is not None:
        return (
            f"{tuned.frames_per_second:.0f} frames/s from file to labels ({size}, {tuned.backend} "
            f"{tuned.precision} in batches of {tuned.batch_size}, as tuned on {tuned.date})"
        )
    rates = ", ".join(f"{name} {rate:.0f}" for name, rate in speed["model_only"].items())
    return f"frames/s of the model alone, {size}: {rates}"


def _best(rates: object) -> dict[str, float]:
    """By backend and precision, of all batch sizes; the fastest first."""
    best: dict[str, float] = {}
    for of_size in rates.values() if isinstance(rates, dict) else ():
        for name, rate in of_size.items() if isinstance(of_size, dict) else ():
            if isinstance(rate, int | float):
                best[name] = max(best.get(name, 0.0), round(float(rate), 2))
    return dict(sorted(best.items(), key=lambda one: -one[1]))
