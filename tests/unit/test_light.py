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


def test_what_runs_side_by_side_is_bounded_by_what_was_seen_side_by_side() -> None:
    decode, infer, write = Rate(400.0, 0.005), Rate(400.0, 0.005), Rate(100.0, 0.01)
    facts = speed_of_light(80, 0.5, {}, Alone(2, decode, infer, together=160.0))
    assert (facts["bound"], facts["share"]) == (160.0, 1.0)
    facts = speed_of_light(80, 1.0, {}, Alone(2, decode, infer, write, together=160.0))
    assert facts["bound"] == pytest.approx(1 / (1 / 160 + 0.01 / 2), abs=0.01)


def test_a_model_that_sees_every_fifth_frame_costs_a_fifth() -> None:
    alone = Alone(2, decode=Rate(1000.0, 0.002), infer=Rate(200.0, 0.01), together=150.0)
    facts = speed_of_light(1000, 2.0, {}, alone, labelled=200)
    assert facts["bound"] == 500.0  # 2 ms and 2 ms of two cores
    assert facts["model_only"] == 1000.0


def test_of_a_short_run_the_model_is_as_fast_as_it_was_known_to_be() -> None:
    facts = speed_of_light(100, 1.0, {"decode": 0.5, "infer": 0.1}, model_only=150.0)
    assert (facts["bound"], facts["limited_by"], facts["model_only"]) == (150.0, "model", 150.0)
    sampled = speed_of_light(100, 1.0, {"decode": 0.5, "infer": 0.1}, labelled=4, model_only=150.0)
    assert (sampled["bound"], sampled["limited_by"], sampled["model_only"]) == (200.0, "decode", 3750.0)
    nothing = speed_of_light(100, 1.0, {"decode": 0.5}, labelled=0, model_only=150.0)
    assert nothing["bound"] == 200.0


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
