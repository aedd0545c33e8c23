"""The choice that is kept: there and back, and nothing taken for it that is none."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vidinfer.plan import ThreadPlan
from vidinfer.tuned import Tuned

CHOICE = Tuned(
    "2026-01-31",
    "openvino",
    "bf16",
    8,
    1,
    142.5,
    {"openvino bf16": (5.5, 1.25), "eager fp32": (45.0, -2.0)},
)


def test_there_and_back() -> None:
    assert Tuned.read(json.loads(json.dumps(CHOICE.as_dict()))) == CHOICE


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@given(st.sampled_from([*CHOICE.as_dict(), "none"]), anything)
def test_what_was_tampered_with_is_another_choice_or_none(key: str, value: Any) -> None:
    found = Tuned.read({**CHOICE.as_dict(), key: value})
    assert found is None or (found.batch_size >= 1 and found.decoder_threads >= 1)


@pytest.mark.parametrize("found", [None, 3, "text", [], {}, {"batch_size": 8}])
def test_anything_else_is_none(found: object) -> None:
    assert Tuned.read(found) is None


def test_what_a_run_takes_from_it() -> None:
    plan = CHOICE.plan(ThreadPlan(cores=4, decoder=2, model=4, encoder=2))
    assert plan == ThreadPlan(cores=4, decoder=1, model=4, encoder=2)
    why = "as tuned on 2026-01-31"
    assert CHOICE.facts(batch_size=True) == {"batch_size": 8, "decoder_threads": 1, "why": why}
    assert CHOICE.facts(batch_size=False) == {"decoder_threads": 1, "why": why}
