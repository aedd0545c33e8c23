"""Backends: the same labels from every one, however many frames it is given and whatever it lacks."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from tqdm import tqdm

from tests.model.backends import (
    CPU,
    HEIGHT,
    WIDTH,
    detector,
    openvino,
    places,
    same,
)
from vidinfer.detections import Results
from vidinfer.errors import BackendUnavailable, ModelError
from vidinfer.model import load_model
from vidinfer.model.backends import Candidate
from vidinfer.model.backends.compiled import CompiledFactory
from vidinfer.model.backends.eager import EagerFactory
from vidinfer.model.backends.openvino import OpenVinoFactory, cpu_precisions
from vidinfer.model.engine import DensePart, Engine, Pending


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
