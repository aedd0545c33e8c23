"""Procedurally drawn street scenes with exact ground truth.

Everything here is a pure function of a seed: the same seed gives the same
street, the same traffic and the same pixels. World coordinates are metres:
x runs along the street, y away from the camera, z up.
"""

from training.scenes.scene import CATEGORIES, Label, Scene

__all__ = ["CATEGORIES", "Label", "Scene"]
