"""Weights are hashed, read as numbers only, and fit exactly, or the message says what is wrong."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn
from torchvision.models import ResNet18_Weights, get_model, get_model_weights
from torchvision.models.detection import FasterRCNN_MobileNet_V3_Large_320_FPN_Weights as MobileRCNN

from tests.model import reference
from tests.model.frames import scene
from tests.model.networks import random_detector
from vidinfer.errors import ModelUnavailable
from vidinfer.model import load_model
from vidinfer.model.cache import cache_path, sha256_of
from vidinfer.model.construct import build_from_file, build_random, build_trained
from vidinfer.model.weights import obtain, read_state

NAME = "mobilenet_v3_small"


class Bomb:
    """Unpickled by a careless loader, it leaves a file behind."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return (Path.touch, (self.path,))


@pytest.fixture(scope="module")
def state() -> dict[str, torch.Tensor]:
    torch.manual_seed(3)
    return dict(get_model(NAME, weights=None).state_dict())


def scores(model: Any) -> Any:
    spec = model.input_for(97, 60)
    slot = model.allocate(1, spec)
    spec.prepare(scene(97, 60), slot[0])
    return model.predict(slot, 97, 60).classes.scores


def test_a_file_in_each_format_gives_the_same(state: dict[str, torch.Tensor], tmp_path: Path) -> None:
    save_file(state, tmp_path / "a.safetensors")
    torch.save(state, tmp_path / "b.pth")
    torch.save({"model": state, "epoch": 7}, tmp_path / "c.pt")
    models = [load_model(NAME, weights=str(path), device="cpu") for path in sorted(tmp_path.iterdir())]
    first = scores(models[0])
    for model in models:
        np.testing.assert_array_equal(scores(model), first)
        assert model.info.weights_sha256 is not None
        assert len(model.info.weights_sha256) == 64
        assert Path(model.info.weights).is_file()


@pytest.mark.parametrize("protocol", [None, 2, 4])
def test_a_bomb_given_as_weights_does_not_go_off(tmp_path: Path, protocol: int | None) -> None:
    crater, path = tmp_path / "crater", tmp_path / "bomb.pth"
    if protocol is None:
        torch.save({"features.0.0.weight": Bomb(crater)}, path)
    else:
        path.write_bytes(pickle.dumps(Bomb(crater), protocol=protocol))
    with pytest.raises(ModelUnavailable, match=r"plain tensors \((?!.*weights_only).*Nothing in it was run"):
        load_model(NAME, weights=str(path))
    assert not crater.exists()


def test_a_bomb_in_the_cache_is_refused_by_its_hash(torch_home: Path, tmp_path: Path) -> None:
    crater = tmp_path / "crater"
    path = cache_path(ResNet18_Weights.IMAGENET1K_V1.url)
    path.parent.mkdir(parents=True)
    torch.save({"fc.weight": Bomb(crater)}, path)
    with pytest.raises(ModelUnavailable, match=r"not what its name says.*expected f37072fd; delete it"):
        load_model("resnet18")
    assert not crater.exists()
    assert path.exists(), "removing it is for the user to decide"


def test_a_cached_file_with_the_right_hash_is_used(state: dict[str, torch.Tensor], tmp_path: Path) -> None:
    torch.save(state, tmp_path / "x.pth")
    with (tmp_path / "x.pth").open("rb") as file:
        digest = sha256_of(file)
    assert read_state(tmp_path / "x.pth", sha256_prefix=digest[:8]).sha256 == digest


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda s: s.pop("classifier.3.bias"), r"1 missing: classifier.3.bias\."),
        (lambda s: s.update(extra=torch.zeros(1)), r"1 surplus: extra\."),
        (
            lambda s: s.update({"classifier.3.bias": torch.zeros(7)}),
            r"1 of another shape: classifier.3.bias \(\[7\] given, \[1000\] expected\)",
        ),
        (
            lambda s: [s.pop(k) for k in list(s)[:3]],
            r"3 missing: features.0.0.weight, .*0.1.bias\.",
        ),
        (
            lambda s: [s.pop(k) for k in list(s) if k.startswith("classifier.")],
            "4 missing: classifier.0.weight, classifier.0.bias, classifier.3.weight, …",
        ),
        (lambda s: (s.clear(), s.update(a=3)), "1 entries that are not tensors .first: 'a'."),
        (lambda s: s.clear(), "expected tensors by name"),
    ],
)
def test_what_does_not_fit_is_named(
    state: dict[str, torch.Tensor], tmp_path: Path, change: Any, told: str
) -> None:
    altered = dict(state)
    change(altered)
    torch.save(altered, tmp_path / "x.pth")
    with pytest.raises(ModelUnavailable, match=told) as failure:
        load_model(NAME, weights=str(tmp_path / "x.pth"))
    assert "\n" not in str(failure.value)


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
@pytest.mark.parametrize("content", [b"", b"not weights at all", b"PK\x03\x04 nearly a zip"])
def test_rubbish_is_refused(tmp_path: Path, content: bytes, suffix: str) -> None:
    path = tmp_path / f"x{suffix}"
    path.write_bytes(content)
    with pytest.raises(ModelUnavailable, match="cannot be read as plain tensors"):
        load_model(NAME, weights=str(path))


def test_a_truncated_file_is_refused(state: dict[str, torch.Tensor], tmp_path: Path) -> None:
    torch.save(state, tmp_path / "x.pth")
    whole = (tmp_path / "x.pth").read_bytes()
    (tmp_path / "x.pth").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ModelUnavailable, match="cannot be read as plain tensors"):
        load_model(NAME, weights=str(tmp_path / "x.pth"))


def test_a_folder_is_no_weights_file(tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailable, match="directory"):
        load_model(NAME, weights=str(tmp_path))


def test_no_such_file_and_no_such_name() -> None:
    with pytest.raises(ModelUnavailable, match=r"no such weights file: nowhere\.pth"):
        load_model(NAME, weights="nowhere.pth")
    with pytest.raises(ModelUnavailable, match="no weights 'IMAGENET1K_V2'; did you mean IMAGENET1K_V1"):
        load_model(NAME, weights="IMAGENET1K_V2")
    with pytest.raises(ModelUnavailable, match="features only"):
        load_model("vgg16", weights="IMAGENET1K_FEATURES")


def test_a_file_is_built_as_the_default_weights_are(torch_home: Path, tmp_path: Path) -> None:
    """Frozen batch norms, epsilon and all: the reference is torchvision with this file in its own cache."""
    name = "fasterrcnn_mobilenet_v3_large_320_fpn"
    own = tmp_path / "own.pth"
    torch.manual_seed(0)
    torch.save(get_model(name, weights=None, weights_backbone=None).state_dict(), own)
    path = cache_path(MobileRCNN.COCO_V1.url)
    path.parent.mkdir(parents=True)
    path.write_bytes(own.read_bytes())
    expected = get_model(name, weights="DEFAULT", progress=False).eval()
    built = build_trained(name, MobileRCNN.COCO_V1, read_state(own))
    assert str(built) == str(expected)
    for (key, ours), (other, theirs) in zip(
        built.state_dict().items(), expected.state_dict().items(), strict=True
    ):
        assert key == other
        assert torch.equal(ours, theirs), key
    assert "get_state_dict" not in vars(MobileRCNN.COCO_V1), "the member is itself again"


def test_the_member_is_itself_again_after_a_misfit(tmp_path: Path) -> None:
    torch.save({"a": torch.zeros(1)}, tmp_path / "x.pth")
    member = get_model_weights(NAME).DEFAULT
    with pytest.raises(ModelUnavailable, match="do not fit"):
        build_trained(NAME, member, read_state(tmp_path / "x.pth"))
    assert "get_state_dict" not in vars(member)


def test_random_weights_are_the_same_in_every_run_and_leave_the_generator_alone() -> None:
    torch.manual_seed(11)
    before = torch.random.get_rng_state()
    first = build_random(NAME, 1000)
    assert torch.equal(torch.random.get_rng_state(), before)
    torch.manual_seed(12)
    second = build_random(NAME, 1000)
    for ours, theirs in zip(first.parameters(), second.parameters(), strict=True):
        assert torch.equal(ours, theirs)


@pytest.mark.parametrize("name", ["googlenet", "inception_v3"])
def test_random_weights_get_the_input_transform_of_trained_ones(name: str) -> None:
    assert build_random(name, 1000).transform_input is True


def test_a_detector_with_a_file_finds_what_torchvision_finds(tmp_path: Path, torch_home: Path) -> None:
    name = "ssdlite320_mobilenet_v3_large"
    network = _with_91_classes(name)
    own = tmp_path / "own.safetensors"
    save_file(network.state_dict(), own)
    model = load_model(name, weights=str(own), score_threshold=0.2, device="cpu", threads=1)
    frames = [scene(333, 257, seed) for seed in range(2)]
    expected = reference.detect(network, get_model_weights(name).DEFAULT.transforms(), frames)
    spec = model.input_for(333, 257)
    slot = model.allocate(2, spec)
    for rgb, place in zip(frames, slot, strict=True):
        spec.prepare(rgb, place)
    found = model.predict(slot, 333, 257).objects
    reference.assert_same_objects(found, expected, 0.2, least=10)


def _with_91_classes(name: str) -> nn.Module:
    return random_detector(name, num_classes=91, score_thresh=0.15)


def test_obtain_reads_the_cache_before_the_network(torch_home: Path, state: dict[str, torch.Tensor]) -> None:
    path = cache_path(ResNet18_Weights.IMAGENET1K_V1.url)
    path.parent.mkdir(parents=True)
    path.write_bytes(b"changed on the disk")
    with pytest.raises(ModelUnavailable, match="damaged or not what its name says"):
        obtain(ResNet18_Weights.IMAGENET1K_V1, url="http://127.0.0.1:1/never-asked")


@pytest.mark.slow
def test_a_vision_transformer_of_the_size_of_other_weights_than_the_default(tmp_path: Path) -> None:
    """Weights that torchvision has for 384 pixels, in a file, are built and fed for 384 pixels."""
    network = get_model("vit_b_16", weights=None, image_size=384)
    torch.save(network.state_dict(), tmp_path / "own.pth")
    model = load_model("vit_b_16", weights=str(tmp_path / "own.pth"), device="cpu")
    assert model.input_for(640, 480).shape == (384, 384, 3)
    network = get_model("vit_b_16", weights=None, image_size=256)
    torch.save(network.state_dict(), tmp_path / "own.pth")
    with pytest.raises(ModelUnavailable, match="pos_embedding"):
        load_model("vit_b_16", weights=str(tmp_path / "own.pth"), device="cpu")


@pytest.mark.slow
def test_a_detector_trained_with_learning_batch_norms_keeps_their_epsilon(tmp_path: Path) -> None:
    """torchvision's own weights for it have frozen ones, with another epsilon: boxes would be off by 0.1 px."""
    network = random_detector("retinanet_resnet50_fpn", num_classes=91)
    torch.save(network.state_dict(), tmp_path / "own.pth")
    member = get_model_weights("retinanet_resnet50_fpn").DEFAULT
    built = build_from_file("retinanet_resnet50_fpn", member, read_state(tmp_path / "own.pth"))
    assert "FrozenBatchNorm2d" not in str(built)
    frozen = {key: value for key, value in network.state_dict().items() if "num_batches_tracked" not in key}
    torch.save(frozen, tmp_path / "own.pth")
    built = build_from_file("retinanet_resnet50_fpn", member, read_state(tmp_path / "own.pth"))
    assert "FrozenBatchNorm2d(64, eps=0.0)" in str(built)
