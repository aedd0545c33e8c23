"""The bound of a run, and what holds it back."""

from __future__ import annotations

import pytest

from vidinfer.light import Alone, Rate, advice, speed_of_light


def test_speed_of_light_names_the_slowest_stage() -> None:
    facts = speed_of_light(100, 2.0, {"decode": 0.5, "infer": 1.6, "write": 0.1})
    assert facts["limited_by"] == "model"
    assert facts["bound"] == 62.5
    assert facts["achieved"] == 50.0
    assert facts["share"] == 0.8
    assert speed_of_light(0, 1.0, {"decode": 1.0}) == {}


def test_stages_that_share_the_cores_bound_each_other() -> None:
    alone = Alone(cores=2, decode=Rate(400.0, 0.005), infer=Rate(400.0, 0.005))
    facts = speed_of_light(90, 0.5, {}, alone)
    assert facts["bound"] == 200.0  # 10 ms of two cores for each frame
    assert facts["share"] == 0.9
    assert (facts["decode_only"], facts["model_only"]) == (400.0, 400.0)


def test_a_device_of_its_own_is_bounded_by_the_slowest_stage() -> None:
    alone = Alone(cores=16, decode=Rate(3000.0, 0.002), infer=Rate(5000.0, 0.0))
    facts = speed_of_light(100, 0.04, {}, alone)
    assert (facts["bound"], facts["limited_by"]) == (3000.0, "decode")


@pytest.mark.parametrize(
    ("costs", "limit"),
    [((0.002, 0.006, 0.0), "model"), ((0.006, 0.002, 0.0), "decode"), ((0.002, 0.003, 0.02), "write")],
)
def test_the_stage_that_takes_most_of_the_cores_is_named(costs: tuple[float, ...], limit: str) -> None:
    decode, infer, write = (Rate(2 / c, c) if c else None for c in costs)
    facts = speed_of_light(10, 1.0, {}, Alone(2, decode, infer, write))
    assert facts["limited_by"] == limit
    assert advice(facts, "cpu")


def test_what_was_not_measured_alone_is_taken_from_the_run() -> None:
    facts = speed_of_light(100, 2.0, {"decode": 0.5, "infer": 1.6}, Alone(2, decode=Rate(400.0, 0.005)))
    assert facts["bound"] == 62.5


def test_a_gpu_is_no_advice_to_who_has_one() -> None:
    assert "GPU" in advice({"limited_by": "model"}, "cpu")
    assert "GPU" not in advice({"limited_by": "model"}, "cuda:0")
    assert advice({}, "cpu") == ""
