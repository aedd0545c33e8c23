"""Pictures that the device prepares: packed into places, or never leaving it. What a CPU can tell of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import torch
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter
from torch.nn.functional import interpolate
from torchvision.models import get_model_weights
from torchvision.models.detection.transform import GeneralizedRCNNTransform

from tests.media import draw_colours, make_video
from tests.model.frames import scene
from tests.model.networks import random_detector
from vidinfer.batcher import OfflineBatcher
from vidinfer.clock import MonotonicClock
from vidinfer.detections import Results
from vidinfer.frame import Picture
from vidinfer.model.assemble import Reporting, Running, assemble
from vidinfer.model.classification import ClassificationInput, ClassificationPreset
from vidinfer.model.execution import Execution
from vidinfer.model.fed import DeviceFed, device_fed, rgb_on
from vidinfer.model.geometry import DetectionInput
from vidinfer.model.inputs import copy_picture
from vidinfer.model.network import Loaded
from vidinfer.model.packed import packed_input, unpacked
from vidinfer.model.picked import PickedResampler
from vidinfer.model.runner import TorchModel
from vidinfer.model.upload import upload_to
from vidinfer.pipeline import Pipeline
from vidinfer.sampling import Sampler, Sampling
from vidinfer.source.file import FileSource
from vidinfer.source.nvdec import NvdecPicture
from vidinfer.source.orientation import UPRIGHT, Orientation
from vidinfer.source.picture import Converter, DecodedPicture
from vidinfer.stages import ModelInput, Source
from vidinfer.testing import ArrayPicture, CollectSink

CPU = torch.device("cpu")
SIZE = WIDTH, HEIGHT = 320, 240
NAMES = ("nothing", "car", "bus", "cat", "dog", "N/A")
ORIENTATIONS = [Orientation(t, x, y) for t in (False, True) for x in (False, True) for y in (False, True)]


def decoded(path: Path) -> list[VideoFrame]:
    with av.open(str(path)) as container:
        return list(container.decode(video=0))


def clip(folder: Path, **options: Any) -> Path:
    return make_video(folder / "clip.mp4", size=SIZE, draw=draw_colours, **options)


def in_pairs(frame: VideoFrame) -> VideoFrame:
    """Layout NV12, as the engine of a GPU gives it; the samples are the same."""
    return VideoReformatter().reformat(frame, format="nv12", threads=1)


# --- packed places ---


def test_a_place_comes_out_as_the_picture_went_in(tmp_path: Path) -> None:
    """Planes under two matrices, RGB, an odd one that must be scaled, a turned one: all in one batch."""
    converter = Converter()
    frames = decoded(clip(tmp_path, frames=12))
    frames[3].colorspace = 1
    frames[4].color_range = 2
    pictures: list[Picture] = [DecodedPicture(frame, converter, UPRIGHT, *SIZE) for frame in frames]
    pictures[6] = ArrayPicture(scene(*SIZE))
    small = VideoReformatter().reformat(frames[7], 160, 120, "yuv420p", threads=1)
    pictures[7] = DecodedPicture(small, converter, UPRIGHT, *SIZE)
    pictures[8] = DecodedPicture(frames[8], converter, Orientation(False, True, True), *SIZE)
    spec = packed_input(ModelInput((HEIGHT, WIDTH, 3), np.dtype(np.uint8), copy_picture))
    batch = np.full((len(pictures), *spec.place), 7, np.uint8)  # what an earlier batch has left there
    assert spec.prepare_from is not None
    for picture, place in zip(pictures, batch, strict=True):
        spec.prepare_from(picture, place)
    rgb = unpacked(batch, upload_to(CPU)).numpy()
    for found, picture in zip(rgb, pictures, strict=True):
        np.testing.assert_array_equal(found, picture.rgb())
    kinds = batch[:, HEIGHT, 0, 0].tolist()
    assert kinds == [1, 1, 1, 1, 1, 1, 0, 0, 1, 1, 1, 1]  # planes wherever that is possible


def test_fields_are_converted_on_the_host(tmp_path: Path) -> None:
    """libswscale gives each field chroma of its own."""
    path = clip(tmp_path, frames=2, codec_options={"x264-params": "tff=1"})
    frame = decoded(path)[0]
    assert frame.interlaced_frame
    picture = DecodedPicture(frame, Converter(), UPRIGHT, *SIZE)
    spec = packed_input(ModelInput((HEIGHT, WIDTH, 3), np.dtype(np.uint8), copy_picture))
    batch = np.zeros((1, *spec.place), np.uint8)
    assert spec.prepare_from is not None
    spec.prepare_from(picture, batch[0])
    np.testing.assert_array_equal(unpacked(batch, upload_to(CPU))[0].numpy(), picture.rgb())
    assert NvdecPicture(frame, Converter(), UPRIGHT, *SIZE).device_planes() is None


# --- pictures of a device ---


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_a_picture_of_a_device_is_that_of_software(tmp_path: Path, orientation: Orientation) -> None:
    converter = Converter()
    size = orientation.size(*SIZE)
    frames = decoded(clip(tmp_path, frames=3, colour={"colorspace": 1, "color_range": 1}))
    software = [DecodedPicture(frame, converter, orientation, *size) for frame in frames]
    pictures: list[Picture] = [NvdecPicture(in_pairs(f), converter, orientation, *size) for f in frames]
    rgb = rgb_on(CPU, pictures, *size).numpy()
    for found, one, picture in zip(rgb, software, pictures, strict=True):
        np.testing.assert_array_equal(found, one.rgb())
        np.testing.assert_array_equal(picture.rgb(), one.rgb())
    planes, expected = pictures[0].planes(), software[0].planes()  # type: ignore[attr-defined]
    np.testing.assert_array_equal(planes.u, expected.u)  # type: ignore[union-attr]


def test_pictures_that_the_device_cannot_use_come_from_the_host(tmp_path: Path) -> None:
    converter = Converter()
    frames = [in_pairs(frame) for frame in decoded(clip(tmp_path, frames=4))]
    frames[1].colorspace = 1
    small = VideoReformatter().reformat(frames[2], 160, 120, "nv12", threads=1)
    pictures: list[Picture] = [NvdecPicture(frame, converter, UPRIGHT, *SIZE) for frame in frames]
    pictures[2] = NvdecPicture(small, converter, UPRIGHT, *SIZE)
    assert NvdecPicture(small, converter, UPRIGHT, *SIZE).device_planes() is None
    pictures.append(ArrayPicture(scene(*SIZE)))
    rgb = rgb_on(CPU, pictures, *SIZE).numpy()
    for found, picture in zip(rgb, pictures, strict=True):
        np.testing.assert_array_equal(found, picture.rgb())


# --- through the pipeline ---


class OnDevice(FileSource):
    """A file whose pictures are what the engine of a GPU gives, only that the memory is the host's."""

    def _picture(self, frame: VideoFrame, orientation: Orientation) -> Picture:
        return NvdecPicture(
            in_pairs(frame), self._converter, orientation, self._info.width, self._info.height
        )


def detector(*, whole: bool) -> TorchModel:
    """With random weights; pictures of 320x240 are fewer bytes than what becomes of them."""
    name = "ssdlite320_mobilenet_v3_large"
    loaded = Loaded(name, "detection", random_detector(name), NAMES, "test", None, None)
    running = Running(Execution(CPU, 1, "test", whole_pictures=whole))
    return assemble(loaded, running, Reporting(0.2, 5, None))


def labels(source: Source, model: Any) -> Results:
    sink = CollectSink()
    pipeline = Pipeline(
        source,
        model,
        batcher=OfflineBatcher(),
        sampler=Sampler(Sampling()),
        clock=MonotonicClock(),
        batch_size=4,
        slots=3,
    )
    sink.open(source.info, model.info)
    pipeline.run([sink], lambda _: None)
    source.close()
    return Results.joined([batch.results for batch in sink.batches])


def test_labels_do_not_depend_on_the_way_of_the_pictures(tmp_path: Path) -> None:
    path = clip(tmp_path, frames=11, b_frames=2)
    reference = labels(FileSource(path, name="clip", threads=1), detector(whole=False))
    assert reference.objects is not None
    assert len(reference.objects) > 11
    model = detector(whole=True)
    assert model.input_for(*SIZE).place == (HEIGHT + 1, WIDTH, 3)
    packed = labels(FileSource(path, name="clip", threads=1), model)
    fed = labels(OnDevice(path, name="clip", threads=1), device_fed(model, *SIZE))
    for found in (packed, fed):
        assert found.objects is not None
        for column in ("offsets", "boxes", "scores", "labels"):
            np.testing.assert_array_equal(getattr(found.objects, column), getattr(reference.objects, column))


def test_slots_let_go_of_pictures_once_they_are_labelled(tmp_path: Path) -> None:
    model = device_fed(detector(whole=True), *SIZE)
    assert isinstance(model, DeviceFed)
    spec = model.input_for(*SIZE)
    batch = model.allocate(2, spec)
    assert spec.prepare_from is not None
    spec.prepare_from(ArrayPicture(scene(*SIZE)), batch[0])
    spec.prepare(scene(*SIZE), batch[1])
    results = model.predict(batch, *SIZE)
    assert results.frames == 2
    assert results.objects is not None
    first, second = (results.rows(i, i + 1).objects for i in range(2))
    np.testing.assert_array_equal(first.boxes, second.boxes)  # type: ignore[union-attr]
    assert batch.ravel().tolist() == [None, None]


def test_only_models_that_prepare_whole_pictures_take_them_from_a_device() -> None:
    model = detector(whole=False)
    assert device_fed(model, *SIZE) is model


# --- prepared on the device ---


@pytest.mark.parametrize(
    ("source", "target"), [((1080, 1920), (320, 320)), ((720, 1280), (300, 300)), ((241, 333), (64, 100))]
)
def test_picking_pixels_resamples_as_torch_does(source: tuple[int, int], target: tuple[int, int]) -> None:
    pictures = torch.from_numpy(np.stack([scene(source[1], source[0], seed=i) for i in range(2)]))

    def steps(x: torch.Tensor) -> torch.Tensor:
        return x.float().div(255.0).sub(0.5).div(0.25)

    found = PickedResampler(source, target, CPU)(pictures, steps)
    expected = interpolate(steps(pictures.permute(0, 3, 1, 2)), size=target, mode="bilinear")
    # Positions near 2000 are known to 1e-4 in float32, and neighbours are at most 4 apart.
    torch.testing.assert_close(found, expected, rtol=0, atol=5e-4)
    assert (found - expected).abs().mean() < 1e-5


@pytest.mark.parametrize("size", [(1920, 1080), (320, 240)])
def test_detectors_get_the_same_from_a_device(size: tuple[int, int]) -> None:
    transform = GeneralizedRCNNTransform(320, 640, [0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
    rgb = scene(*size)
    tensors = []
    for whole in (False, True):
        rule = DetectionInput(transform, CPU, whole=whole)
        geometry = rule.geometry(*size)
        spec = rule.model_input(geometry)
        assert not whole or spec.prepare is copy_picture
        place = np.zeros((1, *spec.place), spec.dtype)
        spec.prepare(rgb, place[0])
        tensors.append(rule.network_input(torch.from_numpy(place), geometry))
    torch.testing.assert_close(*tensors, rtol=0, atol=5e-4)  # as above


@pytest.mark.parametrize("name", ["resnet50", "efficientnet_b0"])
def test_classifiers_get_the_same_from_a_device(name: str) -> None:
    preset = ClassificationPreset.of(get_model_weights(name).DEFAULT.transforms())
    rgb = scene(640, 360)
    squares = []
    for whole in (False, True):
        rule = ClassificationInput(preset, CPU, whole=whole)
        spec = rule.input_for(640, 360)
        place = np.zeros((1, *spec.place), spec.dtype)
        spec.prepare(rgb, place[0])
        squares.append(rule.cut(torch.from_numpy(place)))
    torch.testing.assert_close(*squares, rtol=0, atol=0)
