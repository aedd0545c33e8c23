"""``load_model``: from a name and options to a model that is ready to label. torch is loaded here, not before."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from vidinfer.errors import UsageError

if TYPE_CHECKING:
    from vidinfer.stages import Model

__all__ = ["import_libraries", "load_model"]


def load_model(
    name: str,
    *,
    weights: str = "DEFAULT",
    device: str = "auto",
    backend: str = "auto",
    precision: str = "auto",
    score_threshold: float = 0.5,
    top_k: int = 5,
    classes: Sequence[str] | None = None,
    task: str | None = None,
    labels_file: Path | None = None,
    clip_stride: Fraction | None = None,
    threads: int | None = None,
    side_by_side: int | None = None,
    allow_inexact: bool = False,
    cache: Path | None = None,
    progress: bool = False,
) -> Model:
    """Load a model.

    Args:
        name: a torchvision builder, ``demo``, ``package.module:factory`` or ``FILE.pt2``.
        weights: of a builder: one by name, a file (``.pth``, ``.pt``, ``.safetensors``), or ``none`` (random, seeded).
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
        backend, precision: ``auto`` or by name; they take effect in ``settle``, until then it is eager fp32.
        score_threshold: detections below it are not reported; 0 to 1. It may be below the model's own.
        top_k: classes per frame of a classifier, at least 1.
        classes: names to report; ``None`` for all.
        task, labels_file: of a model that is not torchvision's own (``None``: found out); class names, one per line.
        clip_stride: seconds from the start of one clip to the next; ``None``: a clip's length.
        threads: of torch during ``predict``; ``None`` for what torch uses on this thread.
        side_by_side: batches at one time: 1 for the shortest time of each, ``None`` for the most frames in all.
        allow_inexact: a backend or precision asked for by name may label otherwise than eager fp32.
        cache: folder for what is measured; ``None``: nothing is kept.
        progress: show a bar on stderr while weights are downloaded.

    Raises:
        UsageError: an option that makes no sense, or a class that the model does not have.
        ModelUnavailable: no such model, or its weights cannot be had or do not fit.
    """
    _check(score_threshold, top_k)
    import_libraries()
    from vidinfer.model.assemble import Reporting, Running, assemble
    from vidinfer.model.backends import Share, candidates_for
    from vidinfer.model.execution import choose_execution, on_cpu
    from vidinfer.model.names import read_names
    from vidinfer.model.network import network_for

    names = None if labels_file is None else read_names(labels_file)
    execution = choose_execution(device, threads)
    candidates = candidates_for(execution.device, backend, precision, Share(execution.threads, side_by_side))
    loaded = network_for(name, weights, task=task, names=names, progress=progress)
    if not loaded.portable:
        execution = on_cpu(execution, device, loaded.name, loaded.precision)
    by_name = (backend, precision) != ("auto", "auto")
    running = Running(execution, *candidates, by_name, allow_inexact, cache, side_by_side)
    return assemble(loaded, running, Reporting(score_threshold, top_k, classes, clip_stride))


def import_libraries() -> None:
    """Import torch and torchvision, which takes a second the first time; ``load_model`` does it where nobody has."""
    from vidinfer.model.lean import import_torchvision

    import_torchvision()
    from vidinfer.model import assemble  # noqa: F401 - for what it imports


def _check(score_threshold: float, top_k: int) -> None:
    if not 0.0 <= score_threshold <= 1.0:
        raise UsageError(f"score threshold must be between 0 and 1, got {score_threshold}")
    if top_k < 1:
        raise UsageError(f"top k must be at least 1, got {top_k}")
