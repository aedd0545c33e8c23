"""``vidinfer models``: what can be run, by task, and what is on this machine already."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vidinfer.cli.cache import cache_folder
from vidinfer.cli.parser import Parser, parse
from vidinfer.cli.speed import speed_here, speed_words
from vidinfer.cli.text import printable, table
from vidinfer.errors import ModelUnavailable, UsageError

if TYPE_CHECKING:
    from vidinfer.model.catalogue import ModelDetails, WeightsDetails
    from vidinfer.model.registry import ModelDescription, WeightsDescription

__all__ = ["details_as_dict", "models", "models_parser"]

NAMED = 12
"""Classes that the text names before it only counts."""
COUNTED = {
    "detection": "square frame",
    "segmentation": "square frame",
    "video": "clip of 16 frames",
    "optical_flow": "pair of frames of 512x512",
}
"""What torchvision counted the GFLOPs of, where it is not just any frame."""


def models_parser() -> Parser:
    """The parser of ``vidinfer models``."""
    parser = Parser(
        prog="vidinfer models",
        usage="vidinfer models [NAME] [--task T] [--sort ORDER] [--classes] [--cache DIR] [--json]",
        description="List the models by task: size, accuracy as torchvision states it, and whether the weights are "
        "on this machine. With NAME: every set of weights of one model, its input, its classes and its licence.",
    )
    parser.add_argument("name", nargs="?", metavar="NAME", help="one model, in full")
    parser.add_argument("--task", metavar="T", help="only this task")
    parser.add_argument(
        "--sort",
        metavar="ORDER",
        help="each task by accuracy (best first), size, gflops (least first) or name",
    )
    parser.add_argument("--classes", action="store_true", help="only the classes of NAME, one on a line")
    parser.add_argument(
        "--cache", metavar="DIR", help="where runs keep what they measure, for the speed here"
    )
    parser.add_argument("--json", action="store_true", help="as one JSON array")
    parser.add_argument("-v", "--verbose", action="store_true", help="a traceback with errors")
    return parser


def models(arguments: Sequence[str]) -> int:
    """Print the models.

    Returns:
        The exit status.

    Raises:
        UsageError: no such task or order, or classes of no model.
        ModelUnavailable: no such model, with the nearest names.
    """
    given = parse(models_parser(), arguments)
    if given.classes and given.name is None:
        raise UsageError("--classes: of which model? `vidinfer models NAME --classes`")
    from vidinfer.model.registry import describe_models

    found = _sorted(_chosen(describe_models(), given.name, given.task), given.sort)
    if given.name is not None:
        print(_one(found[0], given.classes, given.json, Path(given.cache) if given.cache else cache_folder()))
    elif given.json:
        print(json.dumps([_as_dict(model) for model in found], indent=2))
    else:
        print(_by_task(found))
    return 0


def _chosen(found: list[ModelDescription], name: str | None, task: str | None) -> list[ModelDescription]:
    if task is not None:
        tasks = list(dict.fromkeys(model.task for model in found))
        if task not in tasks:
            raise UsageError(f"--task {task}: expected one of {', '.join(tasks)}")
        found = [model for model in found if model.task == task]
    if name is not None:
        from vidinfer.model.registry import nearest

        names = [model.name for model in found]
        if name not in names:
            raise ModelUnavailable(
                f"no model {name!r}{nearest(name, names)}; `vidinfer models` lists them all"
            )
        return [model for model in found if model.name == name]
    return found


def _sorted(found: list[ModelDescription], order: str | None) -> list[ModelDescription]:
    """Task by task: the accuracies of different tasks do not compare."""
    if order is None:
        return found
    from vidinfer.model.registry import ORDERS, in_order

    if order not in ORDERS:
        raise UsageError(f"--sort {order}: expected one of {', '.join(ORDERS)}")
    tasks = dict.fromkeys(model.task for model in found)
    return [model for task in tasks for model in in_order([m for m in found if m.task == task], order)]


def _by_task(found: Sequence[ModelDescription]) -> str:
    blocks = []
    for task in dict.fromkeys(model.task for model in found):
        of_task = [model for model in found if model.task == task]
        header = ("model", "weights", "parameters", "size", "GFLOPs", "accuracy", "on this machine")
        rows = [header, *(_row(model) for model in of_task)]
        blocks.append(f"{task}\n\n{table(rows, right=frozenset({2, 3, 4}))}")
    return "\n\n".join(blocks) + "\n\n`vidinfer models NAME` shows every set of weights of one model."


def _row(model: ModelDescription) -> tuple[str, ...]:
    if not model.weights:
        return (model.name, "none", "", "", "", "", "")
    best = model.weights[0]
    where = "bundled" if not best.url else "yes" if best.cached else "no"
    metric = "" if best.main_metric is None else f"{best.metrics[best.main_metric]:g} {best.main_metric}"
    size, gflops = _megabytes(best.megabytes), _gflops(best.gflops)
    return (model.name, best.name, _millions(best.parameters), size, gflops, metric, where)


def _one(model: ModelDescription, classes: bool, as_json: bool, cache: Path) -> str:
    from vidinfer.model.catalogue import describe_fully

    details = describe_fully(model)
    if not classes:
        speed = speed_here(cache, model.name)
        return (
            json.dumps([details_as_dict(details, speed)], indent=2) if as_json else _in_full(details, speed)
        )
    names = next((weights.classes for weights in details.weights if weights.classes), ())
    if not names:
        raise UsageError(f"--classes: {model.name} names no classes")
    return json.dumps(names, indent=2) if as_json else "\n".join(map(printable, names))


def _in_full(details: ModelDetails, speed: dict[str, Any] | None) -> str:
    model = details.listed
    lines = [f"{model.name}: {model.task}", f"speed here: {speed_words(speed)}"]
    for weights in details.weights:
        listed = weights.listed
        default = " (default)" if listed.default and listed.name != "DEFAULT" else ""
        rows = [("  " + name, value) for name, value in _facts(model.task, weights) if value]
        lines.append(f"\nweights {listed.name}{default}\n{table(rows)}")
    return "\n".join(lines)


def _facts(task: str, weights: WeightsDetails) -> list[tuple[str, str]]:
    """Names and values; those without a value are not shown."""
    listed = weights.listed
    gflops = _gflops(listed.gflops)
    return [
        ("parameters", _millions(listed.parameters)),
        ("size", _megabytes(listed.megabytes)),
        ("GFLOPs", gflops and f"{gflops} (multiply-adds) per {COUNTED.get(task, 'frame')}"),
        *((name, f"{value:g}") for name, value in listed.metrics.items()),
        ("kernels", weights.backend or ""),
        ("file", f"{listed.path} ({'there' if listed.cached else 'not there'})"),
        ("address", listed.url),
        ("SHA-256 begins with", weights.sha256_prefix or ""),
        *weights.input.words.items(),
        ("classes", _classes(weights.classes)),
        (
            "keypoints",
            f"{len(weights.keypoints)}: {', '.join(weights.keypoints)}" if weights.keypoints else "",
        ),
        ("recipe", weights.recipe or ""),
        ("licence", weights.licence),
    ]


def _classes(names: Sequence[str]) -> str:
    if not names:
        return "none"
    more = len(names) - NAMED
    rest = f" and {more} more (--classes names all)" if more > 0 else ""
    return f"{len(names)}: {', '.join(names[:NAMED])}{rest}"


def details_as_dict(details: ModelDetails, speed: dict[str, Any] | None = None) -> dict[str, Any]:
    """One model as ``--json`` gives it, with its ``speed_here``."""
    return {
        **_as_dict(details.listed),
        "speed_here": speed,
        "weights": [_details_as_dict(weights) for weights in details.weights],
    }


def _details_as_dict(weights: WeightsDetails) -> dict[str, Any]:
    return {
        **_weights_as_dict(weights.listed),
        "sha256_prefix": weights.sha256_prefix,
        "backend": weights.backend,
        "input": {**weights.input.figures, "words": dict(weights.input.words)},
        "number_of_classes": len(weights.classes),
        "classes": list(weights.classes),
        "categories": list(weights.categories),
        "keypoints": list(weights.keypoints),
        "recipe": weights.recipe,
        "licence": weights.licence,
    }


def _as_dict(model: ModelDescription) -> dict[str, Any]:
    return {
        "name": model.name,
        "task": model.task,
        "weights": [_weights_as_dict(weights) for weights in model.weights],
    }


def _weights_as_dict(weights: WeightsDescription) -> dict[str, Any]:
    return {
        "name": weights.name,
        "default": weights.default,
        "url": weights.url or None,
        "path": str(weights.path),
        "cached": weights.cached,
        "megabytes": weights.megabytes,
        "parameters": weights.parameters,
        "gflops": weights.gflops,
        "metrics": dict(weights.metrics),
        "main_metric": weights.main_metric,
    }


def _millions(parameters: int | None) -> str:
    return "" if parameters is None else f"{parameters / 1e6:.1f} M"


def _megabytes(megabytes: float | None) -> str:
    return "" if megabytes is None else f"{megabytes:.1f} MB"


def _gflops(gflops: float | None) -> str:
    return "" if gflops is None else f"{gflops:g}"
