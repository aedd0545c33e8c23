"""Which backend runs a model: the fastest that is exact; those that are missing, fail or are not exact are told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tests.model.backends import (
    CPU,
    EAGER,
    HEIGHT,
    NAMES,
    WIDTH,
    Wrong,
    detector,
    openvino,
    places,
    same,
    wrong,
)
from vidinfer.errors import BackendUnavailable, Interrupted, UsageError
from vidinfer.model.assemble import Reporting, Running, assemble
from vidinfer.model.backends import Candidate, Share, Supplies, candidates_for
from vidinfer.model.backends.eager import EagerFactory
from vidinfer.model.backends.mixed import MixedFactory
from vidinfer.model.backends.openvino import cpu_precisions
from vidinfer.model.execution import choose_execution
from vidinfer.model.network import Loaded
from vidinfer.parity import compare


@pytest.mark.parametrize("looks", [1, 2, 5, 12])
def test_a_stop_ends_the_choosing_and_the_model_runs_as_it_did(looks: int) -> None:
    """``looks``: how often it is asked before the answer is yes; the trials are far from over then."""
    model = detector(candidates=[openvino(), EAGER])
    batch = places(model, 4)
    before = model.predict(batch, WIDTH, HEIGHT)
    asked = iter(range(looks))
    with pytest.raises(Interrupted):
        model.settle(batch, WIDTH, HEIGHT, 2, lambda: next(asked, None) is None)
    assert (model.info.backend, model.info.precision) == ("eager", "fp32")
    assert same(before, model.predict(batch, WIDTH, HEIGHT))
    model.settle(batch, WIDTH, HEIGHT, 2)


def test_auto_takes_the_fastest_that_is_exact(tmp_path: Path) -> None:
    model = detector(candidates=[wrong(1.5), wrong(1.0)], cache=tmp_path)
    batch = places(model, 2)
    model.settle(batch, WIDTH, HEIGHT, 2)
    assert model.info.backend == "wrong"
    tried = model.info.details["candidates"]
    assert isinstance(tried, list)
    assert [one["parity"]["holds"] for one in tried] == [False, True]
    assert tried[0]["parity"]["compared"] + tried[0]["parity"]["unmatched"] > 0


def test_auto_falls_back_to_eager_where_nothing_else_is_exact() -> None:
    model = detector(candidates=[wrong(1.5), EAGER])
    model.settle(places(model, 2), WIDTH, HEIGHT, 2)
    assert (model.info.backend, model.info.precision) == ("eager", "fp32")


def test_an_inexact_backend_is_refused_with_its_figures_by_name() -> None:
    model = detector(candidates=[wrong(1.5)], by_name=True)
    with pytest.raises(
        BackendUnavailable, match=r"wrong fp32: .*compared in .*IoU.*--allow-inexact"
    ) as error:
        model.settle(places(model, 2), WIDTH, HEIGHT, 2)
    assert "\n" not in str(error.value)
    allowed = detector(candidates=[wrong(1.5)], by_name=True, allow_inexact=True)
    allowed.settle(places(allowed, 2), WIDTH, HEIGHT, 2)
    assert allowed.info.backend == "wrong"
    assert allowed.info.details["exact"] is False
    assert "gives other labels" in allowed.info.why


def test_values_that_are_not_finite_are_no_labels() -> None:
    model = detector(candidates=[wrong(float("nan")), EAGER])
    model.settle(places(model, 2), WIDTH, HEIGHT, 2)
    assert model.info.backend == "eager"
    tried = model.info.details["candidates"]
    assert isinstance(tried, list)
    assert "the network gave" in tried[0]["failure"]


def test_a_backend_that_fails_is_passed_over_and_told() -> None:
    def broken(_supplies: Supplies) -> EagerFactory:
        raise BackendUnavailable("openvino is not installed")

    missing = Candidate("openvino", "fp32", broken)
    model = detector(candidates=[missing, EAGER])
    model.settle(places(model, 2), WIDTH, HEIGHT, 2)
    assert model.info.backend == "eager"
    assert "is not installed" in json.dumps(model.info.details["candidates"])
    named = detector(candidates=[missing], by_name=True)
    with pytest.raises(BackendUnavailable, match="is not installed"):
        named.settle(places(named, 2), WIDTH, HEIGHT, 2)


def test_a_network_that_a_backend_gets_wrong_runs_in_eager() -> None:
    class Unsupported(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.special.bessel_j0(x).mean(dim=(2, 3)).repeat(1, 2)

    loaded = Loaded("own", "classification", Unsupported().eval(), NAMES, "test", None, None)
    running = Running(choose_execution("cpu", 1), candidates=[openvino(), EAGER])
    model = assemble(loaded, running, Reporting(0.2, 5, None))
    model.settle(places(model, 2), WIDTH, HEIGHT, 2)
    assert model.info.backend == "eager"
    assert "openvino cannot take this network" in json.dumps(model.info.details["candidates"])


def test_what_was_measured_is_kept_for_this_machine_and_these_versions(tmp_path: Path) -> None:
    def settled() -> list[Any]:
        model = detector(candidates=[wrong(1.0), EAGER], cache=tmp_path)
        model.settle(places(model, 2), WIDTH, HEIGHT, 2)
        tried = model.info.details["candidates"]
        assert isinstance(tried, list)
        return tried

    assert len(settled()) == 2
    (kept,) = (tmp_path / "measured").iterdir()
    facts = json.loads(kept.read_text())
    facts["rates"]["2"] = {"wrong fp32": 1000.0, "eager fp32": 1.0}
    kept.write_text(json.dumps(facts))
    assert [one["backend"] for one in settled()] == [
        "wrong"
    ]  # known to be the fastest, so the only one tried
    facts["rates"]["2"] = {"wrong fp32": 1.0, "eager fp32": 1000.0}
    kept.write_text(json.dumps(facts))
    assert [one["backend"] for one in settled()] == ["eager"]
    facts["identity"]["processor"] = "another"
    kept.write_text(json.dumps(facts))
    assert len(settled()) == 2
    kept.write_text("{")
    assert len(settled()) == 2


def test_a_cache_that_cannot_be_written_costs_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    model = detector(candidates=[wrong(1.0), EAGER], cache=tmp_path / "file")
    model.settle(places(model, 2), WIDTH, HEIGHT, 2)
    assert model.info.backend in ("wrong", "eager")


def mixed(rounded: float) -> Candidate:
    """Exact before the regions, wrong by a factor in the heads on them."""
    return Candidate("eager", "mixed", lambda _: MixedFactory(EagerFactory(CPU, "fp32"), Wrong(rounded)))


def test_mixed_rounds_in_the_heads_on_regions_only() -> None:
    model = detector(
        "fasterrcnn_mobilenet_v3_large_320_fpn", candidates=[mixed(0.0)], by_name=True, allow_inexact=True
    )
    batch = places(model, 2)
    model.settle(batch, WIDTH, HEIGHT, 2)
    assert model.info.precision == "mixed"
    # Logits of nothing but zeros: every class is as likely as any other, in all regions that the exact part proposed.
    objects = model.predict(batch, WIDTH, HEIGHT).objects
    assert objects is not None
    assert len(objects) == 0
    near = detector("fasterrcnn_mobilenet_v3_large_320_fpn", candidates=[mixed(1.0005)], by_name=True)
    reference = near.predict(batch, WIDTH, HEIGHT)
    near.settle(batch, WIDTH, HEIGHT, 2)
    found = compare(reference, near.predict(batch, WIDTH, HEIGHT), threshold=0.2, limit=100)
    assert found.holds()
    assert found.score > 0.0


def test_mixed_is_nothing_for_networks_without_heads_on_regions() -> None:
    model = detector(candidates=[mixed(1.0), EAGER])
    batch = places(model, 2)
    model.settle(batch, WIDTH, HEIGHT, 2)
    assert model.info.precision == "fp32"
    named = detector(candidates=[mixed(1.0)], by_name=True)
    with pytest.raises(
        BackendUnavailable, match=r"eager mixed: rounds in the heads on regions .* network has none"
    ):
        named.settle(batch, WIDTH, HEIGHT, 2)


def test_mixed_is_automatic_where_the_processor_computes_in_bf16() -> None:
    precisions = {one.precision for one in candidates_for(CPU, "auto", "auto", Share(1))[0]}
    assert ("mixed" in precisions) == ("bf16" in cpu_precisions())


def test_what_is_opt_in_is_never_automatic() -> None:
    found, _ = candidates_for(CPU, "auto", "auto", Share(1))
    assert {one.backend for one in found} == {"openvino", "eager"}
    assert "int8" not in {one.precision for one in found}
    found, _ = candidates_for(CPU, "compile", "auto", Share(1))
    assert [str(one) for one in found] == ["compile fp32"]
    found, _ = candidates_for(CPU, "auto", "bf16", Share(1))
    assert [str(one) for one in found] == ["openvino bf16", "eager bf16"]


@pytest.mark.parametrize(
    ("backend", "precision", "told"),
    [
        ("onnx", "auto", r"no backend 'onnx': this version has auto, openvino, cudagraphs, compile, eager"),
        ("auto", "fp8", r"no precision 'fp8': this version has auto, fp32, bf16, fp16, mixed, int8"),
        (
            "openvino",
            "fp16",
            r"backend openvino: not in fp16 on cpu here: there is openvino fp32/bf16/mixed/int8, .*eager",
        ),
        ("auto", "fp16", r"no backend in fp16 on cpu here: there is"),
    ],
)
def test_what_does_not_exist_is_named(backend: str, precision: str, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        candidates_for(CPU, backend, precision, Share(1))


def test_a_detector_with_a_way_of_its_own_stays_eager() -> None:
    class Own(nn.Module):
        def forward(self, images: list[Tensor]) -> list[dict[str, Tensor]]:
            box = torch.tensor([[0.0, 0.0, 10.0, 10.0]])
            one = {"boxes": box, "scores": torch.ones(1), "labels": torch.ones(1, dtype=torch.int64)}
            return [one for _ in images]

    loaded = Loaded("own", "detection", Own().eval(), NAMES, "test", None, None)
    running = Running(choose_execution("cpu", 1), candidates=[openvino(), EAGER])
    model = assemble(loaded, running, Reporting(0.2, 5, None))
    batch = places(model, 2)
    model.settle(batch, WIDTH, HEIGHT, 2)
    assert model.info.backend == "eager"
    assert model.predict(batch, WIDTH, HEIGHT).frames == 2
    named = assemble(
        loaded,
        Running(choose_execution("cpu", 1), candidates=[openvino()], by_name=True),
        Reporting(0.2, 5, None),
    )
    with pytest.raises(BackendUnavailable, match="way of its own"):
        named.settle(batch, WIDTH, HEIGHT, 2)
