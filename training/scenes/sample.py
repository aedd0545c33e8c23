"""Random scenes for training, every choice drawn from one seed."""

from __future__ import annotations

import numpy as np

from training.scenes.camera import Camera
from training.scenes.light import make_light
from training.scenes.props import Prop, make_prop
from training.scenes.scene import Scene
from training.scenes.street import Street, make_street
from training.scenes.traffic import populate

MOODS = ("day", "overcast", "dusk", "night")


def random_scene(seed: int, width: int, height: int) -> Scene:
    """A street, camera, light and traffic nobody chose by hand."""
    rng = np.random.default_rng(seed)
    near = rng.uniform(7.5, 15.0)
    street = make_street(rng, near, int(rng.choice([2, 2, 3, 4])))
    camera = _random_camera(rng, street, width, height)
    light = make_light(rng, str(rng.choice(MOODS, p=[0.58, 0.18, 0.14, 0.10])))
    middle = float(np.tan(camera.yaw) * (near + street.far) / 2)
    actors = populate(rng, street, middle)
    return Scene(seed, camera, light, street, actors, place_props(rng, street, middle))


def _random_camera(rng: np.random.Generator, street: Street, width: int, height: int) -> Camera:
    focal = width * rng.uniform(0.68, 1.05)
    eye = rng.uniform(3.4, 8.5)
    middle = (street.near + street.far) / 2
    below = np.arctan2(eye, middle)  # of the horizon, where the road's middle is
    aim = rng.uniform(-0.02, 0.2)  # share of the height that middle is below the centre
    pitch = float(below - np.arctan(aim * height / focal))
    return Camera(
        width, height, focal, np.array([0.0, 0.0, eye]), yaw=float(rng.uniform(-0.6, 0.6)), pitch=pitch
    )


def place_props(rng: np.random.Generator, street: Street, middle: float) -> list[Prop]:
    """Trees and lamps along both kerbs, bushes now and then."""
    props = []
    spacing = rng.uniform(7, 16)
    start = rng.uniform(0, spacing)
    for k in range(-4, 7):
        x = middle + start + k * spacing
        kind = str(rng.choice(["tree", "lamp", "none"], p=[0.5, 0.3, 0.2]))
        if kind != "none":
            props.append(make_prop(rng, kind, x, street.cycle_far + 0.6))
        if rng.random() < 0.22:
            props.append(
                make_prop(rng, str(rng.choice(["tree", "lamp"])), x + spacing / 2, street.cycle_near - 0.6)
            )
        if rng.random() < 0.2:
            props.append(make_prop(rng, "bush", x + 2, street.far - 0.4))
    return props
