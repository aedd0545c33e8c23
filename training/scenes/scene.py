"""One scene: a street, its light, its traffic and a camera; renders any moment of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from training.scenes.bicycle import riding
from training.scenes.camera import Camera, FloatArray
from training.scenes.canvas import Canvas
from training.scenes.light import Light
from training.scenes.mesh import rotation
from training.scenes.order import painting_order
from training.scenes.people import Limb, draw_limbs, walking
from training.scenes.props import Prop, draw_prop
from training.scenes.street import Street, draw_background, ground_shadow
from training.scenes.traffic import CATEGORIES, Actor

__all__ = ["CATEGORIES", "Label", "Scene"]

PROP_OWNER = 255
STEPS_PER_METRE = 4.2  # radians of the walking cycle per metre
PEDALS_PER_METRE = 1.3


@dataclass(frozen=True)
class Label:
    """Ground truth of one visible object.

    Attributes:
        actor: index of the object in the scene, stable over time.
        category: index into CATEGORIES.
        box: x1, y1, x2, y2 around its visible pixels, (4,), pixels.
        visible: share of the object that is neither hidden nor outside, 0..1.
        area: number of visible pixels.
    """

    actor: int
    category: int
    box: FloatArray
    visible: float
    area: int


class Scene:
    """Draws moments of one street. Deterministic in its arguments."""

    def __init__(
        self,
        seed: int,
        camera: Camera,
        light: Light,
        street: Street,
        actors: list[Actor],
        props: list[Prop],
    ) -> None:
        self.camera, self.light, self.street = camera, light, street
        self.actors, self.props = actors, props
        self.background = draw_background(np.random.default_rng(seed), street, camera, light)

    def render(self, time: float) -> tuple[npt.NDArray[np.uint8], list[Label]]:
        """RGB picture (H, W, 3) and the labels at `time` seconds."""
        canvas = Canvas(self.background.copy())
        present = [i for i, actor in enumerate(self.actors) if self._in_view(actor, time)][:200]
        bodies = {i: self._limbs(self.actors[i], time) for i in present}
        self._shadows(canvas, present, bodies, time)
        boxes = [self.actors[i].footprint(time) for i in present]
        boxes += [(p.x - 0.3, p.y - 0.3, p.x + 0.3, p.y + 0.3) for p in self.props]
        drawn: dict[int, tuple[int, float]] = {}
        for index in painting_order(boxes, float(self.camera.position[0])):
            if index >= len(present):
                canvas.owner = PROP_OWNER
                draw_prop(self.props[index - len(present)], canvas, self.camera, self.light)
                continue
            canvas.owner = index + 1
            actor = self.actors[present[index]]
            self._draw(actor, bodies[present[index]], canvas, time)
            drawn[index] = self._count(canvas, index + 1, actor, bodies[present[index]], time)
        return canvas.picture, self._labels(canvas, present, drawn)

    def _in_view(self, actor: Actor, time: float) -> bool:
        at = actor.position(time)
        pixels, depth = self.camera.project(at + np.array([[0, 0, 1.0]]))
        margin = self.camera.focal * 7.0 / max(float(depth[0]), 1.0)
        return bool(depth[0] > 3.0 and -margin < pixels[0, 0] < self.camera.width + margin)

    def _limbs(self, actor: Actor, time: float) -> list[Limb]:
        if actor.outfit is None:
            return []
        gone = actor.travel(time)
        if actor.vehicle is None and actor.category == CATEGORIES.index("bicycle"):
            return riding(actor.outfit, actor.frame, actor.phase + gone * PEDALS_PER_METRE)
        stride = 0.0 if actor.still else 1.0
        return walking(actor.outfit, actor.phase + gone * STEPS_PER_METRE, stride)

    def _corners(self, actor: Actor, limbs: list[Limb], time: float) -> FloatArray:
        """World points (N, 3) that enclose the actor, radii left out."""
        own = (
            actor.vehicle.mesh.vertices()
            if actor.vehicle
            else np.array([p for m in limbs for p in (m.start, m.end)])
        )
        result: FloatArray = own @ rotation(actor.direction(time)).T + actor.position(time)
        return result

    def _shadows(
        self, canvas: Canvas, present: list[int], bodies: dict[int, list[Limb]], time: float
    ) -> None:
        outlines = []
        sun = self.light.sun
        for i in present:
            corners = self._corners(self.actors[i], bodies[i], time)
            ground = corners - corners[:, 2:3] / sun[2] * sun
            wide = 0.0 if self.actors[i].vehicle else 0.1
            outlines.append(self.camera.project(_spread(ground, wide))[0])
        for prop in self.props:
            if prop.kind != "lamp":
                tops = prop.blobs[:, :3] + [prop.x, prop.y, 0]
                ground = tops - tops[:, 2:3] / sun[2] * sun
                outlines.append(self.camera.project(_spread(ground, 0.7))[0])
        ground_shadow(self.camera, self.light, outlines, canvas.picture)

    def _draw(self, actor: Actor, limbs: list[Limb], canvas: Canvas, time: float) -> None:
        at = actor.position(time)
        if actor.vehicle is not None:
            actor.vehicle.mesh.draw(canvas, self.camera, self.light, at, actor.direction(time))
        else:
            draw_limbs(limbs, canvas, self.camera, self.light, at, actor.direction(time))

    def _count(
        self, canvas: Canvas, owner: int, actor: Actor, limbs: list[Limb], time: float
    ) -> tuple[int, float]:
        """Own pixels in the picture before others cover them, and the share inside it."""
        pixels = self.camera.project(self._corners(actor, limbs, time))[0]
        low, high = pixels.min(axis=0), pixels.max(axis=0)
        size = np.array([self.camera.width, self.camera.height])
        inside = np.clip(high, 0, size) - np.clip(low, 0, size)
        share = float(inside.prod() / max(float((high - low).prod()), 1e-6))
        x0, y0 = (max(int(v) - 8, 0) for v in low)
        x1, y1 = (max(int(v) + 9, 0) for v in high)
        own = int(np.count_nonzero(canvas.ids[y0:y1, x0:x1] == owner))
        return own, min(share, 1.0)

    def _labels(self, canvas: Canvas, present: list[int], drawn: dict[int, tuple[int, float]]) -> list[Label]:
        counts = np.bincount(canvas.ids.ravel(), minlength=256)
        labels = []
        for index, (own, share) in drawn.items():
            area = int(counts[index + 1])
            if area == 0 or own == 0:
                continue
            box = _bounds(canvas.ids == index + 1)
            actor = present[index]
            labels.append(Label(actor, self.actors[actor].category, box, area / own * share, area))
        return labels


def _spread(points: FloatArray, by: float) -> FloatArray:
    """Points (N, 3) repeated at four corners `by` metres around each, (4 N, 3)."""
    corners = np.array([[-by, -by, 0], [-by, by, 0], [by, -by, 0], [by, by, 0]])
    result: FloatArray = (points + corners[:, None, :]).reshape(-1, 3)
    return result


def _bounds(mask: npt.NDArray[np.bool_]) -> FloatArray:
    rows = np.flatnonzero(mask.any(axis=1))
    part = mask[rows[0] : rows[-1] + 1]
    columns = np.flatnonzero(part.any(axis=0))
    return np.array([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1], dtype=np.float64)
