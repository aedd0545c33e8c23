"""What only a GPU can show; elsewhere nothing of this runs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import interpolate
from torchvision.models import get_model_weights

from tests.media import draw_colours, make_video
from tests.model.frames import scene
from tests.model.networks import random_detector
from tests.model.test_whole_pictures import NAMES, SIZE, labels
from vidinfer.frame import ColourTags, Frame
from vidinfer.model.assemble import Reporting, Running, assemble
from vidinfer.model.backends import Share, candidates_for
from vidinfer.model.backends.cudagraphs import CudaGraphsFactory
from vidinfer.model.backends.eager import EagerFactory
from vidinfer.model.classification import ClassificationInput, ClassificationPreset
from vidinfer.model.execution import choose_execution
from vidinfer.model.fed import DeviceFed, device_fed, rgb_on
from vidinfer.model.network import Loaded
from vidinfer.model.picked import PickedResampler
from vidinfer.model.runner import TorchModel
from vidinfer.model.upload import CudaUpload
from vidinfer.model.yuv import rgb_of
from vidinfer.parity import compare
from vidinfer.source import open_source
from vidinfer.source.file import FileSource
from vidinfer.source.nvdec import NvdecSource

CPU, GPU = torch.device("cpu"), torch.device("cuda", 0)
WIDTH, HEIGHT = SIZE

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")


def detector(device: str, **running: Any) -> TorchModel:
    name = "ssdlite320_mobilenet_v3_large"
    loaded = Loaded(name, "detection", random_detector(name), NAMES, "test", None, None)
    return assemble(loaded, Running(choose_execution(device, 1), **running), Reporting(0.2, 5, None))


def slot(model: TorchModel, count: int) -> np.ndarray[Any, Any]:
    spec = model.input_for(*SIZE)
    batch = model.allocate(count, spec)
    for i, place in enumerate(batch):
        spec.prepare(scene(*SIZE, seed=i), place)
    return batch


def test_copies_arrive_before_they_are_read_and_memory_is_not_mixed_up() -> None:
    upload = CudaUpload(GPU)
    slots = [torch.zeros(64, 1 << 20, dtype=torch.uint8, pin_memory=True).numpy() for _ in range(2)]
    for turn in range(40):
        batch = slots[turn % 2]
        batch[:] = turn
        batch[:, -1] = 255
        whole, parts = upload(batch), upload(batch, [1 << 19] * 64)
        busy = torch.rand(2048, 2048, device=GPU)
        busy = busy @ busy  # the stream is late
        assert (whole[:, :-1] == turn).all()
        assert (whole[:, -1] == 255).all()
        assert (parts[:, : 1 << 19] == turn).all()


@pytest.mark.parametrize("matrix", [1, 2, 9])
def test_planes_become_the_same_rgb_there(matrix: int) -> None:
    random = torch.Generator().manual_seed(matrix)
    y, u, v = (
        torch.randint(0, 256, size, dtype=torch.uint8, generator=random)
        for size in ((3, 240, 320), (3, 120, 160), (3, 120, 160))
    )
    tags = ColourTags(matrix=matrix)
    assert torch.equal(rgb_of(y.to(GPU), u.to(GPU), v.to(GPU), tags).cpu(), rgb_of(y, u, v, tags))


def test_resampling_is_torchs_own_there() -> None:
    pictures = torch.from_numpy(np.stack([scene(1920, 1080, seed=i) for i in range(2)])).to(GPU)

    def steps(x: torch.Tensor) -> torch.Tensor:
        return x.float().div(255.0)

    found = PickedResampler((1080, 1920), (320, 320), GPU)(pictures, steps)
    expected = interpolate(steps(pictures.permute(0, 3, 1, 2)), size=(320, 320), mode="bilinear")
    # Positions near 2000 are known to 1e-4 in float32.
    torch.testing.assert_close(found, expected, rtol=0, atol=5e-4)


def test_squares_are_cut_as_on_the_host() -> None:
    preset = ClassificationPreset.of(get_model_weights("resnet50").DEFAULT.transforms())
    pictures = torch.from_numpy(scene(1280, 720)[None])
    here, there = (
        ClassificationInput(preset, device, whole=True).cut(pictures.to(device)) for device in (CPU, GPU)
    )
    difference = (here.int() - there.cpu().int()).abs()
    # Sums in another order: a value within 1e-5 of a half may be rounded the other way.
    assert difference.max() <= 1
    assert (difference > 0).float().mean() < 1e-3


def test_a_recorded_network_gives_what_eager_gives() -> None:
    torch.manual_seed(0)
    part = (
        nn.Sequential(nn.Conv2d(3, 16, 3), nn.ReLU(), nn.Conv2d(16, 8, 3))
        .eval()
        .to(GPU)
        .requires_grad_(False)
    )

    class Part(nn.Module):
        def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
            return (part(x.permute(0, 3, 1, 2)), x.sum(dim=(1, 2, 3)))

    with torch.inference_mode():
        batches = [torch.rand(4, 64, 64, 3, device=GPU) for _ in range(6)]
        recorded = CudaGraphsFactory(GPU, "fp32").engine(Part(), batches[0])
        eager = EagerFactory(GPU, "fp32").engine(Part(), batches[0])
        pending = [recorded.submit(batch) for batch in batches]  # all on their way before the first is read
        for one, batch in zip(pending, batches, strict=True):
            for found, expected in zip(one.result(), eager.submit(batch).result(), strict=True):
                torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-3)  # TF32, another algorithm


@pytest.mark.parametrize("backend", ["eager", "cudagraphs"])
def test_labels_are_those_of_the_cpu(backend: str) -> None:
    reference = detector("cpu").predict(slot(detector("cpu"), 8), *SIZE)
    found, passed_over = candidates_for(GPU, backend, "fp32", Share(1))
    model = detector("cuda", candidates=found, passed_over=passed_over, by_name=True)
    batch = slot(model, 8)
    model.settle(batch, *SIZE, 4)
    assert model.info.backend == backend
    parts = [model.submit(batch[i : i + 4], *SIZE) for i in (0, 4)]
    both = [part.results() for part in parts]
    assert compare(reference, type(reference).joined(both), threshold=0.2, limit=100).holds()


def test_auto_settles_on_something_exact() -> None:
    found, passed_over = candidates_for(GPU, "auto", "auto", Share(1))
    model = detector("cuda", candidates=found, passed_over=passed_over)
    model.settle(slot(model, 8), *SIZE, 8)
    assert model.info.details["exact"] is True


def test_a_batch_too_large_is_halved() -> None:
    model = detector("cuda")
    batch = slot(model, 8)
    reference = model.predict(batch, *SIZE)
    torch.cuda.empty_cache()
    free, _ = torch.cuda.mem_get_info()
    hog = torch.empty(max(0, free - (300 << 20)), dtype=torch.uint8, device=GPU)
    found = model.predict(batch, *SIZE)
    del hog
    assert compare(reference, found, threshold=0.2, limit=100).holds()


# --- decoding there ---


def nvdec(path: Path, **settings: Any) -> NvdecSource:
    source = open_source(path, name=path.name, threads=1, nvdec=0)
    facts: Any = source.facts()["nvdec"]
    if not facts["used"]:
        source.close()
        pytest.skip(f"not decoded on the GPU: {facts['why']}")
    assert isinstance(source, NvdecSource)
    return source


@pytest.mark.parametrize("settings", [{}, {"b_frames": 2}, {"codec": "libx265"}, {"rotation": 90}])
@pytest.mark.parametrize("colour", [{}, {"colorspace": 1, "color_range": 1}])
def test_pixels_and_times_are_those_of_software(tmp_path: Path, settings: Any, colour: Any) -> None:
    torch.ones(1, device=GPU)
    path = make_video(tmp_path / "clip.mp4", frames=40, gop=10, size=(640, 480), draw=draw_colours, colour=colour,
                      **settings)  # fmt: skip
    software = FileSource(path, name="clip", threads=1)
    expected = [item for item in software if isinstance(item, Frame)]
    software.close()
    source = nvdec(path)
    size = source.info.width, source.info.height
    assert size == (software.info.width, software.info.height)
    frames = [item for item in source if isinstance(item, Frame)]
    assert [frame.stamp for frame in frames] == [frame.stamp for frame in expected]
    there = rgb_on(GPU, [frame.picture for frame in frames], *size).cpu().numpy()
    for found, frame, other in zip(there, frames, expected, strict=True):
        np.testing.assert_array_equal(found, other.picture.rgb())
        np.testing.assert_array_equal(frame.picture.rgb(), other.picture.rgb())
    facts: Any = source.facts()["nvdec"]
    assert facts["frames"] == 40
    source.close()


def test_labels_of_pictures_that_never_left_the_gpu(tmp_path: Path) -> None:
    path = make_video(tmp_path / "clip.mp4", frames=40, gop=10, size=SIZE, draw=draw_colours)
    model = detector("cuda")
    reference = labels(FileSource(path, name="clip", threads=1), model)
    fed = device_fed(model, *SIZE)
    assert isinstance(fed, DeviceFed)
    found = labels(nvdec(path), fed)
    assert compare(reference, found, threshold=0.2, limit=100).holds()


@pytest.mark.parametrize("first", ["ffmpeg", "torch"])
def test_either_may_come_first(tmp_path: Path, first: str) -> None:
    """FFmpeg and torch share one context, whichever makes it; that holds for a process, so each has its own."""
    path = make_video(tmp_path / "clip.mp4", frames=30, gop=10, size=(640, 480))
    code = f"""
import cv2, torch
from pathlib import Path
from vidinfer.source import open_source
if {first == "torch"}:
    torch.ones(1, device="cuda")
source = open_source(Path({str(path)!r}), name="clip", threads=1, nvdec=0)
used = source.facts()["nvdec"]
items = list(source)
from vidinfer.model.fed import rgb_on
rgb = rgb_on(torch.device("cuda", 0), [item.picture for item in items], 640, 480)
source.close()
assert torch.ones(8, device="cuda").sum().item() == 8  # the context has outlived the decoder
print(used["used"], used["why"])
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    if not done.stdout.startswith("True"):
        pytest.skip(done.stdout)
