"""The list of models is torchvision's own, and says what is on this machine."""

from __future__ import annotations

from pathlib import Path

from torchvision.models import get_model_weights, list_models

from vidinfer.model.registry import RUNNABLE, builders_by_task, describe_models


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
    assert 97 < best.megabytes < 99
    assert best.path == torch_home / "checkpoints" / "resnet50-11ad3fa6.pth"
    assert not best.cached
    assert found["resnet50"].runnable
    assert not found["raft_large"].runnable
    assert {model.task for model in found.values() if model.runnable} == set(RUNNABLE)


def test_cached_weights_are_seen(torch_home: Path) -> None:
    member = get_model_weights("resnet18").DEFAULT
    path = torch_home / "checkpoints" / Path(member.url).name
    path.parent.mkdir(parents=True)
    path.write_bytes(b"")
    found = {model.name: model for model in describe_models()}
    assert found["resnet18"].weights[0].cached
