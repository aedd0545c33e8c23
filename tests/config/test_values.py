"""Values: exact, checked, and refused in words that say what was expected."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vidinfer.config import OPTIONS, RunConfig
from vidinfer.errors import UsageError


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90", Fraction(90)),
        ("0.1", Fraction(1, 10)),
        (".5", Fraction(1, 2)),
        ("1:30", Fraction(90)),
        ("01:02:03.456", Fraction(3723456, 1000)),
        ("100:00:00", Fraction(360000)),
        (0.1, Fraction(1, 10)),
        (3, Fraction(3)),
        (Fraction(1001, 30000), Fraction(1001, 30000)),
        ("none", None),
        (None, None),
    ],
)
def test_times_are_exact(text: object, seconds: Fraction | None) -> None:
    assert OPTIONS["start"].read(text) == seconds


@given(st.integers(0, 99), st.integers(0, 59), st.integers(0, 59), st.integers(0, 999))
def test_clock_times_mean_what_they_say(hours: int, minutes: int, seconds: int, milli: int) -> None:
    text = f"{hours:02d}:{minutes:02d}:{seconds:02d}.{milli:03d}"
    assert OPTIONS["end"].read(text) == hours * 3600 + minutes * 60 + seconds + Fraction(milli, 1000)


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("start", "1:75", "expected seconds or HH:MM:SS.mmm"),
        ("start", "-3", "expected seconds"),
        ("start", "1e9", "expected seconds"),
        ("start", "", "start '': expected seconds"),
        ("end", float("nan"), "expected seconds"),
        ("fps", "0", "expected a number above 0"),
        ("fps", "1/0", "expected a number above 0"),
        ("fps", True, "expected a number above 0"),
        ("score_threshold", "1.5", "score_threshold 1.5: expected a number from 0 to 1"),
        ("score_threshold", "nan", "expected a number from 0 to 1"),
        ("score_threshold", "half", "expected a number from 0 to 1"),
        ("score_threshold", True, "expected a number from 0 to 1"),
        ("latency_slo", "0", "expected a number above 0, or none"),
        ("latency_slo", "inf", "expected a number above 0, or none"),
        ("max_queue_delay", "-1", "expected a number of at least 0, or auto"),
        ("top_k", "0", "expected a whole number of at least 1"),
        ("top_k", "2.0", "expected a whole number of at least 1"),
        ("every", 2.5, "expected a whole number of at least 1"),
        ("max_batch_size", "many", "expected a whole number of at least 1, or auto"),
        ("precision", "fp8", "expected auto, fp32, bf16, fp16, mixed or int8"),
        ("mode", "batch", "expected auto, offline or live"),
        ("decode", "quick", "decode quick: expected exact, fast or nvdec"),
        ("labels", "jsonl,xml", "expected jsonl, csv, parquet"),
        ("labels", "", "expected jsonl, csv, parquet"),
        ("labels", "none,csv", "expected jsonl, csv, parquet"),
        ("classes", "car,,truck", "expected names separated by commas"),
        ("video", "perhaps", "expected true or false"),
        ("video", 1, "expected true or false"),
        ("model", "", "expected text"),
        ("model", 3, "expected text"),
        ("out", "", "expected a path"),
        ("out", "-", "expected a folder (./- for one of that name); labels on standard output are"),
    ],
)
def test_wrong_values_name_option_given_and_expected(name: str, value: object, expected: str) -> None:
    with pytest.raises(UsageError) as caught:
        RunConfig(**{name: value})  # type: ignore[arg-type]
    message = str(caught.value)
    assert message.startswith(name)
    assert expected in message
    assert "\n" not in message


def test_text_and_python_types_give_the_same_configuration() -> None:
    text = RunConfig(
        sources=("a.mp4",), score_threshold="0.6", top_k="3", classes="car, truck", max_batch_size="auto",
        fps="30000/1001", start="00:00:01.5", video="yes", labels="csv,jsonl", out="there", every="2",
    )  # type: ignore[arg-type]  # fmt: skip
    typed = RunConfig(
        sources=("a.mp4",), score_threshold=0.6, top_k=3, classes=("car", "truck"), max_batch_size=None,
        fps=Fraction(30000, 1001), start=Fraction(3, 2), video=True, labels=("csv", "jsonl"), out=Path("there"),
        every=2,
    )  # fmt: skip
    assert text == typed


def test_every_option_has_a_field_and_its_default_is_one_it_accepts() -> None:
    fields = set(RunConfig.__dataclass_fields__) - {"sources"}
    assert fields == set(OPTIONS)
    config = RunConfig()
    for name, option in OPTIONS.items():
        assert option.read(getattr(config, name)) == getattr(config, name)
        shown = option.default
        if shown is not None and shown not in ("all", "the beginning", "the end"):
            assert option.read(shown) == getattr(config, name), name


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"start": "10", "end": "5"}, "start 10 s is not before end 5 s"),
        ({"overwrite": True, "resume": True}, "overwrite and resume contradict each other"),
        ({"quiet": True, "verbose": True}, "quiet and verbose contradict each other"),
        ({"labels": "none"}, "there is nothing to write"),
        ({"sources": "a.mp4"}, "expected a list of paths"),
        ({"sources": [""]}, "expected a list of paths"),
    ],
)
def test_combinations_that_make_no_sense(options: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        RunConfig(**options)  # type: ignore[arg-type]


def test_labels_for_files_and_for_standard_output() -> None:
    config = RunConfig(labels="-,csv")  # type: ignore[arg-type]
    assert config.labels_to_stdout
    assert config.label_files == ("csv",)
    assert RunConfig(labels="none", video=True).labels == ()  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("options", "told"),
    [({"mode": "live"}, "mode live: this is for files"), ({"latency_slo": 50}, "latency-slo: for live streams only"),
     ({"max_queue_delay": "5"}, "max-queue-delay: for live"), ({"preview": "8080"}, "preview: for live"),
     ({"sources": ["a.mp4", "camera:0"]}, "source camera:0: this is for files"),
     ({"sources": ["RTSP://u:p@x/y"]}, "source RTSP://…@x/y"), ({"sources": ["/dev/video0"]}, "source /dev/video0")],
)  # fmt: skip
def test_what_only_live_streams_have_is_read_and_refused_for_files(
    options: dict[str, object], told: str
) -> None:
    config = RunConfig(**options)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match=told):
        config.require_offline()
    RunConfig(sources=("http.mp4", "camera:x", "dev/video0")).require_offline()


@pytest.mark.parametrize(
    ("sources", "mode", "live"),
    [(("a.mp4",), "auto", False), (("a.mp4",), "live", True), (("rtsp://x/y",), "auto", True),
     (("front=rtsp://x/y",), "auto", True), (("camera:1",), "auto", True),
     (("camera:",), "auto", True), (("a=/dev/v4l/by-id/b",), "auto", True), (("http://x/a.m3u8",), "auto", True),
     (("rtsp://x/y",), "offline", False)],
)  # fmt: skip
def test_streams_are_live_and_files_are_not(sources: tuple[str, ...], mode: str, live: bool) -> None:
    assert RunConfig(sources=sources, mode=mode).live is live


@pytest.mark.parametrize(
    ("text", "where"),
    [("8080", ("127.0.0.1", 8080)), ("0.0.0.0:80", ("0.0.0.0", 80)), ("[::1]:0", ("::1", 0)),
     ("cam.lan:9", ("cam.lan", 9))],
)  # fmt: skip
def test_where_to_listen(text: str, where: tuple[str, int]) -> None:
    config = RunConfig(preview=text)  # type: ignore[arg-type]
    assert config.preview == where
    assert RunConfig(preview=where).preview == where


@pytest.mark.parametrize("text", ["", "x", "1:2:3", "host:", "host:70000", "::1:80"])
def test_where_nobody_can_listen(text: str) -> None:
    with pytest.raises(UsageError, match="HOST:PORT"):
        RunConfig(preview=text)  # type: ignore[arg-type]
