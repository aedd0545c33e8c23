"""Stage 3: batches in, results out. The only place that knows torch, which it loads when a model is asked for."""

from vidinfer.model.load import load_model

__all__ = ["load_model"]
