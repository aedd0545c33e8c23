"""Backends: the same labels from every one, and what happens where one is missing, fails, or is not exact."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from tqdm import tqdm

from tests.model.frames import scene
from tests.model.networks import random_detector
from vidinfer.detections import Results
from vidinfer.errors import BackendUnavailable, Interrupted, ModelError, UsageError
from vidinfer.model import load_model
from vidinfer.model.assemble import Reporting, Running, assemble
from vidinfer.model.backends import Candidate, Share, Supplies, candidates_for
from vidinfer.model.backends.compiled import CompiledFactory
from vidinfer.model.backends.eager import EagerFactory
from vidinfer.model.backends.mixed import MixedFactory
from vidinfer.model.backends.openvino import OpenVinoFactory, cpu_precisions
from vidinfer.model.engine import DensePart, Engine, Pending
from vidinfer.model.execution import choose_execution
from vidinfer.model.graphs import KEPT, GraphStore
from vidinfer.model.network import Loaded
from vidinfer.model.runner import TorchModel
from vidinfer.parity import compare

CPU = torch.device("cpu")
WIDTH, HEIGHT = 320, 240
NAMES = ("nothing", "car", "bus", "cat", "dog", "N/A")


def pictures(count: int) -> list[np.ndarray[Any, Any]]:
    return [scene(WIDTH, HEIGHT, seed=i) for i in range(count)]


def places(model: TorchModel, count: int) -> np.ndarray[Any, Any]:
    spec = model.input_for(WIDTH, HEIGHT)
    slot = model.allocate(count, spec)
    for picture, place in zip(pictures(count), slot, strict=True):
        spec.prepare(picture, place)
    return slot


def detector(name: str = "ssdlite320_mobilenet_v3_large", **running: Any) -> TorchModel:
    """A detector with random weights that finds things, and what may run it."""
    size = {"min_size": 128, "max_size": 256} if name.startswith("fcos") else {}
    loaded = Loaded(name, "detection", random_detector(name, **size), NAMES, "test", name, None)
    return assemble(loaded, Running(choose_execution("cpu", 1), **running), Reporting(0.2, 5, None))


def openvino(precision: str = "fp32") -> Candidate:
    return Candidate("openvino", precision, lambda supplies: OpenVinoFactory(precision, 2, supplies))


EAGER = Candidate("eager", "fp32", lambda _: EagerFactory(CPU, "fp32"))


class Wrong:
    """A backend whose numbers are a little, or entirely, off."""

    backend, precision, fixed_rows, in_torch, in_flight = "wrong", "fp32", False, True, 1

    def __init__(self, factor: float) -> None:
        self._factor = factor

    def engine(self, part: DensePart, example: Tensor, *, rows_vary: bool = False) -> Engine:
        return WrongEngine(EagerFactory(CPU, "fp32").engine(part, example), self._factor)


class WrongEngine:
    def __init__(self, engine: Engine, factor: float) -> None:
        self._engine, self._factor = engine, factor

    def submit(self, places: Tensor) -> Pending:
        pending = self._engine.submit(places)
        factor = self._factor

        class Scaled:
            def result(self) -> tuple[Tensor, ...]:
                return tuple(output * factor for output in pending.result())

        return Scaled()


def wrong(factor: float) -> Candidate:
    return Candidate("wrong", "fp32", lambda _: Wrong(factor))


def same(reference: Results, other: Results) -> bool:
    """Far within the gate: backends in fp32 differ in the order of sums only."""
    found = compare(reference, other, threshold=0.2, limit=100)
    return found.unmatched == 0 and found.iou > 0.9999 and found.score < 1e-4 and found.compared > 0


@pytest.mark.parametrize(
    "name", ["ssdlite320_mobilenet_v3_large", "fasterrcnn_mobilenet_v3_large_320_fpn", "fcos_resnet50_fpn"]
)
def test_openvino_finds_what_eager_finds(name: str) -> None:
    model = detector(name, candidates=[openvino()], by_name=True)
    batch = places(model, 3)
    reference = model.predict(batch, WIDTH, HEIGHT)
    model.settle(batch, WIDTH, HEIGHT, 3)
    assert (model.info.backend, model.info.precision) == ("openvino", "fp32")
    assert same(reference, model.predict(batch, WIDTH, HEIGHT))


@pytest.mark.parametrize("name", ["ssdlite320_mobilenet_v3_large", "fasterrcnn_mobilenet_v3_large_320_fpn"])
def test_a_kept_network_serves_every_batch_size(name: str, tmp_path: Path) -> None:
    for rows in (3, 2, 5):
        model = detector(name, candidates=[openvino()], by_name=True, cache=tmp_path)
        batch = places(model, rows)
        reference = model.predict(batch, WIDTH, HEIGHT)
        model.settle(batch, WIDTH, HEIGHT, rows)
        assert same(reference, model.predict(batch, WIDTH, HEIGHT))


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


def test_several_batches_on_their_way_come_back_in_order_and_whole() -> None:
    model = detector(candidates=[openvino()], by_name=True)
    batch = places(model, 6)
    one_by_one = [model.predict(batch[i : i + 1], WIDTH, HEIGHT) for i in range(6)]
    model.settle(batch, WIDTH, HEIGHT, 2)
    assert model.in_flight == 3
    # The last one is of another size: it travels in a graph made for two.
    parts = [batch[0:2], batch[2:4], batch[4:5]]
    pending = [model.submit(part, WIDTH, HEIGHT) for part in parts]
    results = [one.results() for one in pending]
    assert [one.frames for one in results] == [2, 2, 1]
    found = Results.joined(results)
    assert same(Results.joined(one_by_one[:5]), found)


def test_bf16_is_what_the_processor_can() -> None:
    if "bf16" in cpu_precisions():
        assert OpenVinoFactory("bf16", 1).precision == "bf16"
    else:
        with pytest.raises(BackendUnavailable, match="does not compute in bf16"):
            OpenVinoFactory("bf16", 1)


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


class Branching(nn.Module):
    """What it computes depends on the values: no static graph can hold it."""

    def forward(self, x: Tensor) -> Tensor:
        rows = [row.flatten()[: 6 if float(row.sum()) > 0 else 7] for row in x]
        return torch.stack([row[:6] for row in rows])


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


def test_quantised_builders_run_as_they_were_made() -> None:
    with pytest.raises(BackendUnavailable, match="eager torch only"):
        load_model("quantized_resnet18", weights="none", backend="openvino")


def test_a_device_without_memory_takes_half_of_the_batch() -> None:
    class Small:
        """Has memory for three frames."""

        backend, precision, fixed_rows, in_torch, in_flight = "small", "fp32", False, True, 1

        def __init__(self, room: int) -> None:
            self._room = room

        def engine(self, part: DensePart, example: Tensor, *, rows_vary: bool = False) -> Engine:
            inner, room = EagerFactory(CPU, "fp32").engine(part, example), self._room

            class Cramped:
                def submit(self, places: Tensor) -> Pending:
                    if len(places) > room:
                        raise torch.OutOfMemoryError("CUDA out of memory")
                    return inner.submit(places)

            return Cramped()

    sizes = Candidate("small", "fp32", lambda _: Small(3))
    model = detector(candidates=[sizes], by_name=True, allow_inexact=True)
    batch = places(model, 8)
    reference = model.predict(batch, WIDTH, HEIGHT)
    model.settle(batch, WIDTH, HEIGHT, 2)
    assert same(reference, model.predict(batch, WIDTH, HEIGHT))
    assert "2 at a time" in str(model.info.details["memory"])
    none = detector(candidates=[Candidate("small", "fp32", lambda _: Small(0))], by_name=True)
    with pytest.raises((BackendUnavailable, ModelError), match="out of memory"):
        none.settle(batch, WIDTH, HEIGHT, 2)


def test_int8_is_calibrated_on_the_frames_and_what_it_costs_is_told(tmp_path: Path) -> None:
    int8 = Candidate("openvino", "int8", lambda supplies: OpenVinoFactory("int8", 2, supplies))
    model = detector(candidates=[int8], by_name=True, allow_inexact=True, cache=tmp_path)
    batch = places(model, 4)
    reference = model.predict(batch, WIDTH, HEIGHT)
    model.settle(batch, WIDTH, HEIGHT, 2)
    assert (model.info.backend, model.info.precision) == ("openvino", "int8")
    tried = model.info.details["candidates"]
    assert isinstance(tried, list)
    assert tried[0]["parity"]["frames"] > 0
    other = model.predict(batch, WIDTH, HEIGHT)
    assert reference.objects is not None
    assert other.objects is not None
    assert not np.array_equal(reference.objects.scores, other.objects.scores)  # it did compute otherwise


@pytest.mark.slow
def test_compile_finds_what_eager_finds() -> None:
    model = detector(
        candidates=[Candidate("compile", "fp32", lambda _: CompiledFactory(CPU, "fp32"))], by_name=True
    )
    batch = places(model, 3)
    reference = model.predict(batch, WIDTH, HEIGHT)
    model.settle(batch, WIDTH, HEIGHT, 2)
    assert model.info.backend == "compile"
    assert same(reference, model.predict(batch, WIDTH, HEIGHT))
    _end_threads_of_the_compiler()


def _end_threads_of_the_compiler() -> None:
    """They live as long as the process: a pool to compile in, and one of the library that shows bars."""
    from torch._inductor.async_compile import AsyncCompile, shutdown_compile_workers

    if AsyncCompile.pool.cache_info().currsize:
        AsyncCompile.pool().shutdown()
        AsyncCompile.pool.cache_clear()
    shutdown_compile_workers()
    if tqdm.monitor is not None:
        tqdm.monitor.exit()


def test_compile_without_a_compiler_is_named() -> None:
    code = (
        "import torch\n"
        "from vidinfer.model.backends.compiled import CompiledFactory\n"
        "CompiledFactory(torch.device('cpu'), 'fp32')\n"
    )
    environment = {
        **os.environ,
        "PATH": "/nowhere",
        "CXX": "no-such-compiler",
    }  # torch looks once in a process
    found = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert "BackendUnavailable: compile needs a C++ compiler" in found.stderr
    assert "apt-get install g++" in found.stderr


def test_converted_networks_are_kept_and_a_damaged_one_is_made_anew(tmp_path: Path) -> None:
    store = GraphStore(tmp_path, {"model": "test"})
    part = nn.Conv2d(3, 4, 3)

    class Nhwc(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = part

        def forward(self, x: Tensor) -> tuple[Tensor, ...]:
            return (self.conv(x.permute(0, 3, 1, 2)),)

    example = torch.rand(2, 8, 8, 3)

    def outputs() -> Tensor:
        factory = OpenVinoFactory("fp32", 1, Supplies(graphs=store))
        return factory.engine(Nhwc(), example).submit(example).result()[0].clone()

    first = outputs()
    (kept,) = (tmp_path / "graphs").glob("*.xml")
    assert torch.equal(first, outputs())
    kept.write_text("<net")
    assert torch.equal(first, outputs())
    kept.with_suffix(".bin").unlink()
    assert torch.equal(first, outputs())


def test_only_so_many_converted_networks_are_kept(tmp_path: Path) -> None:
    for i in range(KEPT + 3):
        store = GraphStore(tmp_path, {"model": i})
        path = store.path_for(nn.Identity(), torch.zeros(1, 2))
        assert path is not None

        def save(to: Path) -> None:
            to.write_text("graph")
            to.with_suffix(".bin").write_text("weights")

        store.keep(path, save)
    assert len(list((tmp_path / "graphs").glob("*.xml"))) == KEPT
    assert len(list((tmp_path / "graphs").glob("*.bin"))) == KEPT


def test_a_full_disk_keeps_nothing_and_leaves_nothing(tmp_path: Path) -> None:
    store = GraphStore(tmp_path, {})
    path = store.path_for(nn.Identity(), torch.zeros(1, 2))
    assert path is not None

    def save(to: Path) -> None:
        to.write_text("half a")
        raise OSError("no space left on device")

    store.keep(path, save)
    assert list((tmp_path / "graphs").iterdir()) == []
