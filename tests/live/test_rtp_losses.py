"""RTSP whose RTP packets get lost: pictures come in many packets, and whole runs hold each label against the truth."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av.logging
import numpy as np
import pytest
from numpy.typing import NDArray

from tests.live.conftest import SIZE
from tests.live.servers import rtsp_server
from tests.live.whole_runs import ReadingModel, labelled, live_run, numbers_in, records, sound
from tests.media import draw_number, make_video
from vidinfer.detections import Results
from vidinfer.source.open import open_source
from vidinfer.source.rtp_losses import RtpLosses

FRAMES = 500
CODECS = {"h264": "libx264", "h265": "libx265"}


def draw_noisy(number: int, width: int, height: int) -> NDArray[np.uint8]:
    """A number under noise, so that a picture of it does not fit into one packet."""
    noise = np.random.default_rng(number).integers(-20, 21, (height, width, 1))
    return (draw_number(number, width, height) + noise).clip(0, 255).astype(np.uint8)


class TruthfulModel(ReadingModel):
    """Beside the number it tells in x1 whether the picture is, to the bit, one of those that were sent."""

    def __init__(self, sent: set[bytes]) -> None:
        super().__init__()
        self._sent = sent

    def predict(self, batch: NDArray[Any], width: int, height: int) -> Results:
        results = super().predict(batch, width, height)
        assert results.objects is not None
        results.objects.boxes[:, 0] = [picture.tobytes() in self._sent for picture in batch]
        return results


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("noisy")
    return {
        name: make_video(
            folder / f"{name}.mp4", frames=FRAMES, size=SIZE, gop=10, codec=codec, draw=draw_noisy
        )
        for name, codec in CODECS.items()
    }


@pytest.fixture(scope="module")
def sent(clips: dict[str, Path]) -> set[bytes]:
    """Every picture as it is decoded when nothing is lost."""
    pictures: set[bytes] = set()
    for path in clips.values():
        source = open_source(path, name="truth", threads=1)
        pictures.update(frame.picture.rgb().tobytes() for frame in source)
        source.close()
    assert len(pictures) == len(clips) * FRAMES
    return pictures


@pytest.fixture(scope="module")
def lossy(clips: dict[str, Path]) -> Iterator[str]:
    with rtsp_server(*map(str, clips.values()), "") as (_, port):
        yield f"rtsp://127.0.0.1:{port}"


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_what_lost_packets_leave_is_told_and_never_labelled(
    lossy: str, sent: set[bytes], transport: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Over TCP it is the camera that leaves packets out."""
    monkeypatch.setattr("vidinfer.run_live.open_model", lambda *_, **__: TruthfulModel(sent))
    sources = [f"{codec}={lossy}/{codec}/lossy" for codec in CODECS]
    with live_run(*sources, out=tmp_path / "out", transport=transport) as run:
        for number in range(len(CODECS)):
            run.until(lambda status, n=number: status.streams[n].ledger.labelled >= 40)
            run.until(lambda status, n=number: status.streams[n].ledger.gaps >= 3)
    report = sound(run)
    for source in report.sources:
        found = records(run.out, source.source)
        assert {one["epoch"] for one in found} == {1}, "it went on"
        gaps = [one for one in found if one["outcome"] == "gap"]
        assert len(gaps) >= 3
        assert {gap["reason"] for gap in gaps} <= {
            "damaged on the way",
            "frames were lost on the way",
            "these refer to frames that were lost or damaged",
        }
        shown = labelled(found)
        assert len(shown) >= 40
        assert all(one["objects"][0]["box"][0] == 1 for one in shown), (
            "a picture was labelled that was made up"
        )
        ahead = {
            number - round(25 * one["time"])
            for number, one in zip(numbers_in(shown), shown, strict=True)
            if one["time"] is not None
        }
        assert len(ahead) == 1, "each picture at its own time"


def test_the_log_is_left_as_it_was_found() -> None:
    level, repeated = av.logging.get_level(), av.logging.get_skip_repeated()
    heard = logging.getLogger("libav").level
    with RtpLosses() as one, RtpLosses() as other:
        with one.heard():
            av.logging.log(av.logging.WARNING, "rtsp", "RTP: missed 3 packets\n")
        with other.heard():
            av.logging.log(av.logging.WARNING, "rtsp", "max delay reached. need to consume packet\n")
        assert (one.lost, other.lost) == (True, False)
    assert (av.logging.get_level(), av.logging.get_skip_repeated()) == (level, repeated)
    assert logging.getLogger("libav").level == heard
