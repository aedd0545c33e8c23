"""4. results + pixels -> pictures: one module per drawing, put together in annotator.py; in place, with OpenCV."""

from vidinfer.annotate.annotator import DrawingAnnotator

__all__ = ["DrawingAnnotator"]
