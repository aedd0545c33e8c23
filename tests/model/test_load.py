"""``load_model``: what it takes, what it refuses, and what the model is."""

from __future__ import annotations

import subprocess
import sys
import threading

import numpy as np
import pytest
import torch

from tests.model.frames import scene
from vidinfer.errors import ModelError, ModelUnavailable, UsageError, VidinferError
from vidinfer.model import load_model
from vidinfer.model.demo import CATEGORIES
from vidinfer.model.threads import torch_threads

SMALL = "mobilenet_v3_small"


@pytest.mark.parametrize(
    ("options", "kind", "told"),
    [
        ({"name": "resnet5"}, ModelUnavailable, r"no model 'resnet5'; did you mean resnet50"),
        ({"name": "dem"}, ModelUnavailable, r"did you mean demo"),
        ({"name": "xyzzy" * 5}, ModelUnavailable, r"`vidinfer models` lists them all"),
        (
            {"name": "raft_small", "weights": "none", "classes": ["car"]},
            UsageError,
            r"raft_small finds motion, not classes",
        ),
        ({"name": "resnet18", "task": "detection"}, UsageError, r"resnet18 is for classification; leave"),
        (
            {"name": SMALL, "backend": "onnx"},
            UsageError,
            r"no backend 'onnx': .* auto, openvino, cudagraphs, .*eager",
        ),
        ({"name": SMALL, "precision": "fp8"}, UsageError, r"no precision 'fp8': .* auto, fp32, bf16"),
        (
            {"name": SMALL, "device": "tpu"},
            UsageError,
            r"no device 'tpu': expected auto, cpu, cuda or cuda:N",
        ),
        ({"name": SMALL, "device": "cuda:x"}, UsageError, r"no device 'cuda:x'"),
        ({"name": SMALL, "device": "cuda:99"}, UsageError, r"device 'cuda:99': "),
        ({"name": SMALL, "threads": 0}, UsageError, r"threads must be at least 1, got 0"),
        ({"name": SMALL, "top_k": 0}, UsageError, r"top k must be at least 1, got 0"),
        ({"name": SMALL, "score_threshold": 1.5}, UsageError, r"between 0 and 1, got 1.5"),
        ({"name": SMALL, "score_threshold": float("nan")}, UsageError, r"between 0 and 1, got nan"),
        ({"name": "demo", "classes": ["kar"]}, UsageError, r"demo has no class 'kar'; did you mean car"),
        ({"name": "demo", "classes": ["dog"]}, UsageError, r"it has car, truck, bus, bicycle, pedestrian$"),
        ({"name": "demo", "classes": ["__background__"]}, UsageError, r"names no object"),
        ({"name": "demo", "classes": []}, UsageError, r"name at least one"),
        (
            {"name": "ssdlite320_mobilenet_v3_large", "classes": ["N/A"]},
            UsageError,
            r"'N/A' .* names no object",
        ),
        ({"name": "keypointrcnn_resnet50_fpn", "classes": ["no person"]}, UsageError, r"names no object"),
    ],
)
def test_mistakes_are_told_in_one_line(
    options: dict[str, object], kind: type[VidinferError], told: str
) -> None:
    with pytest.raises(kind, match=told) as failure:
        load_model(**{"weights": "none", **options})  # type: ignore[arg-type]
    assert "\n" not in str(failure.value)


def test_the_package_loads_without_torch() -> None:
    code = "import sys, vidinfer.model; print('torch' in sys.modules)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.strip() == "False"


def test_the_bundled_model_labels_a_frame_and_says_what_it_is() -> None:
    model = load_model("demo", device="cpu", threads=1, score_threshold=0.3)
    assert model.info.task == "detection"
    assert model.info.weights == "bundled"
    assert model.info.weights_sha256 is not None
    assert model.info.categories == CATEGORIES
    assert (model.info.device, model.info.backend, model.info.precision) == ("cpu", "eager", "fp32")
    spec = model.input_for(1280, 720)
    assert spec.shape == (288, 512, 3)
    slot = model.allocate(2, spec)
    assert slot.shape == (2, 288, 512, 3)
    for place in slot:
        spec.prepare(scene(1280, 720), place)
    results = model.predict(slot, 1280, 720)
    assert results.frames == 2
    assert results.objects is not None
    model.close()
    model.close()
    with pytest.raises(ModelError, match="demo is closed"):
        model.predict(slot, 1280, 720)


def test_a_batch_of_the_wrong_kind_is_refused() -> None:
    model = load_model(SMALL, weights="none", device="cpu", threads=1)
    with pytest.raises(ModelError, match=r"expected \(n, 224, 224, 3\) of uint8"):
        model.predict(np.zeros((1, 224, 224, 3), np.float32), 640, 480)
    with pytest.raises(ModelError, match=r"expected \(n, 224, 224, 3\)"):
        model.predict(np.zeros((1, 225, 224, 3), np.uint8), 640, 480)
    with pytest.raises(ModelError, match="at least one frame"):
        model.predict(np.zeros((0, 224, 224, 3), np.uint8), 640, 480)


def broken(name: str, value: float) -> ModelError:
    """The error of a model one of whose weights is ``value``."""
    model = load_model(name, weights="none", device="cpu", threads=1, score_threshold=0.01)
    part = model._task.part_for(97, 60)  # type: ignore[attr-defined]
    with torch.no_grad():
        next(p for p in part.parameters() if p.dim() == 4).fill_(value)
    spec = model.input_for(97, 60)
    slot = model.allocate(1, spec)
    spec.prepare(scene(97, 60), slot[0])
    with pytest.raises(ModelError) as failure:
        model.predict(slot, 97, 60)
    return failure.value


@pytest.mark.parametrize(
    "name", [SMALL, "ssdlite320_mobilenet_v3_large", "fasterrcnn_mobilenet_v3_large_320_fpn", "demo"]
)
def test_values_that_are_not_finite_are_an_error_and_not_an_empty_result(name: str) -> None:
    assert "not finite" in str(broken(name, float("nan")))


def test_a_network_that_raises_is_a_model_error() -> None:
    model = load_model(SMALL, weights="none", device="cpu", threads=1)
    model._task._network.classifier = torch.nn.Linear(3, 3)  # type: ignore[attr-defined]
    with pytest.raises(ModelError, match=f"{SMALL} failed on a batch of 1: RuntimeError: .*mat1 and mat2"):
        model.predict(np.zeros((1, 224, 224, 3), np.uint8), 640, 480)


def test_a_network_of_the_wrong_width_is_a_model_error() -> None:
    model = load_model(SMALL, weights="none", device="cpu", threads=1)
    model._task._network.classifier[-1] = torch.nn.Linear(1024, 7)  # type: ignore[attr-defined]
    with pytest.raises(ModelError, match=r"gave \(1, 7\) for a batch of 1, expected \(1, 1000\)"):
        model.predict(np.zeros((1, 224, 224, 3), np.uint8), 640, 480)


def test_thread_counts_belong_to_their_thread() -> None:
    """What the decoding thread sets must not slow the inference thread down, nor leak into the caller's."""
    before = torch.get_num_threads()
    inside: list[int] = []
    entered, leave = threading.Event(), threading.Event()

    def other() -> None:
        with torch_threads(1):
            inside.append(torch.get_num_threads())
            entered.set()
            leave.wait(10)

    thread = threading.Thread(target=other)
    with torch_threads(2):
        thread.start()
        assert entered.wait(10)
        inside.append(torch.get_num_threads())
        leave.set()
        thread.join()
        inside.append(torch.get_num_threads())
    assert inside == [1, 2, 2]
    assert torch.get_num_threads() == before
