"""Stage 3: batches in, results out. The only place that knows torch, which it loads when a model is asked for."""

from vidinfer.model.load import import_libraries, load_model

__all__ = ["import_libraries", "load_model"]
