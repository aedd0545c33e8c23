"""``vidinfer models``: what can be run, by task, and what is on this machine already."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from vidinfer.cli.parser import Parser, parse
from vidinfer.cli.text import table
from vidinfer.errors import ModelUnavailable, UsageError

if TYPE_CHECKING:
    from vidinfer.model.registry import ModelDescription, WeightsDescription

__all__ = ["models", "models_parser"]


def models_parser() -> Parser:
    """The parser of ``vidinfer models``."""
    parser = Parser(
        prog="vidinfer models",
        usage="vidinfer models [NAME] [--task T] [--json]",
        description="List the models by task: size, accuracy as torchvision states it, and whether the weights are "
        "on this machine. With NAME: every set of weights of one model.",
    )
    parser.add_argument("name", nargs="?", metavar="NAME", help="one model, in full")
    parser.add_argument("--task", metavar="T", help="only this task")
    parser.add_argument("--json", action="store_true", help="as one JSON array")
    parser.add_argument("-v", "--verbose", action="store_true", help="a traceback with errors")
    return parser


def models(arguments: Sequence[str]) -> int:
    """Print the models.

    Returns:
        The exit status.

    Raises:
        UsageError: no such task.
        ModelUnavailable: no such model, with the nearest names.
    """
    given = parse(models_parser(), arguments)
    from vidinfer.model.registry import describe_models

    found = _chosen(describe_models(), given.name, given.task)
    if given.json:
        print(json.dumps([_as_dict(model) for model in found], indent=2))
    elif given.name is not None:
        print(_in_full(found[0]))
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
    return found if task is not None else [model for model in found if model.runnable]


def _by_task(found: Sequence[ModelDescription]) -> str:
    blocks = []
    for task in dict.fromkeys(model.task for model in found):
        of_task = [model for model in found if model.task == task]
        note = "" if of_task[0].runnable else "  (this version does not run these)"
        header = ("model", "weights", "parameters", "size", "accuracy", "on this machine")
        rows = [header, *(_row(model) for model in of_task)]
        blocks.append(f"{task}{note}\n\n{table(rows, right=frozenset({2, 3}))}")
    return "\n\n".join(blocks) + "\n\n`vidinfer models NAME` shows every set of weights of one model."


def _row(model: ModelDescription) -> tuple[str, ...]:
    if not model.weights:
        return (model.name, "none", "", "", "", "")
    best = model.weights[0]
    where = "bundled" if not best.url else "yes" if best.cached else "no"
    metric = next((f"{value:g} {name}" for name, value in best.metrics.items()), "")
    return (model.name, best.name, _millions(best.parameters), _megabytes(best.megabytes), metric, where)


def _in_full(model: ModelDescription) -> str:
    lines = [f"{model.name}: {model.task}"]
    if not model.runnable:
        lines.append("this version does not run its task")
    for weights in model.weights:
        facts = [
            ("parameters", _millions(weights.parameters)),
            ("size", _megabytes(weights.megabytes)),
            ("GFLOPs per frame", "" if weights.gflops is None else f"{weights.gflops:g}"),
            *((name, f"{value:g}") for name, value in weights.metrics.items()),
            ("file", f"{weights.path} ({'there' if weights.cached else 'not there'})"),
            ("address", weights.url),
        ]
        default = " (default)" if weights.default and weights.name != "DEFAULT" else ""
        rows = [("  " + name, value) for name, value in facts if value]
        lines.append(f"\nweights {weights.name}{default}\n{table(rows)}")
    return "\n".join(lines)


def _as_dict(model: ModelDescription) -> dict[str, Any]:
    return {
        "name": model.name,
        "task": model.task,
        "runnable": model.runnable,
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
    }


def _millions(parameters: int | None) -> str:
    return "" if parameters is None else f"{parameters / 1e6:.1f} M"


def _megabytes(megabytes: float | None) -> str:
    return "" if megabytes is None else f"{megabytes:.1f} MB"
