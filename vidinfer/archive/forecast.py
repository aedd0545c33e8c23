"""How long the rest of an archive will take: what a frame of each kind costs is learned while units are labelled.

A kind is a codec and a picture size. Its cost is measured on the units of it that ended or are under way, in seconds
of one worker; a kind that nobody has seen yet is guessed from the others by its pixels. What a unit costs however short
it is (opening, committing) is told from short and long ones of a kind, and taken for the same of all kinds. The units
that wait are then handed out in their order to as many workers as there are, in thought, and the last one to end says
when. What happened before a worker's first frame (loading, choosing) is no part of any cost; what it labelled in its
first seconds, when everything takes longer, counts as quicker by as much as the kinds in it were since then.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from vidinfer.archive.unit import Unit

__all__ = ["Forecast"]

BYTES_A_FRAME = 20_000
"""Of a file that does not say how many frames it has; about right for 1080p at 4 Mbit/s."""
MODEL_PIXELS = 4e6
"""A frame costs as if it had so many pixels more: the model's part, until kinds of other sizes tell. About right for
resnet50; less for the lightest models, far more for R-CNNs."""
MOST = 0.8
"""Of a unit under way whose length nobody knows, this much is thought to be done at most."""
DOUBT = 75.0
"""Frames that the guess for a kind counts as, against those that were measured: what a process does first of a kind
takes it longer."""
WARM = 10.0
"""Seconds that a worker takes to get up to speed: measured, 20 to 60 % slower at first."""
UNSURE = 30.0
"""Seconds of workers that the guess counts as that they were as quick at first as later."""
SLOWEST = 0.5
"""Twice as slow at first as later, at most."""
USUAL_OVERHEAD = 0.05
"""Seconds of a worker for each unit, until units of several lengths tell."""
ONE_BY_ONE = 2000
"""Units that wait, up to which they are handed out in thought; more even out."""


@dataclass(slots=True)
class _Kind:
    pixels: float
    total: float = 0.0
    """Frames of all units, as claimed or guessed;"""
    settled: float = 0.0
    """of those that are done, failed or given up;"""
    waiting: float = 0.0
    """and of those that nobody has begun."""
    units: int = 0
    """How many these are in all,"""
    units_settled: int = 0
    units_waiting: int = 0
    seconds: float = 0.0
    """Of workers, measured, for"""
    frames: float = 0.0
    """so many of those."""
    early_seconds: float = 0.0
    early_frames: float = 0.0
    """The same of workers that were not yet up to speed."""
    claimed: float = 0.0
    """Frames of units that ended, and how many"""
    decoded: float = 0.0
    """were decoded: fewer where a part is left out."""


@dataclass(slots=True)
class _Lengths:
    """Of units of a kind that were timed from commit to commit: what tells their overhead."""

    count: int = 0
    inverse: float = 0.0
    """Sum of 1/frames,"""
    inverse_square: float = 0.0
    """of 1/frames²,"""
    rate: float = 0.0
    """of seconds/frames,"""
    rate_inverse: float = 0.0
    """and of seconds/frames²."""

    def add(self, frames: float, seconds: float) -> None:
        """One more."""
        self.count += 1
        self.inverse += 1 / frames
        self.inverse_square += 1 / frames**2
        self.rate += seconds / frames
        self.rate_inverse += seconds / frames**2


@dataclass(slots=True)
class _Flight:
    """A unit under way."""

    unit: Unit
    kind: _Kind
    begun: float
    first: tuple[float, int] | None = None
    """When frames were first heard of, and how many."""
    last: tuple[float, int] = (0.0, 0)


@dataclass(slots=True)
class Forecast:
    """Thread rule: one thread. Memory: a few words for each kind and each unit under way."""

    _kinds: dict[str, _Kind] = field(default_factory=dict)
    _lengths: dict[str, _Lengths] = field(default_factory=dict)
    """By kind;"""
    _early: dict[str, _Lengths] = field(default_factory=dict)
    """those of workers that were not yet up to speed."""
    _flights: dict[str, _Flight] = field(default_factory=dict)
    _free: dict[str, float] = field(default_factory=dict)
    """When each worker committed its last unit."""
    _started: dict[str, float] = field(default_factory=dict)
    """When each worker had its first frame."""
    _busy: deque[int] = field(default_factory=lambda: deque(maxlen=40))
    """Workers that had something to do, of late."""

    def add(self, unit: Unit, *, done: bool = False) -> None:
        """A unit of the run; ``done``: it needs no work any more."""
        kind, frames = self._kind(unit), frames_of(unit)
        kind.total += frames
        kind.units += 1
        if done:
            kind.settled += frames
            kind.units_settled += 1
        else:
            kind.waiting += frames
            kind.units_waiting += 1

    def withdrawn(self, unit: Unit) -> None:
        """It waited, and need not be done."""
        kind, frames = self._kind(unit), frames_of(unit)
        kind.total -= frames
        kind.waiting -= frames
        kind.units -= 1
        kind.units_waiting -= 1

    def begun(self, unit: Unit, now: float) -> None:
        """A worker has it."""
        kind = self._kind(unit)
        kind.waiting -= frames_of(unit)
        kind.units_waiting -= 1
        self._flights[unit.id] = _Flight(unit, kind, now)

    def heard(self, unit: Unit, decoded: int, now: float) -> None:
        """So many of its frames are decoded."""
        flight = self._flights.get(unit.id)
        if flight is not None and decoded > flight.last[1]:
            flight.last = (now, decoded)
            flight.first = flight.first or flight.last

    def ended(self, unit: Unit, worker: str, decoded: int, now: float) -> None:
        """It is committed."""
        flight = self._flights.pop(unit.id)
        kind, frames = flight.kind, frames_of(unit)
        kind.settled += frames
        kind.units_settled += 1
        kind.claimed += frames
        kind.decoded += decoded
        since, self._free[worker] = self._free.get(worker), now
        started = self._started.setdefault(worker, now if flight.first is None else flight.first[0])
        if since is not None:  # from one commit to the next: what lies between units is part of the cost
            seconds = now - since
        elif flight.first is not None and decoded > flight.first[1]:  # a worker's first: without its start-up
            seconds = (now - flight.first[0]) * decoded / (decoded - flight.first[1])
        else:
            return
        if early := now - started < WARM:
            kind.early_seconds += seconds
            kind.early_frames += frames
        else:
            kind.seconds += seconds
            kind.frames += frames
        if since is not None:
            lengths = self._early if early else self._lengths
            lengths.setdefault(key_of(unit), _Lengths()).add(frames, seconds)

    def freed(self, worker: str, now: float | None) -> None:
        """A worker ended a unit badly; ``None``: itself, too, and another begins in its place."""
        if now is None:
            self._free.pop(worker, None)
            self._started.pop(worker, None)
        else:
            self._free[worker] = now

    def dropped(self, unit: Unit) -> None:
        """It failed, or is given up."""
        flight = self._flights.pop(unit.id)
        flight.kind.settled += frames_of(unit)
        flight.kind.units_settled += 1

    def back(self, unit: Unit) -> None:
        """It is to be done again, by somebody."""
        flight = self._flights.pop(unit.id, None)
        kind, frames = self._kind(unit), frames_of(unit)
        if flight is None:
            kind.settled -= frames
            kind.units_settled -= 1
        kind.waiting += frames
        kind.units_waiting += 1

    def share(self) -> float:
        """Of the whole work, 0 to 1, what is done."""
        costs, overhead = self._costs()
        total = sum(kind.total * costs[name] + kind.units * overhead for name, kind in self._kinds.items())
        if total <= 0:
            return 1.0
        done = sum(
            kind.settled * costs[name] + kind.units_settled * overhead for name, kind in self._kinds.items()
        )
        done += sum(self._done(flight) * costs[key_of(flight.unit)] for flight in self._flights.values())
        return min(1.0, max(0.0, done / total))

    def left(self, now: float, waiting: Iterable[Unit]) -> float | None:
        """Seconds until the last unit is done; ``None``: nothing was measured yet.

        Args:
            now: on the clock of the other calls.
            waiting: units that nobody has begun, in their order; not looked at where they are too many to matter.
        """
        self._busy.append(len(self._flights))
        queued = sum(kind.waiting for kind in self._kinds.values())
        if queued <= 0 and not self._flights:
            return 0.0
        if not any(kind.frames or kind.early_frames for kind in self._kinds.values()) and not any(
            map(_seen, self._flights.values())
        ):
            return None
        costs, overhead = self._costs()
        ends = [
            self._rest(flight, costs[key_of(flight.unit)], overhead, now) for flight in self._flights.values()
        ]
        ends += [0.0] * (max(1, *self._busy) - len(ends))
        heapq.heapify(ends)
        units = []
        for unit in waiting:
            units.append(unit)
            if len(units) > ONE_BY_ONE:
                total = sum(
                    kind.waiting * costs[name] + kind.units_waiting * overhead
                    for name, kind in self._kinds.items()
                )
                return max(max(ends), (sum(ends) + total) / len(ends))
        for unit in units:
            heapq.heapreplace(ends, ends[0] + frames_of(unit) * costs[key_of(unit)] + overhead)
        return max(ends)

    def _kind(self, unit: Unit) -> _Kind:
        found = self._kinds.get(key_of(unit))
        if found is None:
            found = self._kinds[key_of(unit)] = _Kind(MODEL_PIXELS + (unit.pixels or 1e6))
        return found

    def _costs(self) -> tuple[dict[str, float], float]:
        """Seconds of one worker for a frame of each kind, and for each unit whatever its length."""
        early_overhead = _overhead(self._early, USUAL_OVERHEAD)
        early = {
            name: (_without(kind.early_seconds, self._early.get(name), early_overhead), kind.early_frames)
            for name, kind in self._kinds.items()
        }
        quicker = self._quicker(early, early_overhead)
        overhead = _overhead(self._lengths, early_overhead * quicker)
        measured = self._measured(overhead)
        for name, (seconds, of) in early.items():
            measured[name] = (measured[name][0] + seconds * quicker, measured[name][1] + of)
        weight = sum(of * self._kinds[name].pixels for name, (_, of) in measured.items())
        scale = sum(seconds for seconds, _ in measured.values()) / weight if weight else 1e-6
        costs = {
            name: (DOUBT * scale * self._kinds[name].pixels + seconds) / (DOUBT + of)
            for name, (seconds, of) in measured.items()
        }
        return costs, overhead

    def _measured(self, overhead: float) -> dict[str, tuple[float, float]]:
        """Seconds and frames by kind, of workers that are up to speed, and of units under way."""
        found = {
            name: (_without(kind.seconds, self._lengths.get(name), overhead), kind.frames)
            for name, kind in self._kinds.items()
        }
        for flight in self._flights.values():
            if flight.first is not None and _seen(flight):
                seconds, of = found[key_of(flight.unit)]
                frames = (flight.last[1] - flight.first[1]) / _decoded_of_claimed(flight.kind)
                found[key_of(flight.unit)] = seconds + flight.last[0] - flight.first[0], of + frames
        return found

    def _quicker(self, early: dict[str, tuple[float, float]], overhead: float) -> float:
        """What the time of a worker's first seconds is multiplied by: from kinds that were seen then and later."""
        then = since = 0.0
        for name, (seconds, frames) in self._measured(overhead).items():
            if frames and early[name][1]:
                then += early[name][0]
                since += early[name][1] * seconds / frames
        return min(1.0, max(SLOWEST, (since + UNSURE) / (then + UNSURE)))

    def _done(self, flight: _Flight) -> float:
        """Frames of a unit under way that are done, of those claimed."""
        frames, decoded = frames_of(flight.unit), flight.last[1] / _decoded_of_claimed(flight.kind)
        if flight.unit.frames:
            return min(frames, decoded)
        return frames * decoded / max(frames, decoded / MOST)  # a guess may be far too low

    def _rest(self, flight: _Flight, cost: float, overhead: float, now: float) -> float:
        """Half of the overhead is thought to come before the first frame, half behind the last."""
        frames = frames_of(flight.unit)
        if flight.first is None:
            return max(0.0, frames * cost + overhead - (now - flight.begun))
        rest = (frames - self._done(flight)) * cost - (now - flight.last[0])
        return max(0.0, rest) + overhead / 2


def _overhead(lengths: dict[str, _Lengths], usual: float) -> float:
    """Seconds of one worker for each unit, whatever its length.

    Least squares of seconds = cost x frames + overhead with a cost for each kind and one overhead, each unit weighed by
    1/frames²: units of a kind differ by a share of what they take. Where lengths hardly differ, what is usual counts
    (a prior whose spread is 0.2 s, beside costs that differ by a fifth).
    """
    told = lengths.values()
    seconds = sum(of.rate_inverse - of.inverse * of.rate / of.count for of in told)
    units = sum(of.inverse_square - of.inverse**2 / of.count for of in told)
    count = sum(of.count for of in told)
    prior = (sum(of.rate for of in told) / count) ** 2 if count else 1.0
    return max(0.0, (seconds + prior * usual) / (units + prior))


def _without(seconds: float, of: _Lengths | None, overhead: float) -> float:
    """What frames took; some of it is left, whatever the overhead is taken for."""
    return seconds if of is None else max(0.1 * seconds, seconds - of.count * overhead)


def _seen(flight: _Flight) -> bool:
    return flight.first is not None and flight.last[1] > flight.first[1]


def _decoded_of_claimed(kind: _Kind) -> float:
    """Of a frame that is claimed so many are decoded."""
    if not kind.claimed or not kind.decoded:
        return 1.0
    return kind.decoded / kind.claimed


def key_of(unit: Unit) -> str:
    """The kind of a unit; by the file's ending where nothing is known."""
    return unit.kind or unit.path.suffix.lower()


def frames_of(unit: Unit) -> float:
    """As claimed; a guess from the bytes where nobody says how many."""
    return float(unit.frames or max(1, unit.state[0] // BYTES_A_FRAME))
