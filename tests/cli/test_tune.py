"""``vidinfer tune`` and ``bench``: a whole measurement on a tiny clip, the words for made-up figures, mistakes."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import cv2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.media import make_video
from vidinfer.cli.bars import Bar, bars
from vidinfer.cli.bench import checkout
from vidinfer.cli.main import main
from vidinfer.cli.tune import draw, show
from vidinfer.cli.tuned import answers, tuning_text
from vidinfer.clock import MonotonicClock
from vidinfer.config import RunConfig
from vidinfer.errors import SinkError, UsageError
from vidinfer.light import Rate
from vidinfer.service import Curve, Timed, within
from vidinfer.stages import ModelInfo
from vidinfer.tune import tune
from vidinfer.tuned import Tuned, Tuning


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return make_video(tmp_path / "clip.mp4", frames=70, size=(96, 64))


def test_measured_told_kept_and_followed(
    clip: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    cache = ["--cache", str(tmp_path / "cache")]
    plot = tmp_path / "curves.html"
    model = ["--model", "demo", "--backend", "openvino", "--precision", "fp32"]
    assert main(["tune", str(clip), *model, "--quick", "--json", "--plot", str(plot), *cache]) == 0
    out, err = capfd.readouterr()
    found = json.loads(out)
    assert all(line.startswith("vidinfer: ") for line in err.splitlines())
    assert [found["width"], found["height"], found["kept"]] == [96, 64, True]
    (one,) = found["candidates"]
    assert one["exact"]
    sizes = [batch["size"] for batch in one["batches"]]
    assert sizes
    assert sizes == [1, 2, 4][: len(sizes)]  # a slow machine leaves the larger ones out
    assert {"a_ms", "b_ms", "r_squared"} == set(one["service"])
    chosen = found["chosen"]
    assert chosen["batch_size"] in (1, 2, 4)
    assert str(chosen["decoder_threads"]) in found["together"]
    assert found["together"].keys() == found["decode_only"].keys()
    assert len(found["answers"]) == 7
    ElementTree.parse(plot)

    assert main(["models", "demo", *cache]) == 0
    told = capfd.readouterr().out.splitlines()[1]
    assert told.startswith("speed here: ")
    assert told.endswith(f"as tuned on {chosen['date']})")
    assert main(["models", "demo", "--json", *cache]) == 0
    assert json.loads(capfd.readouterr().out)[0]["speed_here"]["tuned"] == chosen

    run = [*model, "--out", str(tmp_path / "out"), *cache]
    assert main([str(clip), *run]) == 0
    report = json.loads((tmp_path / "out" / "clip.run.json").read_text())
    assert report["ring"]["batch_size"] == chosen["batch_size"]
    assert report["threads"]["decoder"] == chosen["decoder_threads"]
    why = f"as tuned on {chosen['date']}"
    taken = {"batch_size": chosen["batch_size"], "decoder_threads": chosen["decoder_threads"]}
    assert report["tuned"] == {**taken, "why": why}
    assert main([str(clip), *run, "--overwrite", "--max-batch-size", "3"]) == 0
    report = json.loads((tmp_path / "out" / "clip.run.json").read_text())
    assert report["ring"]["batch_size"] == 3
    assert "batch_size" not in report["tuned"]


def test_an_interrupted_measurement_keeps_nothing(clip: Path, tmp_path: Path) -> None:
    config = RunConfig(sources=(str(clip),), model="demo", backend="eager", cache=tmp_path / "cache")
    seen: list[str] = []

    def told(text: str) -> None:
        seen.append(text)
        if "together" in text:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        tune(config, clock=MonotonicClock(), quick=True, told=told)
    assert any("batches of 1" in text for text in seen)
    assert not list(tmp_path.glob("cache/**/*.json"))


def test_ctrl_c_is_status_130(
    clip: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(text: str) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("vidinfer.cli.tune.say_progress", interrupted)
        assert main(["tune", str(clip), "--model", "demo", "--cache", str(tmp_path / "cache")]) == 130
    assert capfd.readouterr().err == "vidinfer: interrupted: nothing was kept\n"


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["missing.mp4"], 1, "missing.mp4: no such file"),
        (["--model", "resnet5O"], 3, "no model 'resnet5O'"),
        (["--model", "demo", "--weights", "nope.pth"], 3, "nope.pth"),
        (["--model", "demo", "--backend", "onnx"], 2, "no backend 'onnx': this version has auto, openvino"),
        (["--precision", "fp7"], 2, "--precision fp7: expected auto, fp32"),
        (["--model", "demo", "--device", "tpu"], 2, "no device 'tpu'"),
        (["--latency-slo", "0"], 2, "--latency-slo 0: expected a number above 0"),
        (["--plot", "curves.gif"], 2, "--plot curves.gif: expected a name that ends in .png or .html"),
        (["--plot", "nowhere/curves.png"], 2, "--plot nowhere/curves.png: cannot be written there"),
        (["--plot", "folder.png"], 2, "--plot folder.png: that is a folder"),
        (["camera:0"], 2, "source camera:0: this is for files"),
        (["--quik"], 2, "no such option: --quik; did you mean --quick?"),
        (["folder"], 2, "tune takes one file, but 'folder' names 2"),
    ],
)
def test_mistakes_are_one_line(
    arguments: list[str],
    status: int,
    message: str,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder.png").mkdir()
    for name in ("a", "b"):
        make_video(tmp_path / "folder" / f"{name}.mp4", frames=2)
    assert main(["tune", *arguments, "--cache", str(tmp_path / "cache")]) == status
    out, err = capfd.readouterr()
    lines = [line for line in err.splitlines() if not line.startswith("vidinfer: tune: ")]
    assert (out, len(lines)) == ("", 1)
    assert message in lines[0]


def test_bench_needs_a_source_checkout(tmp_path: Path) -> None:
    (tmp_path / "site-packages" / "vidinfer").mkdir(parents=True)
    with pytest.raises(UsageError, match=r"bench needs a source checkout of vidinfer, and .* is none"):
        checkout(tmp_path / "site-packages" / "vidinfer")
    assert (checkout() / "benchmarks" / "__main__.py").is_file()
    with pytest.raises(SystemExit):
        main(["bench", "--help"])


def straight(
    a: float, b: float, name: str = "openvino", *, exact: bool = True, streams: float = 1.0
) -> Curve:
    timed = [Timed(n, a * n + b, streams * 1000 * n / (a * n + b)) for n in (1, 2, 4, 8, 16)]
    return Curve(name, "bf16", tuple(timed), exact=exact, parity="12 compared in 8 frames", in_flight=1)


def tuning(
    *curves: Curve, rate: float = 142.0, decode: float = 410.0, device: str = "cpu", kept: bool = True
) -> Tuning:
    chosen = next((one for one in curves if one.exact), None)
    tuned = None
    if chosen is not None:
        tuned = Tuned("2026-01-31", chosen.backend, "bf16", 8, 1, rate)
    return Tuning(
        source="clip.mp4",
        size=(1920, 1080),
        model=ModelInfo("ssdlite320", "detection", (), device=device),
        machine={},
        cores=2,
        curves=curves,
        decoding={1: Rate(decode / 2, 0.004), 2: Rate(decode, 0.004)},
        together={} if tuned is None else {1: rate, 2: rate / 2},
        chosen=chosen,
        tuned=tuned,
        within=[(budget, within(curves, budget)) for budget in (33.0, 100.0)],
        kept=kept,
    )


def lines(found: Tuning) -> dict[str, str]:
    return dict(line.split(": ", 1) for line in answers(found))


def test_the_words_for_a_batch_that_pays() -> None:
    told = lines(tuning(straight(2.0, 6.0)))
    assert told["Choice"].startswith("openvino bf16, batches of 8, 1 decoder thread: 142 frames/s")
    assert told["Choice"].endswith("(kept for runs on this machine).")
    assert told["Batching"] == (
        "pays here. l(1) = 8.0 ms, l(8) = 22.0 ms (2.8 ms a frame); a call costs as much as 3.0 frames (b/a). "
        "Throughput 125 frames/s one by one, 364 in batches of 8: 2.91 times."
    )
    assert told["GPU"] == (
        "would pay: the model alone does 421 frames/s, decoding alone 410, both together 142. With the model elsewhere "
        "decoding would be the limit, at 410 frames/s or 2.9 times as many."
    )
    assert told["Within 33 ms"].startswith("batches of up to 13 with openvino bf16 (32 ms), 406 frames/s")
    # (1 - 2·6/33)/2 = 318 frames a second, (1 - 2·6/100)/2 = 440: more than the 142 of the machine.
    assert told["Cameras"].startswith(
        "5 at 25 frames/s or 4 at 30 frames/s; each label within 33 ms: 5 at 25"
    )
    assert told["Archive"] == "136 h at 25 frames/s, 114 h at 30 frames/s of such video a day."


def test_the_words_for_a_batch_that_does_not_pay() -> None:
    told = lines(tuning(straight(40.0, 1.0), rate=24.0, decode=25.0, kept=False))
    assert told["Choice"].endswith("(not kept: the cache cannot be written).")
    assert told["Batching"].startswith("pays little here. l(1) = 41.0 ms, l(8) = 321.0 ms (40.1 ms a frame)")
    assert told["GPU"].startswith("would not pay: ")
    assert told["Within 33 ms"].startswith("nothing; a single frame takes longer")
    assert told["Within 100 ms"].startswith("batches of up to 2 ")
    assert told["Cameras"].startswith("0 at 25 frames/s or 0 at 30 frames/s; ")
    slower = straight(40.0, -1.0)
    assert lines(tuning(slower))["Batching"].startswith("does not pay here.")


def test_the_words_for_a_gpu_and_for_nothing_exact() -> None:
    told = lines(tuning(straight(0.1, 2.0), rate=400.0, device="cuda:0"))
    assert told["GPU"].endswith("so decoding on the CPU is the limit.")
    wrong = straight(1.0, 1.0, exact=False)
    (only,) = answers(tuning(wrong))
    assert only.startswith("Choice: none; nothing that was asked for labels as eager fp32 does")
    text = tuning_text(tuning(wrong), 80)
    assert "openvino bf16 gives other labels: 12 compared in 8 frames" in text


def test_clips_are_called_so_and_count_for_many_frames() -> None:
    # A clip of 16 frames takes 100 ms: 160 frames/s, but no single clip is done within 33 ms.
    found = replace(tuning(straight(100.0, 0.0), rate=150.0), frames_per_place=16.0)
    told = lines(found)
    assert "the model alone does 160 frames/s" in told["GPU"]
    assert "10 clips/s one by one" in told["Batching"]
    assert told["Within 33 ms"].startswith("nothing; a single clip takes longer")
    # Within 101 ms one camera whose clips come every 640 ms; within 201 ms whatever the machine can take.
    assert found.cameras(33.0) == {25: 0, 30: 0}
    assert found.cameras(101.0) == {25: 1, 30: 1}
    assert found.cameras(201.0) == {25: 6, 30: 5}
    assert "clips/s of the model alone, over clips in a batch" in tuning_text(found, 80)


@pytest.mark.parametrize("width", [40, 80, 200])
def test_the_text_fits_the_terminal(width: int) -> None:
    found = tuning(straight(2.0, 6.0), replace(straight(9.0, 1.0, "eager"), stopped="16 at once: no"))
    text = tuning_text(found, width)
    prose = text[text.index("Choice:") :]
    chart = text[text.index("frames/s of the model alone") :].split("\n\n")[0]
    assert max(map(len, prose.splitlines())) <= width
    assert max(map(len, chart.splitlines()[1:])) <= width
    assert "R²" in text
    assert tuning_text(found, width, blocks=False).count("█") == 0


@given(
    st.lists(st.lists(st.floats(0, 1e6), min_size=1, max_size=5), min_size=1, max_size=4), st.integers(0, 200)
)
def test_bars_are_on_one_scale(groups: list[list[float]], width: int) -> None:
    named = [(f"group {i}", [Bar(str(j), v) for j, v in enumerate(ones)]) for i, ones in enumerate(groups)]
    drawn = bars(named, width, blocks=False).splitlines()
    values = [value for ones in groups for value in ones]
    assert len(drawn) == len(values)
    lengths = [line.count("#") for line in drawn]
    assert sorted(lengths) == [lengths[i] for i in sorted(range(len(values)), key=values.__getitem__)]
    assert len({len(line) for line in drawn}) == 1
    assert bars([], width) == ""


def test_plots_and_text_of_made_up_figures(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    found = tuning(straight(2.0, 6.0), straight(1.0, 1.0, "compile", exact=False))
    draw(found, tmp_path / "curves.png")
    assert cv2.imread(str(tmp_path / "curves.png")).shape == (1600, 1680, 3)
    draw(found, tmp_path / "curves.html")
    words = "".join(ElementTree.parse(tmp_path / "curves.html").getroot().itertext())
    assert "compile bf16 (other labels)" in words
    assert all(line in words for line in answers(found))
    with pytest.raises(SinkError, match=r"--plot .*: Is a directory; give another file"):
        draw(found, tmp_path)
    capfd.readouterr()
    show(found, as_json=False)
    assert capfd.readouterr().out.startswith("ssdlite320 on cpu, clip.mp4 (1920x1080)\n")
    show(found, as_json=True)
    told = json.loads(capfd.readouterr().out)
    assert told["chosen"]["service"] == {}
    assert [one["batch_size"] for one in told["within"]] == [13, 16]
    assert told["cameras"][0] == {"latency_ms": None, "at_25": 5, "at_30": 4}
