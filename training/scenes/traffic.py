"""Who is on the street, where, and how everybody moves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from training.scenes import bicycle
from training.scenes.camera import FloatArray
from training.scenes.mesh import Vec
from training.scenes.people import Outfit, make_outfit
from training.scenes.street import Street
from training.scenes.vehicles import Vehicle, make_bus, make_car, make_truck

CATEGORIES = ("__background__", "car", "truck", "bus", "bicycle", "pedestrian")
CAR, TRUCK, BUS, BICYCLE, PEDESTRIAN = 1, 2, 3, 4, 5

Travel = Callable[[float], float]  # seconds to metres gone since the start


@dataclass(frozen=True)
class Actor:
    """One labelled object on a path of one or two straight pieces.

    Attributes:
        category: index into CATEGORIES.
        start: x, y at time 0, metres, shape (2,).
        heading: radians from +x.
        travel: metres gone along the heading at a time.
        length: ground used along the heading, metres.
        width: ground used across it.
        vehicle: the solid, for motor vehicles.
        outfit: the person, for pedestrians and riders.
        frame: colour of the bicycle.
        phase: where in the step or turn of the pedals time 0 falls, radians.
        still: standing, so the legs do not move.
        corner: after so many metres, turn by so many radians.
    """

    category: int
    start: FloatArray
    heading: float
    travel: Travel
    length: float
    width: float
    vehicle: Vehicle | None = None
    outfit: Outfit | None = None
    frame: Vec = (0, 0, 0)
    phase: float = 0.0
    still: bool = False
    corner: tuple[float, float] | None = None

    def position(self, time: float) -> FloatArray:
        """World position (3,) of the foot point."""
        gone = self.travel(time)
        first = gone if self.corner is None else min(gone, self.corner[0])
        x = self.start[0] + first * np.cos(self.heading)
        y = self.start[1] + first * np.sin(self.heading)
        if self.corner is not None and gone > first:
            x += (gone - first) * np.cos(self.heading + self.corner[1])
            y += (gone - first) * np.sin(self.heading + self.corner[1])
        return np.array([x, y, 0.0])

    def direction(self, time: float) -> float:
        """Radians from +x that the actor faces; a corner is taken over half a metre."""
        if self.corner is None:
            return self.heading
        share = float(np.clip((self.travel(time) - self.corner[0]) / 0.5 + 0.5, 0, 1))
        return self.heading + self.corner[1] * share * share * (3 - 2 * share)

    def footprint(self, time: float) -> tuple[float, float, float, float]:
        """Ground rectangle x0, y0, x1, y1; paths are parallel to an axis."""
        at = self.position(time)
        sideways = abs(np.cos(self.direction(time))) > 0.7
        dx, dy = (self.length, self.width) if sideways else (self.width, self.length)
        return (at[0] - dx / 2, at[1] - dy / 2, at[0] + dx / 2, at[1] + dy / 2)


def steady(speed: float) -> Travel:
    """Movement at a constant speed in m/s."""
    return lambda time: speed * time


def make_motor(rng: np.random.Generator, category: int) -> Vehicle:
    """A motor vehicle of the category."""
    return {CAR: make_car, TRUCK: make_truck, BUS: make_bus}[category](rng)


def motor_actor(category: int, vehicle: Vehicle, x: float, y: float, heading: float, travel: Travel) -> Actor:
    """A motor vehicle whose middle is at x, y at time 0."""
    return Actor(category, np.array([x, y]), heading, travel, vehicle.length, vehicle.width, vehicle=vehicle)


def cyclist(rng: np.random.Generator, x: float, y: float, heading: float, travel: Travel) -> Actor:
    """A bicycle with its rider."""
    frame = bicycle.FRAMES[rng.integers(len(bicycle.FRAMES))]
    return Actor(
        BICYCLE,
        np.array([x, y]),
        heading,
        travel,
        bicycle.LENGTH,
        0.5,
        outfit=make_outfit(rng),
        frame=frame,
        phase=float(rng.uniform(0, 6.28)),
    )


def walker(
    rng: np.random.Generator, x: float, y: float, heading: float, travel: Travel, still: bool = False
) -> Actor:
    """A pedestrian."""
    return Actor(
        PEDESTRIAN,
        np.array([x, y]),
        heading,
        travel,
        0.6,
        0.5,
        outfit=make_outfit(rng),
        phase=float(rng.uniform(0, 6.28)),
        still=still,
    )


def populate(rng: np.random.Generator, street: Street, middle: float) -> list[Actor]:
    """Random traffic for training pictures, thickest around x = `middle`."""
    actors: list[Actor] = []
    for lane in range(street.lane_count):
        heading = 0.0 if lane < street.lane_count / 2 else np.pi
        actors += _motor_lane(rng, street.lane_middle(lane), heading, middle)
    for y0, y1, heading in (
        (street.cycle_near, street.lanes[0], 0.0),
        (street.lanes[-1], street.cycle_far, np.pi),
    ):
        actors += _cycle_lane(rng, (y0 + y1) / 2, heading, middle)
    for y0, y1 in ((street.near, street.cycle_near), (street.cycle_far, street.far)):
        actors += _pavement(rng, y0, y1, middle)
    return _without_collisions(actors + _crossing(rng, street))


def _motor_lane(rng: np.random.Generator, y: float, heading: float, middle: float) -> list[Actor]:
    actors = []
    x = middle - rng.uniform(26, 40)
    gap = rng.choice([3.0, 9.0, 18.0])
    travel = steady(rng.uniform(5, 9))  # one speed per lane, so nobody drives into anybody
    while x < middle + 45:
        category = int(rng.choice([CAR, TRUCK, BUS], p=[0.52, 0.26, 0.22]))
        vehicle = make_motor(rng, category)
        x += vehicle.length / 2
        shift = rng.normal(0, 0.15)
        actors.append(motor_actor(category, vehicle, x, y + shift, heading, travel))
        x += vehicle.length / 2 + 1.5 + rng.exponential(gap)
    return actors


def _cycle_lane(rng: np.random.Generator, y: float, heading: float, middle: float) -> list[Actor]:
    actors = []
    x = middle - rng.uniform(15, 25)
    while x < middle + 30:
        turned = heading if rng.random() < 0.9 else heading + np.pi
        actors.append(cyclist(rng, x, y + rng.normal(0, 0.25), turned, steady(4)))
        x += 2.2 + rng.exponential(7)
    return actors


def _pavement(rng: np.random.Generator, y0: float, y1: float, middle: float) -> list[Actor]:
    actors = []
    for _ in range(int(rng.integers(2, 12))):
        x, y = middle + rng.normal(0, 10), rng.uniform(y0 + 0.3, y1 - 0.3)
        heading = float(rng.choice([0.0, np.pi, 0.0, np.pi, np.pi / 2, -np.pi / 2]))
        actors.append(walker(rng, x, y, heading, steady(1.3), still=bool(rng.random() < 0.2)))
        if rng.random() < 0.25:
            actors.append(walker(rng, x + rng.uniform(-0.4, 0.4), y + 0.6, heading, steady(1.3)))
    return actors


def _crossing(rng: np.random.Generator, street: Street) -> list[Actor]:
    if street.crossing is None:
        return []
    actors = []
    for _ in range(int(rng.integers(0, 7))):
        x = rng.uniform(*street.crossing)
        y = rng.uniform(street.cycle_near, street.cycle_far)
        actors.append(walker(rng, x, y, float(rng.choice([np.pi / 2, -np.pi / 2])), steady(1.3)))
    return actors


def _without_collisions(actors: list[Actor]) -> list[Actor]:
    """Drop every actor that would stand inside an earlier one at time 0."""
    kept: list[Actor] = []
    for actor in actors:
        box = actor.footprint(0.0)
        if not any(_overlap(box, other.footprint(0.0)) for other in kept):
            kept.append(actor)
    return kept


def _overlap(a: tuple[float, float, float, float], b: tuple[float, float, float, float]) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
