"""Which object hides which, from rectangles on the ground."""

from __future__ import annotations

Box = tuple[float, float, float, float]


def painting_order(boxes: list[Box], eye_x: float) -> list[int]:
    """Indices from the farthest to the nearest.

    Boxes are x0, y0, x1, y1 on the ground with the camera at low y and
    x = `eye_x`. Two boxes apart in y are ordered by y, otherwise by how far
    to the side of the camera they are. Insertion keeps the rule between
    every pair that the rule decides, which a plain sort key cannot do.
    """
    by_depth = sorted(range(len(boxes)), key=lambda i: -(boxes[i][1] + boxes[i][3]))
    waiting = by_depth
    done: list[int] = []
    while waiting:
        free = (i for i in waiting if not any(_behind(boxes[j], boxes[i], eye_x) for j in waiting if j != i))
        pick = next(free, waiting[0])
        done.append(pick)
        waiting = [i for i in waiting if i != pick]
    return done


def _behind(a: Box, b: Box, eye_x: float) -> bool:
    """Whether `a` has to be painted before `b`."""
    if a[1] >= b[3] - 0.05:
        return not (b[0] > a[2] + 0.3 and b[0] > eye_x) and not (b[2] < a[0] - 0.3 and b[2] < eye_x)
    if b[1] >= a[3] - 0.05:
        return False
    if a[0] >= b[2]:
        return b[2] > eye_x
    if b[0] >= a[2]:
        return b[0] < eye_x
    return a[1] + a[3] > b[1] + b[3]
