"""Measuring every candidate, and keeping the choice for this machine, these versions, this model and this size."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from tests.model.backends import (
    CPU,
    EAGER,
    HEIGHT,
    WIDTH,
    Wrong,
    detector,
    openvino,
    places,
    same,
    wrong,
)
from vidinfer.errors import BackendUnavailable
from vidinfer.model import load_model
from vidinfer.model.backends import Candidate, Supplies
from vidinfer.model.backends.eager import EagerFactory
from vidinfer.model.engine import DensePart, Engine, Pending
from vidinfer.model.engines import Engines
from vidinfer.model.finite import FiniteGuard
from vidinfer.model.remember import Memory, speeds
from vidinfer.model.runner import TorchModel
from vidinfer.model.trial import Sample, frames_per_second
from vidinfer.service import Curve, Effort, Timed
from vidinfer.testing import VirtualClock
from vidinfer.tuned import Tunable, Tuned

BRIEF = Effort((1, 2), seconds=0.002)
CHOICE = Tuned("2026-01-31", "wrong", "fp32", 4, 1, 99.0, {"wrong fp32": (1.0, 2.0)})


def surveyed(model: TorchModel, effort: Effort = BRIEF) -> list[Curve]:
    return model.survey(places(model, 2), WIDTH, HEIGHT, effort, lambda _: None)


def test_every_candidate_is_measured_and_held_against_the_reference() -> None:
    told: list[str] = []
    model = detector(candidates=[openvino(), wrong(1.5), EAGER])
    assert isinstance(model, Tunable)
    curves = model.survey(places(model, 2), WIDTH, HEIGHT, BRIEF, told.append)
    assert (model.info.backend, model.in_flight) == ("eager", 1)  # nothing has changed
    assert [one.name for one in curves] == ["openvino fp32", "wrong fp32", "eager fp32"]
    assert [one.exact for one in curves] == [True, False, True]
    assert [one.in_flight for one in curves] == [3, 1, 1]
    for one in curves:
        assert [timed.frames for timed in one.timed] == [1, 2]
        assert all(timed.milliseconds > 0 and timed.frames_per_second > 0 for timed in one.timed)
    assert told[:2] == ["openvino fp32: batches of 1", "openvino fp32: batches of 2"]
    assert "found by one only" in curves[1].parity


def test_a_choice_is_followed() -> None:
    model = detector(candidates=[openvino(), EAGER])
    batch = places(model, 2)
    before = model.predict(batch, WIDTH, HEIGHT)
    openvinos, eager = Curve("openvino", "fp32"), Curve("eager", "fp32")
    assert (model.info.backend, model.in_flight) == ("eager", 1)
    model.adopt(openvinos, batch, WIDTH, HEIGHT)
    assert (model.info.backend, model.in_flight) == ("openvino", 3)
    assert same(before, model.predict(batch, WIDTH, HEIGHT))
    model.adopt(eager, batch, WIDTH, HEIGHT)
    assert same(before, model.predict(batch, WIDTH, HEIGHT))
    with pytest.raises(BackendUnavailable, match="wrong fp32 is not among"):
        model.adopt(replace(eager, backend="wrong"), batch, WIDTH, HEIGHT)


def failing(fails: Callable[[int], Exception | None]) -> Candidate:
    """Eager torch that raises for batches of some sizes."""

    class Failing(Wrong):
        def engine(self, part: DensePart, example: Tensor, *, rows_vary: bool = False) -> Engine:
            inner = EagerFactory(CPU, "fp32").engine(part, example)

            class Inner:
                def submit(self, given: Tensor) -> Pending:
                    if (error := fails(len(given))) is not None:
                        raise error
                    return inner.submit(given)

            return Inner()

    return Candidate("wrong", "fp32", lambda _: Failing(1.0))


def test_what_fails_at_some_size_has_the_sizes_before() -> None:
    full = failing(lambda n: torch.OutOfMemoryError("CUDA out of memory") if n > 1 else None)
    broken = failing(lambda _: ValueError("no kernel\nfor this"))

    def missing(_supplies: Supplies) -> EagerFactory:
        raise BackendUnavailable("openvino is not installed")

    absent = Candidate("openvino", "fp32", missing)
    first, second, third = surveyed(detector(candidates=[full, replace(broken, backend="broken"), absent]))
    assert ([one.frames for one in first.timed], first.stopped) == ([1], "out of memory with 2 at once")
    assert (second.timed, second.failure) == ((), "ValueError: no kernel")
    assert (third.timed, third.failure) == ((), "openvino is not installed")


def test_no_batch_is_tried_that_would_take_too_long() -> None:
    model = detector(candidates=[EAGER])
    (one,) = surveyed(model, Effort((1, 1024), seconds=0.002, longest=0.001))
    assert [timed.frames for timed in one.timed] == [1]
    assert one.stopped == "1024 at once would take more than 0.001 s"


def test_the_throughput_of_slow_batches_counts_whole_rounds() -> None:
    """Two streams that end together: what is counted must not depend on which of them is looked at."""
    clock = VirtualClock()

    class Streams(Wrong):
        """Batch after batch takes 3 s on two streams; three are on their way."""

        in_flight = 3

        def __init__(self) -> None:
            super().__init__(1.0)
            self.free = [0.0, 0.0]

        def engine(self, part: DensePart, example: Tensor, *, rows_vary: bool = False) -> Engine:
            inner, free = EagerFactory(CPU, "fp32").engine(part, example), self.free

            class Inner:
                def submit(self, given: Tensor) -> Pending:
                    free.sort()
                    ready = free[0] = max(clock.now(), free[0]) + 3.0
                    pending = inner.submit(given)

                    class Waiting:
                        def result(self) -> tuple[Tensor, ...]:
                            clock.advance(max(0.0, ready - clock.now()))
                            return pending.result()

                    return Waiting()

            return Inner()

    model = detector(candidates=[EAGER])
    task = model._open()
    sample = Sample(task, torch.from_numpy(places(model, 2)), WIDTH, HEIGHT, 2)
    with torch.inference_mode():
        rate = frames_per_second(sample, Engines(task, Streams(), FiniteGuard()), clock)
    # 4 frames in 3 s; a stretch may begin or end between two batches that end together.
    assert 4 / 3 <= rate <= 2.0


CURVE = Curve("wrong", "fp32", (Timed(1, 10.0, 100.0), Timed(2, 11.0, 180.0)), exact=True)


def test_the_choice_is_kept_with_the_rates(tmp_path: Path) -> None:
    model = detector(candidates=[wrong(1.0), EAGER], cache=tmp_path)
    slower = replace(CURVE, backend="eager", timed=(Timed(2, 1000.0, 2.0),))
    assert model.remember(WIDTH, HEIGHT, [CURVE, slower], CHOICE)
    again = detector(candidates=[wrong(1.0), EAGER], cache=tmp_path)
    assert again.tuned(WIDTH, HEIGHT) == CHOICE
    assert again.input_for(WIDTH, HEIGHT).batch_size == 4
    assert again.tuned(WIDTH * 2, HEIGHT) is None
    assert again.input_for(WIDTH * 2, HEIGHT).batch_size == 8
    again.settle(places(again, 2), WIDTH, HEIGHT, 2)
    tried = again.info.details["candidates"]
    assert isinstance(tried, list)
    # Known to be the faster of the two, so the only one tried.
    assert [(one["backend"], one["frames_per_second"]) for one in tried] == [("wrong", 180.0)]
    # This run may not use what was chosen.
    assert detector(candidates=[EAGER], by_name=True, cache=tmp_path).tuned(WIDTH, HEIGHT) is None


MODEL = {"model": "resnet50", "weights": "abc", "device": "cpu"}


def kept(folder: Path) -> Path:
    assert Memory(folder, MODEL).keep_tuned((3,), 64, 48, {2: {"eager fp32": 5.0}}, CHOICE)
    (path,) = (folder / "measured").iterdir()
    return path


def test_only_the_same_model_and_size_is_answered(tmp_path: Path) -> None:
    kept(tmp_path)
    assert Memory(tmp_path, MODEL).tuned((3,), 64, 48) == CHOICE
    assert Memory(tmp_path, MODEL).tuned((3,), 48, 64) is None
    assert Memory(tmp_path, MODEL).tuned((4,), 64, 48) is None
    for key in MODEL:
        assert Memory(tmp_path, {**MODEL, key: "another"}).tuned((3,), 64, 48) is None
    assert [one["tuned"] for one in speeds(tmp_path, "resnet50")] == [CHOICE.as_dict()]
    assert speeds(tmp_path, "resnet18") == []


@pytest.mark.parametrize("key", ["processor", "cores", "versions"])
def test_what_another_machine_or_version_found_counts_for_nothing(tmp_path: Path, key: str) -> None:
    path = kept(tmp_path)
    facts = json.loads(path.read_text())
    facts["identity"][key] = "another"
    path.write_text(json.dumps(facts))
    assert Memory(tmp_path, MODEL).tuned((3,), 64, 48) is None
    assert speeds(tmp_path, "resnet50") == []


def test_a_damaged_file_counts_for_nothing(tmp_path: Path) -> None:
    path = kept(tmp_path)
    good = path.read_text()
    for text in (
        "{",
        "[]",
        good.replace('"batch_size": 4', '"batch_size": 0'),
        good.replace('"version": 1', '"version": 0'),
    ):
        assert text != good
        path.write_text(text)
        assert Memory(tmp_path, MODEL).tuned((3,), 64, 48) is None


def test_choosing_again_replaces_the_choice_and_keeps_the_rates(tmp_path: Path) -> None:
    path, memory = kept(tmp_path), Memory(tmp_path, MODEL)
    later = replace(CHOICE, batch_size=16)
    assert memory.keep_tuned((3,), 64, 48, {4: {"eager fp32": 6.0}}, later)
    assert memory.tuned((3,), 64, 48) == later
    assert json.loads(path.read_text())["rates"] == {"2": {"eager fp32": 5.0}, "4": {"eager fp32": 6.0}}


def test_a_cache_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for folder in (tmp_path / "file", None):
        assert Memory(folder, MODEL).keep_tuned((3,), 64, 48, {}, CHOICE) is False


def test_a_network_that_only_eager_can_run_has_one_curve() -> None:
    model = load_model("quantized_resnet18", weights="none", threads=1)
    assert isinstance(model, TorchModel)
    (one,) = surveyed(model)
    assert (one.name, one.exact) == ("eager int8", True)
    model.close()
