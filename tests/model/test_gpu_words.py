"""What is said where a GPU is missing, too old for torch, or lost: in one line, with what to do."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.model.networks import random_detector
from vidinfer.batcher import OfflineBatcher
from vidinfer.clock import MonotonicClock
from vidinfer.errors import BackendUnavailable, DeviceLost, ModelError, UsageError
from vidinfer.model.assemble import Reporting, Running, assemble
from vidinfer.model.backends import Candidate, Share, candidates_for
from vidinfer.model.backends.cudagraphs import CudaGraphsFactory
from vidinfer.model.backends.eager import EagerFactory
from vidinfer.model.engine import DensePart, Engine, Pending
from vidinfer.model.execution import Execution, choose_execution, why_no_cuda
from vidinfer.model.network import Loaded
from vidinfer.model.runner import TorchModel
from vidinfer.pipeline import Pipeline
from vidinfer.sampling import Sampler, Sampling
from vidinfer.testing import CollectSink, FakeModel, ScriptedSource, make_frames

CPU = torch.device("cpu")
SIZE = WIDTH, HEIGHT = 160, 120
OLD = (
    "CUDA initialization: The NVIDIA driver on your system is too old (found version 11040). Please update your GPU "
    "driver by downloading and installing a new version from the URL: http://www.nvidia.com/Download/index.aspx "
    "Alternatively, go to: https://pytorch.org to install a PyTorch version that has been compiled with your version "
    "of the CUDA driver. (Triggered internally at ../c10/cuda/CUDAFunctions.cpp:108.)"
)
BROKEN = (
    "CUDA initialization: Unexpected error from cudaGetDeviceCount().\nDid you run some cuda functions before"
)


@pytest.mark.parametrize(
    ("built", "warned", "told"),
    [
        (None, "", "this torch was built without CUDA"),
        ("13.0", "", "this torch is built for CUDA 13.0; no driver or no device answers"),
        (
            "13.0",
            OLD,
            "the NVIDIA driver is too old: it knows CUDA 11.4, this torch is built for CUDA 13.0; "
            "update the driver, or install a torch for that CUDA",
        ),
        (
            "13.0",
            BROKEN,
            "this torch is built for CUDA 13.0; it says: CUDA initialization: Unexpected error from "
            "cudaGetDeviceCount().",
        ),
    ],
)
def test_why_there_is_no_cuda(built: str | None, warned: str, told: str) -> None:
    assert why_no_cuda(built, warned) == told


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_not_there() -> None:
    with pytest.raises(
        UsageError, match=r"device 'cuda:1': torch .* finds no CUDA device here \(.*--device cpu"
    ):
        choose_execution("cuda:1", None)
    assert choose_execution("auto", 1).why == "no CUDA device that torch can use, so the CPU"


class Failing:
    """Fails on the device after so many batches."""

    backend, precision, fixed_rows, in_flight, in_torch = "failing", "fp32", False, 1, True

    def __init__(self, good: int, error: Exception) -> None:
        self.good, self.error = good, error

    def engine(self, part: DensePart, example: Tensor, *, rows_vary: bool = False) -> Engine:
        inner, factory = EagerFactory(CPU, "fp32").engine(part, example), self

        class Flaky:
            def submit(self, places: Tensor) -> Pending:
                factory.good -= 1
                if factory.good < 0:
                    raise factory.error
                return inner.submit(places)

        return Flaky()


def failing(error: Exception) -> tuple[TorchModel, Failing, np.ndarray[Any, Any]]:
    name = "ssdlite320_mobilenet_v3_large"
    names = ("nothing", "car", "bus", "cat", "dog", "N/A")
    loaded = Loaded(name, "detection", random_detector(name), names, "test", None, None)
    factory = Failing(10**6, error)
    running = Running(
        Execution(CPU, 1, "Some GPU"),
        candidates=[Candidate("failing", "fp32", lambda _: factory)],
        by_name=True,
    )
    model = assemble(loaded, running, Reporting(0.2, 5, None))
    spec = model.input_for(*SIZE)
    batch = model.allocate(2, spec)
    model.settle(batch, *SIZE, 2)
    return model, factory, batch


@pytest.mark.parametrize(
    "error",
    [
        torch.AcceleratorError(
            "CUDA error: unspecified launch failure\nCUDA kernel errors might be reported"
        ),
        RuntimeError("CUDA error: the launch timed out and was terminated"),
    ],
)
def test_a_gpu_that_is_lost(error: Exception) -> None:
    model, factory, batch = failing(error)
    factory.good = 0
    with pytest.raises(
        DeviceLost, match=r"the GPU failed while ssdlite.* \(Some GPU\).*CUDA error: .*--resume"
    ) as told:
        model.predict(batch, *SIZE)
    assert "\n" not in str(told.value)


def test_a_network_that_fails_is_not_a_gpu_that_is_lost() -> None:
    model, factory, batch = failing(RuntimeError("shapes do not match"))
    factory.good = 0
    with pytest.raises(ModelError, match="shapes do not match") as told:
        model.predict(batch, *SIZE)
    assert not isinstance(told.value, DeviceLost)


def test_memory_that_the_driver_lacks_halves_the_batch() -> None:
    model, factory, batch = failing(torch.AcceleratorError("CUDA error: out of memory"))
    factory.good = 0
    pending = model.submit(batch, *SIZE)
    factory.good = 10
    assert pending.results().frames == 2
    assert "1 at a time" in str(model.info.details["memory"])


def test_cuda_graphs_are_tried_first_on_a_gpu_and_nowhere_else() -> None:
    found, passed_over = candidates_for(torch.device("cuda"), "auto", "auto", Share(1))
    expected = [
        "cudagraphs fp16",
        "cudagraphs bf16",
        "cudagraphs fp32",
        "eager fp16",
        "eager bf16",
        "eager fp32",
    ]
    assert [str(one) for one in found] == expected
    assert not passed_over
    with pytest.raises(UsageError, match=r"backend cudagraphs: not on cpu here: there is openvino"):
        candidates_for(CPU, "cudagraphs", "auto", Share(1))
    with pytest.raises(BackendUnavailable, match="cudagraphs needs a CUDA device"):
        CudaGraphsFactory(CPU, "fp32")


def test_a_run_ends_at_once_with_the_gpu() -> None:
    """Not after three batches, which could not work either."""

    def lost(_batch: int) -> None:
        raise DeviceLost("the GPU failed")

    model = FakeModel(lost)
    source = ScriptedSource(make_frames(40))
    pipeline = Pipeline(
        source,
        model,
        batcher=OfflineBatcher(),
        sampler=Sampler(Sampling()),
        clock=MonotonicClock(),
        batch_size=4,
        slots=3,
    )
    sink = CollectSink()
    sink.open(source.info, model.info)
    with pytest.raises(DeviceLost, match="the GPU failed"):
        pipeline.run([sink], lambda _: None)
    assert len(model.batch_sizes) == 0
    assert not sink.batches
