"""What ``vidinfer doctor`` asks of this stage: does inference work here, on what, and what is to be done if not."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from importlib.metadata import version
from typing import NamedTuple

from vidinfer.clock import Clock, MonotonicClock

__all__ = ["ModelFinding", "examine_model"]

REINSTALL = (
    "torch and torchvision do not belong together: install both in one command, from one index "
    "(pip install --force-reinstall torch torchvision)"
)


class ModelFinding(NamedTuple):
    """One line of the report."""

    name: str
    problem: bool
    found: str
    todo: str = ""
    """What to do about a problem."""


def examine_model(clock: Clock | None = None) -> Iterator[ModelFinding]:
    """Examine torch, torchvision, the devices, and label one picture with the bundled model.

    A check that raises is a finding itself; without torch the rest is left out.
    """
    clock = clock or MonotonicClock()
    try:
        import torch
        import torchvision
    except Exception as error:  # a broken installation fails in any way it likes
        yield ModelFinding("torch", True, _told(error), "pip install torch torchvision")
        return
    yield ModelFinding("torch", False, f"{torch.__version__}, torchvision {torchvision.__version__}")
    checks: tuple[tuple[str, Callable[[], ModelFinding]], ...] = (
        ("operators", _operators),
        ("devices", _devices),
        ("processor", _processor),
        ("backends", _backends),
        ("threads", _threads),
        ("inference", lambda: _inference(clock)),
    )
    for name, check in checks:
        try:
            yield check()
        except Exception as error:  # as above
            yield ModelFinding(name, True, _told(error), REINSTALL)


def _operators() -> ModelFinding:
    """torchvision's compiled operators are what breaks when the pair does not match."""
    import torch
    from torchvision.extension import _has_ops
    from torchvision.ops import nms

    if not _has_ops():
        return ModelFinding("operators", True, "torchvision's compiled operators are not loaded", REINSTALL)
    boxes = torch.tensor([[0.0, 0.0, 10.0, 10.0], [1.0, 1.0, 10.0, 10.0], [20.0, 20.0, 30.0, 30.0]])
    kept = nms(boxes, torch.tensor([0.9, 0.8, 0.7]), 0.5).tolist()
    if kept != [0, 2]:
        return ModelFinding("operators", True, f"a tiny nms kept {kept}, expected [0, 2]", REINSTALL)
    return ModelFinding("operators", False, "torchvision's compiled operators work (a tiny nms is right)")


def _devices() -> ModelFinding:
    import torch

    if torch.cuda.is_available():
        names = [f"cuda:{i} {torch.cuda.get_device_name(i)}" for i in range(torch.cuda.device_count())]
        return ModelFinding("devices", False, f"cpu, {', '.join(names)}")
    if torch.version.cuda is None:
        return ModelFinding("devices", False, "cpu only: this torch was built without CUDA")
    return ModelFinding(
        "devices",
        False,
        f"cpu only: this torch is built for CUDA {torch.version.cuda}, but no device answers",
    )


def _processor() -> ModelFinding:
    import torch

    level = torch.backends.cpu.get_cpu_capability()
    asked = getattr(torch.cpu, "get_capabilities", None)  # not in every torch we support
    known = asked() if asked is not None else {}
    fast = [name for name in ("avx512_bf16", "avx512_vnni", "amx_bf16", "amx_int8") if known.get(name)]
    return ModelFinding("processor", False, ", ".join([f"torch uses {level}", *fast]))


def _backends() -> ModelFinding:
    from vidinfer.errors import BackendUnavailable
    from vidinfer.model.backends.openvino import cpu_precisions

    try:
        able = ", ".join(cpu_precisions())
    except BackendUnavailable as error:
        todo = "pip install openvino: it runs most models several times faster"
        return ModelFinding("backends", True, str(error), todo)
    return ModelFinding("backends", False, f"openvino {version('openvino')} ({able}), eager")


def _threads() -> ModelFinding:
    import torch

    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    threads = torch.get_num_threads()
    found = f"torch uses {threads} thread(s), this process may use {usable} core(s)"
    if threads > usable:
        todo = "more threads than cores slow each other down: set OMP_NUM_THREADS to the number of cores"
        return ModelFinding("threads", True, found, todo)
    return ModelFinding("threads", False, found)


def _inference(clock: Clock) -> ModelFinding:
    """The bundled model on one grey picture, timed."""
    import numpy as np

    from vidinfer.model.load import load_model
    from vidinfer.model.registry import DEMO, describe_models

    bundled = next(model for model in describe_models() if model.name == DEMO).weights[0].cached
    model = load_model(DEMO, weights="DEFAULT" if bundled else "none")
    spec = model.input_for(640, 360)
    batch = model.allocate(1, spec)
    spec.prepare(np.full((360, 640, 3), 114, np.uint8), batch[0])
    model.predict(batch, 640, 360)  # the first call also warms up
    start = clock.now()
    model.predict(batch, 640, 360)
    took = f"{1000 * (clock.now() - start):.0f} ms for one 640x360 picture on {model.info.device}"
    model.close()
    if not bundled:
        return ModelFinding(
            "inference", True, f"works ({took}), but the bundled weights are missing", "reinstall vidinfer"
        )
    return ModelFinding("inference", False, f"the bundled model works: {took}")


def _told(error: Exception) -> str:
    return f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]}"
