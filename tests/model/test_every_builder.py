"""Every builder of torchvision gives through vidinfer what it gives through torchvision: the smallest of each
architecture family by default, but for the slowest of each task; all of them with ``make test-models``."""

from __future__ import annotations

import pytest
from torchvision.models import list_models

from tests.model.parity import families, measure
from vidinfer.model.assemble import ADAPTERS
from vidinfer.model.network import network_for
from vidinfer.model.registry import builders_by_task

SMALLEST = set(families().values())
SLOW_ON_A_CPU = {
    *(name for name in builders_by_task()["detection"] if "rcnn_resnet50" in name),
    *("retinanet_resnet50_fpn", "fcn_resnet50", "s3d", "swin3d_t"),
}
"""Of each task there are others that take the same way. R-CNNs are compared at a smaller size in test_detection.py."""


def test_an_adapter_takes_every_builder() -> None:
    tasks = {name: task for task, names in builders_by_task().items() for name in names}
    assert sorted(tasks) == list_models()
    for name, task in tasks.items():
        assert (task if task != "quantization" else "classification") in ADAPTERS, name


@pytest.mark.parametrize(
    "name",
    [
        name if name in SMALLEST - SLOW_ON_A_CPU else pytest.param(name, marks=pytest.mark.models)
        for name in list_models()
    ],
)
def test_same_as_torchvision(name: str) -> None:
    apart = measure(name)
    assert apart.compared >= 5
    assert apart.holds, apart


def test_quantized_networks_say_that_they_are() -> None:
    loaded = network_for("quantized_shufflenet_v2_x0_5", "none")
    assert (loaded.task, loaded.precision, loaded.portable) == ("classification", "int8", False)
