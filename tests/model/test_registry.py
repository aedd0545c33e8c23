"""The list of models is torchvision's own, and says what is on this machine."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from torchvision.models import get_model_weights, list_models

from vidinfer.model.registry import (
    MAIN_METRICS,
    ORDERS,
    ModelDescription,
    builders_by_task,
    describe_models,
    in_order,
)


def test_every_builder_of_torchvision_has_one_task() -> None:
    tasks = builders_by_task()
    names = [name for of_task in tasks.values() for name in of_task]
    assert sorted(names) == list_models()
    assert len(tasks["classification"]) >= 80
    assert len(tasks["detection"]) >= 12


def test_descriptions_hold_the_figures_of_the_weights(torch_home: Path) -> None:
    found = {model.name: model for model in describe_models()}
    assert next(iter(found)) == "demo"
    assert set(found) == {"demo", *list_models()}
    weights = found["resnet50"].weights
    assert [w.name for w in weights] == ["IMAGENET1K_V2", "IMAGENET1K_V1"]
    best = weights[0]
    assert best.default
    assert best.metrics["ImageNet-1K acc@1"] == 80.858
    assert best.parameters == 25557032
    assert best.gflops == 4.089
    assert best.megabytes is not None
    assert abs(best.megabytes - 102.540417) < 0.001  # the file's size, in millions of bytes
    assert best.main_metric == "ImageNet-1K acc@1"
    assert best.path == torch_home / "checkpoints" / "resnet50-11ad3fa6.pth"
    assert not best.cached


def test_cached_weights_are_seen(torch_home: Path) -> None:
    member = get_model_weights("resnet18").DEFAULT
    path = torch_home / "checkpoints" / Path(member.url).name
    path.parent.mkdir(parents=True)
    path.write_bytes(b"")
    found = {model.name: model for model in describe_models()}
    assert found["resnet18"].weights[0].cached


def test_every_model_states_its_main_metric_and_only_numbers() -> None:
    for model in describe_models()[1:]:
        best = model.weights[0]
        assert best.main_metric is not None, model.name
        assert best.main_metric.endswith(MAIN_METRICS[model.task]), model.name
        values = [value for weights in model.weights for value in weights.metrics.values()]
        assert all(map(math.isfinite, values)), model.name


def figures(models: list[ModelDescription], order: str) -> list[float | str | None]:
    """What ``order`` goes by, as the weights state it."""
    found: list[float | str | None] = []
    for model in models:
        best = model.weights[0]
        metric = None if best.main_metric is None else best.metrics[best.main_metric]
        found.append(
            {"accuracy": metric, "size": best.megabytes, "gflops": best.gflops}.get(order, model.name)
        )
    return found


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("task", builders_by_task())
def test_models_are_sorted_with_the_unknown_last(task: str, order: str) -> None:
    models = [model for model in describe_models() if model.task == task]
    ordered = in_order(models, order)
    assert {model.name for model in ordered} == {model.name for model in models}
    found = figures(ordered, order)
    stated = [figure for figure in found if figure is not None]
    assert found == stated + [None] * (len(found) - len(stated))
    best_is_most = order == "accuracy" and task != "optical_flow"
    assert stated == sorted(stated, reverse=best_is_most)  # type: ignore[type-var]
