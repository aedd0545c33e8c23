"""The scene of the sample clip: one street on a fine day, arranged in time.

People finish crossing, the queues at the zebra start up, and traffic flows.
"""

from __future__ import annotations

import numpy as np

from training.scenes.camera import Camera
from training.scenes.light import make_light
from training.scenes.props import Prop, make_prop
from training.scenes.scene import Scene
from training.scenes.street import Street
from training.scenes.traffic import (
    BUS,
    CAR,
    TRUCK,
    Actor,
    Travel,
    cyclist,
    make_motor,
    motor_actor,
    steady,
    walker,
)

BACKGROUND = 107  # seed of the houses and clouds
GREEN = 4.4  # seconds into the clip when the first vehicle moves off
REACTION = 0.42  # seconds between a vehicle and the one behind it starting
PICK_UP = 2.1  # metres per second squared
CRUISE = 8.2  # metres per second
CROSSING = (6.2, 9.8)


def showcase_scene(seed: int, width: int, height: int) -> Scene:
    """The clip's scene; the seed decides what vehicles and people look like."""
    rng = np.random.default_rng(seed)
    street = Street(
        near=9.2,
        cycle_near=12.6,
        lanes=(14.3, 17.6, 20.9),
        cycle_far=22.6,
        far=26.4,
        crossing=CROSSING,
        asphalt=(98, 103, 114),
        paving=(206, 196, 178),
        grass=(122, 170, 92),
        cycle=(178, 96, 82),
    )
    camera = Camera(
        width,
        height,
        focal=width * 0.80,
        position=np.array([0.0, 0.0, 5.6]),
        yaw=np.deg2rad(11.0),
        pitch=np.deg2rad(8.6),
    )
    light = make_light(np.random.default_rng(3), "day")
    actors = _queues(rng, street) + _cyclists(rng, street) + _crossers(rng, street) + _strollers(rng, street)
    return Scene(BACKGROUND, camera, light, street, actors, _props(rng, street))


def moving_off(start: float) -> Travel:
    """Standing until `start`, then speeding up to the cruising speed."""
    reach = CRUISE / PICK_UP

    def gone(time: float) -> float:
        driven = max(0.0, time - start)
        if driven < reach:
            return 0.5 * PICK_UP * driven**2
        return 0.5 * PICK_UP * reach**2 + CRUISE * (driven - reach)

    return gone


def _queues(rng: np.random.Generator, street: Street) -> list[Actor]:
    near = [CAR, TRUCK, CAR, BUS, CAR, CAR, TRUCK, CAR]
    far = [BUS, CAR, TRUCK, CAR, CAR, BUS, CAR]
    actors = _queue(rng, near, CROSSING[0] - 1.9, street.lane_middle(0), 0.0)
    actors += _queue(rng, far, CROSSING[1] + 1.9, street.lane_middle(1), np.pi)
    for category, x, lane, heading in ((CAR, 13.6, 0, 0.0), (TRUCK, 0.2, 1, np.pi)):
        leaving = make_motor(rng, category)
        actors.append(motor_actor(category, leaving, x, street.lane_middle(lane), heading, steady(5.5)))
    return actors


def _queue(rng: np.random.Generator, kinds: list[int], line: float, y: float, heading: float) -> list[Actor]:
    """Vehicles standing behind each other, the first at the stop line x = `line`."""
    forward = 1.0 if heading == 0.0 else -1.0
    actors = []
    front = line
    for place, category in enumerate(kinds):
        vehicle = make_motor(rng, category)
        x = front - forward * vehicle.length / 2
        actors.append(motor_actor(category, vehicle, x, y, heading, moving_off(GREEN + REACTION * place)))
        front -= forward * (vehicle.length + rng.uniform(1.6, 3.4))
    return actors


def _cyclists(rng: np.random.Generator, street: Street) -> list[Actor]:
    """Riders who are past the crossing already or reach it once it is free."""
    near = (street.cycle_near + street.lanes[0]) / 2
    far = (street.lanes[-1] + street.cycle_far) / 2
    plan = [
        (12.4, near, 0.0, 3.0),
        (-14.0, near, 0.0, 4.0),
        (-19.5, near, 0.0, 4.1),
        (-33.0, near, 0.0, 4.4),
        (2.6, far, np.pi, 2.6),
        (-2.5, far, np.pi, 2.6),
        (30.0, far, np.pi, 4.0),
        (33.5, far, np.pi, 4.0),
        (43.0, far, np.pi, 4.3),
    ]
    return [
        cyclist(rng, x, y + rng.uniform(-0.15, 0.15), heading, steady(speed)) for x, y, heading, speed in plan
    ]


def _crossers(rng: np.random.Generator, street: Street) -> list[Actor]:
    """People on the zebra who are across before the light changes and then turn along the pavement."""
    away, back = np.pi / 2, -np.pi / 2
    plan = [
        (6.8, 18.2, away, street.cycle_far + 1.3, -away),
        (7.5, 16.6, away, street.cycle_far + 2.2, away),
        (8.1, 17.6, away, street.cycle_far + 1.7, -away),
        (9.0, 17.4, back, street.near + 1.9, away),
        (8.5, 19.0, back, street.near + 2.3, back),
        (9.4, 15.8, back, street.near + 1.5, away),
    ]
    actors = []
    for x, y, heading, end, turn in plan:
        person = walker(rng, x, y, heading, steady(rng.uniform(1.42, 1.55)))
        actors.append(_with_corner(person, abs(end - y), turn))
    return actors


def _with_corner(actor: Actor, after: float, turn: float) -> Actor:
    return Actor(**{**actor.__dict__, "corner": (after, turn)})


def _strollers(rng: np.random.Generator, street: Street) -> list[Actor]:
    near, far = street.near, street.cycle_far
    plan = [  # lines in opposite directions keep apart in y
        (-3.2, near + 0.6, 0.0, 1.25),
        (-9.0, near + 0.65, 0.0, 1.35),
        (-9.3, near + 1.2, 0.0, 1.35),
        (-17.0, near + 1.0, 0.0, 1.5),
        (4.5, near + 2.75, np.pi, 1.1),
        (12.8, near + 2.8, np.pi, 1.3),
        (19.0, near + 2.7, np.pi, 1.4),
        (19.4, near + 3.1, np.pi, 1.4),
        (-5.0, far + 0.95, 0.0, 1.2),
        (0.5, far + 1.75, 0.0, 1.1),
        (-14.0, far + 1.2, 0.0, 1.45),
        (11.0, far + 2.6, np.pi, 1.2),
        (11.2, far + 3.15, np.pi, 1.2),
        (19.0, far + 3.3, np.pi, 1.3),
        (29.0, far + 2.7, np.pi, 1.45),
    ]
    return [walker(rng, x, y, heading, steady(speed)) for x, y, heading, speed in plan]


def _props(rng: np.random.Generator, street: Street) -> list[Prop]:
    kerb = street.cycle_far + 0.55
    trees = [make_prop(rng, "tree", x, kerb) for x in (-13.0, -3.6, 13.6, 22.0, 31.0, 41.0)]
    lamps = [make_prop(rng, "lamp", x, kerb) for x in (4.6, 18.0, 36.0)]
    bushes = [make_prop(rng, "bush", x, street.near - 0.7) for x in (-4.6, -2.4, 1.4, 8.4)]
    return trees + lamps + bushes
