"""A user's own network: made by a factory or read from an exported program, for every task."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.model import own_models
from tests.model.frames import scene
from tests.model.running import label, label_windows
from vidinfer.errors import ModelError, ModelUnavailable, UsageError
from vidinfer.model import load_model
from vidinfer.stages import Model

HERE = "tests.model.own_models"


def load(name: str, **options: Any) -> Model:
    return load_model(f"{HERE}:{name}", device="cpu", threads=1, **options)


def grey(level: int, width: int = 60, height: int = 40) -> Any:
    return np.full((height, width, 3), level, np.uint8)


@pytest.mark.parametrize("name", ["brightness_with_everything", "brightness_with_preset"])
def test_a_classifier_with_names(name: str) -> None:
    model = load(name, top_k=1)
    assert (model.info.task, model.info.categories) == ("classification", ("dark", "middle", "bright"))
    assert model.info.weights == "of the factory"
    found = label(model, [grey(3), grey(128), grey(250)]).classes
    assert found is not None
    assert found.labels[:, 0].tolist() == [0, 1, 2]


def test_a_bare_module_gets_pixels_from_0_to_1_and_made_up_names() -> None:
    model = load("brightness", top_k=1)
    assert model.info.categories == ("class 0", "class 1", "class 2")
    assert model.input_for(60, 40).shape == (40, 60, 3)
    found = label(model, [grey(3), grey(250)]).classes
    assert found is not None
    assert found.labels[:, 0].tolist() == [0, 2]


def test_names_from_a_file_win(tmp_path: Path) -> None:
    (tmp_path / "names.txt").write_text("a\nb\nc\n\n")
    assert load("brightness_with_preset", labels_file=tmp_path / "names.txt").info.categories == (
        "a",
        "b",
        "c",
    )


def test_a_segmenter() -> None:
    model = load("halves")
    assert model.info.task == "segmentation"
    picture = grey(10)
    picture[:, 30:] = 240
    segments = label(model, [picture]).segments
    assert segments is not None
    np.testing.assert_array_equal(segments.class_maps[0] == 1, picture[..., 0] > 127)


@pytest.mark.parametrize("name", ["bright_box", "resized_box"])
def test_a_detector_of_another_kind(name: str) -> None:
    model = load(name, score_threshold=0.5, **({} if name == "bright_box" else {"task": "detection"}))
    assert model.info.task == "detection"
    assert model.info.categories == ("__background__", "light", "nothing much")
    picture = grey(0, 60, 80)
    picture[20:40, 12:30] = 255
    objects = label(model, [picture, picture]).objects
    assert objects is not None
    assert objects.offsets.tolist() == [0, 1, 2]
    np.testing.assert_allclose(objects.boxes[0], [12, 20, 30, 40], atol=2)
    everything = label(load(name, score_threshold=0.0, task="detection"), [picture]).objects
    assert everything is not None
    assert everything.labels.tolist() == [1, 2], "best first"


def test_a_detector_built_from_torchvision_runs_as_torchvision_does() -> None:
    model = load("small_fcos", score_threshold=0.0)
    assert (model.info.task, len(model.info.categories)) == ("detection", 4)
    frame = scene(90, 70)
    with torch.inference_mode():
        network = own_models.small_fcos().eval()
        network.score_thresh = 0.0  # type: ignore[assignment]
        (expected,) = network([torch.from_numpy(frame).permute(2, 0, 1) / 255])
    objects = label(model, [frame]).objects
    assert objects is not None
    assert len(objects) == len(expected["scores"]) > 0
    np.testing.assert_allclose(objects.boxes, expected["boxes"].numpy(), atol=0.05)


def test_a_video_classifier() -> None:
    model = load("motion", top_k=1)
    assert model.info.task == "video"
    spec = model.input_for(60, 40)
    assert spec.window is not None
    still, moving = [grey(90)] * 16, [grey(10 * i) for i in range(16)]
    clips = label_windows(model, [still, moving]).clips
    assert clips is not None
    assert clips.labels[:, 0].tolist() == [0, 1]


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        (f"{HERE}:raises", "the factory raised KeyError: 'no such checkpoint'"),
        (
            f"{HERE}:of_one_size",
            r"failed on one 224x224 picture: RuntimeError: mat1 and mat2 shapes .*give transforms",
        ),
        (f"{HERE}:returns_list", r"returned list, expected a torch.nn.Module, or \(module"),
        (f"{HERE}:returns_bad_names", r"has 3 classes, 2 names are given"),
        (f"{HERE}:returns_bad_transforms", "transforms are a int, expected a callable"),
        (f"{HERE}:transforms_of_the_wrong_kind", "the transforms gave str, expected a float tensor"),
        (f"{HERE}:brightnes", "has no brightnes; did you mean brightness"),
        (f"{HERE}:not_a_function", "a int, expected a function that returns a torch module"),
        ("no_such_package_here:make", "no module 'no_such_package_here' is installed or in "),
        ("tests.model.nothing:make", "no module 'tests.model.nothing' is installed or in "),
        (":make", "expected package.module:factory"),
    ],
)
def test_a_bad_factory_is_told_in_one_line(spec: str, told: str) -> None:
    with pytest.raises(ModelUnavailable, match=told) as failure:
        load_model(spec)
    assert "\n" not in str(failure.value)


def test_a_task_that_does_not_fit() -> None:
    with pytest.raises(ModelUnavailable, match=r"gave a tensor \(1, 3\) .*not what segmentation gives"):
        load("brightness", task="segmentation")
    with pytest.raises(UsageError, match="brings its own; leave --weights out"):
        load("brightness", weights="none")
    with pytest.raises(ModelUnavailable, match="how many classes it has cannot be told"):
        load_model(f"{HERE}:brightness", task="detection")


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("gives_nan", "not finite"),
        ("gives_too_few", r"gave \(1, 3\) for a batch of 2, expected \(2, 3\)"),
        ("gives_another_shape", r"gave \(2, 2\) for a batch of 2, expected \(2, 3\)"),
    ],
)
def test_a_network_that_breaks_its_word_fails_the_batch(name: str, told: str) -> None:
    model = load(name)
    with pytest.raises(ModelError, match=told):
        label(model, [grey(3), grey(9)])


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Fixed size, batches of two only."""
    path = tmp_path_factory.mktemp("exported") / "own.pt2"
    torch.export.save(torch.export.export(own_models.Brightness(), (torch.zeros(2, 3, 24, 32),)), path)
    return path


def test_an_exported_program(exported: Path) -> None:
    model = load_model(str(exported), device="cpu", threads=1, top_k=1)
    assert (model.info.name, model.info.task) == ("own.pt2", "classification")
    assert model.info.weights_sha256 is not None
    assert len(model.info.weights_sha256) == 64
    for count in (1, 2, 3, 5):
        found = label(model, [grey(250), grey(3), grey(128), grey(250), grey(3)][:count]).classes
        assert found is not None
        assert found.labels[:, 0].tolist() == [2, 0, 1, 2, 0][:count]


def test_an_exported_program_of_any_size(tmp_path: Path) -> None:
    sizes = {0: torch.export.Dim("n"), 2: torch.export.Dim("h", min=8), 3: torch.export.Dim("w", min=8)}
    program = torch.export.export(own_models.Halves(), (torch.zeros(2, 3, 24, 32),), dynamic_shapes=(sizes,))
    torch.export.save(program, tmp_path / "own.pt2")
    model = load_model(str(tmp_path / "own.pt2"), device="cpu", threads=1)
    segments = label(model, [grey(250), grey(3), grey(3)]).segments
    assert segments is not None
    assert segments.class_maps.shape == (3, 40, 60)
    assert segments.class_maps.mean(axis=(1, 2)).tolist() == [1.0, 0.0, 0.0]


class Bomb:
    def __init__(self, crater: Path) -> None:
        self.crater = crater

    def __reduce__(self) -> Any:
        return Path.touch, (self.crater,)


@pytest.mark.parametrize(
    "member", ["data/constants/opaque_0", "data/sample_inputs/model.pt", "data/weights/extra"]
)
def test_a_bomb_in_an_exported_program_does_not_go_off(exported: Path, tmp_path: Path, member: str) -> None:
    crater, bomb = tmp_path / "crater", io.BytesIO()
    torch.save({"x": Bomb(crater)}, bomb)
    path = tmp_path / "bomb.pt2"
    with zipfile.ZipFile(exported) as good, zipfile.ZipFile(path, "w") as bad:
        root = good.namelist()[0].split("/")[0]
        for name in good.namelist():
            if name != f"{root}/{member}":
                bad.writestr(name, good.read(name))
        bad.writestr(f"{root}/{member}", bomb.getvalue())
    with pytest.raises(ModelUnavailable, match="nothing was run"):
        load_model(str(path))
    assert not crater.exists()


@pytest.mark.parametrize("content", [b"", b"no program", b"PK\x03\x04 nearly a zip"])
def test_what_is_no_exported_program(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.pt2").write_bytes(content)
    with pytest.raises(ModelUnavailable, match=r"not a program of torch\.export\.save"):
        load_model(str(tmp_path / "x.pt2"))
    with pytest.raises(ModelUnavailable, match="No such file"):
        load_model(str(tmp_path / "missing.pt2"))
