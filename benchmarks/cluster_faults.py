"""What goes wrong in a simulated cluster, and how long units take, all from a seed.

A try's fate depends on the seed, the unit and the number of the try alone, not on the order in which tries begin.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from vidinfer.archive.unit import Unit


@dataclass(frozen=True, slots=True)
class Troubles:
    """Seconds, and shares of 1."""

    frame: float = 0.03
    """Of a worker, for a frame: 2,000 of them take a minute."""
    spread: float = 0.25
    """Sigma of a lognormal factor on each unit."""
    slow_machines: float = 0.05
    """So many machines take"""
    slowness: float = 1.4
    """times as long."""
    stragglers: float = 0.001
    """So many tries take"""
    straggling: float = 2.5
    """times as long."""
    crashes: float = 0.002
    """Tries that end with their process, somewhere on the way."""
    hangs: float = 0.0002
    """Tries that stop getting on somewhere, which is noticed after"""
    stall: float = 120.0
    poison: float = 0.0005
    """Units that end every process that tries them."""
    refused: float = 0.0002
    """Units that raise at once: their file cannot be read."""
    machine_every: float = 10 * 3600.0
    """A machine goes away so often, on average, for"""
    absence: tuple[float, float] = (300.0, 900.0)
    unseen: float = 15.0
    """Until somebody notices that it is away."""
    restart: float = 25.0
    """A process's start: the model is loaded."""
    dispatch: float = 0.005
    """From the driver's word to the worker's first step, and back again."""

    def without(self) -> Troubles:
        """Nothing goes wrong, and all is equal."""
        return Troubles(
            **dict.fromkeys(
                ("spread", "slow_machines", "stragglers", "crashes", "hangs", "poison", "refused"), 0.0
            ),
            machine_every=1e12,
        )


@dataclass(frozen=True, slots=True)
class Fate:
    """How a try goes."""

    seconds: float
    """Until it ends, one way or another."""
    end: str
    """``done``, ``crash``, ``hang``, ``poison`` or ``refused``."""


def fate_of(unit: Unit, tries: int, slowness: float, seed: int, troubles: Troubles) -> Fate:
    """Of the ``tries``-th try (from 0) on a machine that takes ``slowness`` times as long."""
    always = random.Random(f"{seed} {unit.id}")
    full = unit.frames * troubles.frame * slowness * always.lognormvariate(0, troubles.spread)
    kind = always.random()
    if kind < troubles.poison:
        return Fate(full * always.random(), "poison")
    if kind < troubles.poison + troubles.refused:
        return Fate(0.1, "refused")
    now = random.Random(f"{seed} {unit.id} {tries}")
    if now.random() < troubles.stragglers:
        full *= troubles.straggling
    kind = now.random()
    if kind < troubles.crashes:
        return Fate(full * now.random(), "crash")
    if kind < troubles.crashes + troubles.hangs:
        return Fate(full * now.random() + troubles.stall, "hang")
    return Fate(full, "done")
