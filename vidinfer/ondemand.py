"""The model of a run, loaded and settled when it is first needed."""

from __future__ import annotations

from vidinfer.build import check_outputs, open_model, settle
from vidinfer.config import RunConfig
from vidinfer.plan import ThreadPlan
from vidinfer.stages import Model, Source

__all__ = ["ModelOnDemand"]


class ModelOnDemand:
    """Loaded for the first source that can be read: nobody waits for a download only to hear of a broken file."""

    def __init__(self, config: RunConfig, plan: ThreadPlan) -> None:
        self._config = config
        self._plan = plan
        self._model: Model | None = None
        self._settled: set[tuple[int, int]] = set()

    def get(self) -> Model:
        """The model, the same at each call.

        Raises:
            ModelUnavailable: no such model, or no weights.
            UsageError: a class, device, backend, precision or output that it does not have.
        """
        if self._model is None:
            self._model = open_model(self._config, self._plan, progress=True)
            check_outputs(self._config, self._model.info)
        return self._model

    def settle(self, source: Source, sources: int) -> None:
        """Let the model choose how it runs on pictures of this size; what it chose before holds for all of that size.

        ``sources``: how many are still to come, this one included.

        Raises:
            BackendUnavailable: what was asked for by name is not there, fails, or is not exact.
        """
        size = (source.info.width, source.info.height)
        if size not in self._settled:
            settle(self.get(), source, self._config, keep_pictures=self._config.video, sources=sources)
            self._settled.add(size)

    def __enter__(self) -> ModelOnDemand:
        return self

    def __exit__(self, *_: object) -> None:
        if self._model is not None:
            self._model.close()
