"""``vidinfer models``: the lists, one model in full, and that no model of torchvision is left out."""

from __future__ import annotations

import importlib.metadata
import json
from typing import Any

import pytest
import torch
from torch import nn
from torchvision.models import get_model_weights, list_models

from vidinfer.cli.main import main
from vidinfer.cli.models import details_as_dict
from vidinfer.model.catalogue import (
    LICENCE_NAMES,
    UNLICENSED,
    build_shape,
    describe_fully,
    detection_input,
    licence_of,
)
from vidinfer.model.registry import builders_by_task, describe_models


def in_full(name: str, capfd: pytest.CaptureFixture[str]) -> dict[str, Any]:
    """The one model of ``vidinfer models NAME --json``."""
    assert main(["models", name, "--json", "--cache", "nowhere"]) == 0
    (model,) = json.loads(capfd.readouterr().out)
    assert isinstance(model, dict)
    return model


def rows(name: str, capfd: pytest.CaptureFixture[str]) -> dict[str, str]:
    """What the text says of the default weights, by its first column."""
    assert main(["models", name]) == 0
    block = capfd.readouterr().out.split("\nweights ")[1]
    pairs = (line.strip().split("  ", 1) for line in block.splitlines()[1:] if line.strip())
    return {name: value.strip() for name, value in pairs}


def test_models_by_task(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["models"]) == 0
    out = capfd.readouterr().out
    lines = {line.split()[0]: line for line in out.splitlines() if line.strip()}
    assert "bundled" in lines["demo"]
    assert "14.1 MB" in lines["ssdlite320_mobilenet_v3_large"]
    assert "  4.089  80.858 ImageNet-1K acc@1" in lines["resnet50"]
    assert "GFLOPs" in lines["model"]
    assert {name for names in builders_by_task().values() for name in names} <= set(lines)


def test_the_list_sorted(capfd: pytest.CaptureFixture[str]) -> None:
    def listed(*arguments: str) -> list[str]:
        assert main(["models", "--json", *arguments]) == 0
        return [model["name"] for model in json.loads(capfd.readouterr().out)]

    by_accuracy = listed("--task", "detection", "--sort", "accuracy")
    assert by_accuracy.index("maskrcnn_resnet50_fpn_v2") < by_accuracy.index("ssd300_vgg16")
    assert by_accuracy[-1] == "demo"  # states none
    assert listed("--task", "classification", "--sort", "size")[0] == "squeezenet1_1"
    assert listed("--task", "video", "--sort", "gflops")[0] == "s3d"
    assert listed("--task", "optical_flow", "--sort", "accuracy") == ["raft_large", "raft_small"]
    assert sorted(listed("--sort", "accuracy")) == sorted(listed())


def test_one_task_as_json(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "--task", "detection", "--json"]) == 0
    models = json.loads(capfd.readouterr().out)
    assert {model["task"] for model in models} == {"detection"}
    assert models[0]["name"] == "demo"
    assert models[0]["weights"][0]["cached"] is True


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["resnet5O"], 3, "no model 'resnet5O'; did you mean resnet50"),
        (["--task", "detecting"], 2, "--task detecting: expected one of detection, classification"),
        (["--sort", "speed"], 2, "--sort speed: expected one of accuracy, size, gflops, name"),
        (["--classes"], 2, "--classes: of which model?"),
        (["raft_small", "--classes"], 2, "--classes: raft_small names no classes"),
    ],
)
def test_what_cannot_be_shown(
    arguments: list[str], status: int, message: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["models", *arguments]) == status
    out, err = capfd.readouterr()
    assert out == ""
    assert message in err
    assert err.count("\n") == 1


def test_a_classifier_in_full(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "resnet50", "--cache", "nowhere"]) == 0
    out = capfd.readouterr().out
    assert "speed here: not measured yet\n" in out
    assert "weights IMAGENET1K_V2 (default)" in out
    assert "weights IMAGENET1K_V1\n" in out
    told = rows("resnet50", capfd)
    assert told["size"] == "102.5 MB"
    assert told["GFLOPs"] == "4.089 (multiply-adds) per frame"
    assert told["ImageNet-1K acc@5"] == "95.434"
    assert told["SHA-256 begins with"] == "11ad3fa6"
    assert told["input"] == "224x224"
    assert told["resize"] == "shorter side to 232, bilinear, antialiased"
    assert told["normalisation"].startswith("mean 0.485 0.456 0.406, std 0.229 0.224 0.225")
    assert told["classes"].startswith("1000: tench, goldfish, ")
    assert told["classes"].endswith(", goldfinch and 988 more (--classes names all)")
    assert told["licence"] == UNLICENSED


def test_input_of_each_task(capfd: pytest.CaptureFixture[str]) -> None:
    detector = rows("fasterrcnn_resnet50_fpn", capfd)
    assert detector["resize"] == "shorter side to 800, longer at most 1333, bilinear"
    assert detector["padding"] == "to multiples of 32"
    assert detector["classes"].startswith("80: person, bicycle, ")
    assert rows("ssd300_vgg16", capfd)["resize"] == "to 300x300 whatever the shape, bilinear"
    segmenter = rows("deeplabv3_resnet50", capfd)
    assert segmenter["resize"] == "shorter side to 520, bilinear, antialiased"
    assert "crop" not in segmenter
    assert segmenter["classes"].startswith("20: aeroplane, bicycle, ")
    video = rows("s3d", capfd)
    assert video["clip"] == "128 frames at 15 per second; accuracy stated with 1 per video"
    assert video["shortest clip"] == "14 frames"
    assert video["resize"] == "to 256x256 whatever the shape, bilinear, not antialiased"
    assert rows("r3d_18", capfd)["resize"].startswith("to 171x128 ")
    flow = rows("raft_small", capfd)
    assert flow["sides"] == "multiples of 8, at least 128x128"
    assert flow["normalisation"] == "values from -1 to 1"
    assert flow["classes"] == "none"
    people = rows("keypointrcnn_resnet50_fpn", capfd)
    assert people["classes"] == "1: person"
    assert people["keypoints"].startswith("17: nose, left_eye, ")


def test_one_model_as_json(capfd: pytest.CaptureFixture[str]) -> None:
    model = in_full("fasterrcnn_resnet50_fpn", capfd)
    assert model["speed_here"] is None
    (weights,) = model["weights"]
    assert weights["number_of_classes"] == len(weights["classes"]) == 80
    assert len(weights["categories"]) == 91
    assert weights["sha256_prefix"] == "258fb6c6"
    assert weights["input"]["resize"] == {"shorter": 800, "longer_at_most": 1333}
    clip = in_full("mvit_v2_s", capfd)["weights"][0]["input"]["clip"]
    assert clip == {"frames": 16, "frames_per_second": 7.5, "clips_per_video": 5, "at_least_frames": 16}
    demo = in_full("demo", capfd)["weights"][0]
    assert demo["classes"] == ["car", "truck", "bus", "bicycle", "pedestrian"]
    assert demo["parameters"] == 1564675
    assert "Apache-2.0" in demo["licence"]


def test_all_classes_one_on_a_line(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "ssd300_vgg16", "--classes"]) == 0
    lines = capfd.readouterr().out.splitlines()
    assert len(lines) == 80
    assert (lines[0], lines[-1]) == ("person", "toothbrush")
    assert main(["models", "--classes", "vgg16", "--json"]) == 0
    assert len(json.loads(capfd.readouterr().out)) == 1000


def test_every_model_can_be_shown_in_full() -> None:
    shown = set()
    for model in describe_models():
        facts = json.loads(json.dumps(details_as_dict(describe_fully(model)), allow_nan=False))
        shown.add(facts["name"])
        assert facts["weights"], model.name
        for weights in facts["weights"]:
            words = weights["input"]["words"]
            assert "unknown" not in weights["input"], model.name
            assert {"input", "normalisation"} <= set(words), model.name
            assert ("resize" in words) == (model.task != "optical_flow"), model.name
            assert ("clip" in words) == (model.task == "video"), model.name
            assert bool(weights["keypoints"]) == ("kp_map" in str(weights["metrics"])), model.name
            assert (weights["sha256_prefix"] is None) == (model.name == "demo"), model.name
            nameless = model.task == "optical_flow" or weights["name"].endswith("FEATURES")
            assert bool(weights["classes"]) != nameless, model.name
            assert weights["recipe"], model.name
            assert weights["licence"], model.name
    assert shown == {"demo", *list_models()}


def test_shapes_hold_no_numbers() -> None:
    random = torch.get_rng_state()
    network = build_shape("maskrcnn_resnet50_fpn")
    assert all(tensor.is_meta for tensor in [*network.parameters(), *network.buffers()])
    assert torch.equal(random, torch.get_rng_state())


def test_a_network_that_cannot_be_built_is_told() -> None:
    def build() -> nn.Module:
        raise NotImplementedError("needs its weights")

    told = detection_input(build)
    assert told.words["input"].startswith("not known: ")
    assert told.words["input"].endswith("(NotImplementedError: needs its weights)")
    assert told.figures["unknown"] == told.words["input"]


def test_licences_are_those_of_the_metadata() -> None:
    for name in list_models():
        for member in get_model_weights(name):
            told = licence_of(member.meta)
            assert (told == UNLICENSED) == ("license" not in member.meta), member
            assert ("SWAG" in member.name) == told.startswith("CC-BY-NC 4.0, https://"), member
    docs = "Trained by hand. Released under the\n   MIT license, see its page. Fast."
    assert licence_of({"_docs": docs}) == "Released under the MIT license, see its page."
    assert licence_of({"license": "https://example.org/terms"}) == "https://example.org/terms"


def test_the_name_of_a_licence_is_what_torchvision_says() -> None:
    readme = " ".join(str(importlib.metadata.distribution("torchvision").read_text("METADATA")).split())
    for address, name in LICENCE_NAMES.items():
        assert f"released under the {name} license. See [SWAG LICENSE]({address})" in readme
