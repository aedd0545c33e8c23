"""4. results + pixels -> pictures: boxes, names and class panels drawn in place with OpenCV."""

from vidinfer.annotate.annotator import DrawingAnnotator

__all__ = ["DrawingAnnotator"]
