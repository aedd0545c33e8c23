"""One run in all weathers: a dozen streams, each with a fault of its own, beside one that is well."""

from __future__ import annotations

import json
import socket
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.live.conftest import SIZE
from tests.live.gst_words import USER
from tests.live.scripts import in_a_row, pausing, steady, with_backlog
from tests.live.servers import LossyRelay, ScriptedCamera, packets_of, sending
from tests.live.whole_runs import (
    UNREADABLE,
    ReadingModel,
    WholeRun,
    labelled,
    live_run,
    numbers_in,
    of_the_clip,
    patient,
    records,
    sound,
    told_everywhere,
    unharmed,
)
from tests.media import draw_number, make_video
from vidinfer.live.connection import MOST, SLOW
from vidinfer.report import RunReport
from vidinfer.status import LiveStatus, StreamState, StreamStatus

WRONG = "hunter2"
STREAMS = (
    *("well", "slow-clock", "backlog", "frozen", "black", "pausing"),
    *("lossy", "silent", "refusing", "wrong-password"),
)


@dataclass
class Weather:
    """What came of it."""

    run: WholeRun
    report: RunReport
    pages: list[str] = field(default_factory=list)

    def seen(self, name: str) -> list[StreamStatus]:
        return [one for status in self.run.seen for one in status.streams if one.name == name]

    def flags(self, name: str) -> list[tuple[str, ...]]:
        """As they changed."""
        found: list[tuple[str, ...]] = []
        for one in self.seen(name):
            if one.state is StreamState.LIVE and (not found or found[-1] != one.flags):
                found.append(one.flags)
        return found

    def states(self, name: str) -> set[StreamState]:
        return {one.state for one in self.seen(name)}

    def records(self, name: str) -> list[dict[str, Any]]:
        return records(self.run.out, name)

    def facts(self, name: str) -> dict[str, Any]:
        told: dict[str, Any] = json.loads((self.run.out / f"{name}.run.json").read_text())
        return told


def over(status: LiveStatus) -> bool:
    """Everything that was to be seen has been."""
    by_name = {one.name: one for one in status.streams}
    return (
        by_name["well"].ledger.decoded > 300
        and by_name["slow-clock"].flags != ()
        and by_name["lossy"].ledger.labelled > 50
        and by_name["pausing"].ledger.decoded > 200
        and by_name["backlog"].ledger.decoded > 400
        and by_name["frozen"].ledger.decoded > 300
        and by_name["black"].ledger.decoded > 150
    )


@pytest.fixture(scope="module")
def weather(
    units: list[bytes], clip: Path, gst: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Weather]:
    folder = tmp_path_factory.mktemp("weather")

    def made(name: str, frames: int, draw: Any, gop: int = 10) -> list[bytes]:
        return packets_of(make_video(folder / f"{name}.mp4", frames=frames, size=SIZE, gop=gop, draw=draw))

    def same(_: int, width: int, height: int) -> np.ndarray:
        return draw_number(7, width, height)

    def nothing(_: int, width: int, height: int) -> np.ndarray:
        return np.zeros((height, width, 3), np.uint8)

    still, dark = made("still", 20, same), made("dark", 20, nothing)
    scripts = {
        "well": steady(units),
        "slow-clock": steady(units, rate=21),
        "backlog": with_backlog(units, after=11, behind=1.4, for_=2.5),
        "frozen": in_a_row((units, 75, 0), (still, 160, 0), (units, None, 0)),
        "black": in_a_row((units, 50, 0), (dark, 60, 0), (units, None, 0)),
        "pausing": pausing(made("groups", 250, draw_number, gop=25), 0.5, 25),
    }
    with ExitStack() as block, pytest.MonkeyPatch.context() as patch:
        patient(patch)
        patch.setattr("vidinfer.run_live.open_model", lambda *_, **__: ReadingModel())
        addresses = {
            name: block.enter_context(ScriptedCamera(script)).address for name, script in scripts.items()
        }
        silent = block.enter_context(socket.create_server(("127.0.0.1", 0)))
        with (
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free,
            socket.create_server(("127.0.0.1", 0)) as dead,
        ):
            free.bind(("127.0.0.1", 0))
            listening, refusing = free.getsockname()[1], dead.getsockname()[1]
        relay = block.enter_context(LossyRelay(listening, 20))
        block.enter_context(sending(clip, f"udp://127.0.0.1:{relay.port}?pkt_size=1316", "mpegts"))
        addresses |= {
            "lossy": f"udp://127.0.0.1:{listening}",
            "silent": f"rtsp://127.0.0.1:{silent.getsockname()[1]}/x",
            "refusing": f"rtsp://{USER}:{WRONG}@127.0.0.1:{refusing}/x",
            "wrong-password": f"rtsp://{USER}:{WRONG}@{gst}/private",
        }
        given = [f"{name}={addresses[name]}" for name in STREAMS]
        pages = []
        with live_run(*given, out=folder / "out", preview=("127.0.0.1", 0)) as run:
            run.until(over)
            for page in ("/api/status", "/metrics", "/healthz", "/"):
                with urllib.request.urlopen(f"{run.url}".rstrip("/") + page, timeout=10) as answer:
                    pages.append(answer.read().decode())
        yield Weather(run, sound(run), pages)


def test_every_frame_of_every_stream_is_accounted_for(weather: Weather) -> None:
    assert [one.source for one in weather.report.sources] == list(STREAMS)
    assert weather.report.exit_status == 130


def test_the_healthy_one_loses_nothing(weather: Weather) -> None:
    unharmed(weather.run)
    assert weather.flags("well") == [()]


def test_a_camera_that_claims_25_and_sends_21_is_flagged_and_read_as_any(weather: Weather) -> None:
    unharmed(weather.run, "slow-clock")
    assert weather.flags("slow-clock") == [(), ("clock runs at another pace",)]
    source = weather.facts("slow-clock")["source"]
    assert source["clock_rate"] == pytest.approx(21 / 25, abs=0.02)  # a tenth of what it is off
    assert source["skips_to_live"] == 0
    assert set(source["packets_shed"].values()) <= {0}
    # Beside the healthy one on the same machine: if its own clock made it wait, that would grow by 0.16 s a second.
    slow, well = (_middle_of_the_last(weather.records(name), 100) for name in ("slow-clock", "well"))
    assert slow < well + 100, "it grows"


def _middle_of_the_last(lines: list[dict[str, Any]], count: int) -> float:
    """Milliseconds from arrival to label."""
    return sorted(one["latency_ms"]["total"] for one in lines[-count:])[count // 2]


def test_a_backlog_that_grows_upstream_is_skipped_to_live(weather: Weather) -> None:
    assert ("behind, skipping to live",) in weather.flags("backlog")
    assert weather.flags("backlog")[-1] == ()
    source = weather.facts("backlog")["source"]
    assert source["skips_to_live"] == 1
    assert source["reconnects"] == 0
    found = weather.records("backlog")
    unharmed(weather.run, "backlog")
    holes = [(a, b) for a, b in pairwise(numbers_in(found)) if (b - a) % 500 != 1]
    assert all(b % 10 == 0 for _, b in holes), "it goes on with keyframes only"
    missing = sum((b - a) % 500 - 1 for a, b in holes)
    assert missing == sum(source["packets_shed"].values()) > 0


def _with_another(first: int, count: int, number: int) -> Callable[[int], int]:
    """The clip; ``number`` ``count`` times from the picture ``first`` on; the clip from its beginning."""

    def drawn(sent: int) -> int:
        if first <= sent < first + count:
            return number
        return of_the_clip(sent if sent < first else sent - first - count)

    return drawn


def test_a_frozen_picture_is_flagged_for_as_long_as_it_lasts(weather: Weather) -> None:
    assert weather.flags("frozen") == [(), ("frozen",), ()]
    unharmed(weather.run, "frozen", _with_another(75, 160, 7))


def test_black_frames_are_flagged_and_labelled_as_any(weather: Weather) -> None:
    assert weather.flags("black") == [(), ("black",), ()]
    unharmed(weather.run, "black", _with_another(50, 60, UNREADABLE))


def test_a_pause_before_each_keyframe_is_no_stall(weather: Weather) -> None:
    assert not weather.states("pausing") & {StreamState.STALLED, StreamState.WAITING}
    source = weather.facts("pausing")["source"]
    assert source["reconnects"] == source["skips_to_live"] == 0
    assert weather.flags("pausing") == [()]
    unharmed(weather.run, "pausing", lambda sent: sent % 250, group=25)


def test_five_in_a_hundred_datagrams_lost(weather: Weather) -> None:
    found = weather.records("lossy")
    assert {one["outcome"] for one in found} == {"labelled", "gap"}
    assert weather.facts("lossy")["source"]["reconnects"] == 0
    shown = labelled(found)
    first, start = numbers_in(shown)[0], shown[0]["time"]
    true = [(first + round(25 * (one["time"] - start))) % 500 for one in shown]
    assert numbers_in(shown) == true, "a picture was labelled that the decoder made up"


def test_one_that_accepts_and_says_nothing_is_asked_again(weather: Weather) -> None:
    assert not weather.states("silent") & {StreamState.LIVE, StreamState.STALLED}
    assert any("no answer within" in one.error for one in weather.seen("silent"))
    assert weather.report.sources[7].status == "interrupted"


def test_one_that_refuses_is_asked_again_and_again(weather: Weather) -> None:
    assert StreamState.WAITING in weather.states("refusing")
    assert any("connection refused" in one.error for one in weather.seen("refusing"))
    waits = [one.retry_in for one in weather.seen("refusing") if one.retry_in is not None]
    assert max(waits) <= MOST


def test_a_wrong_password_goes_to_the_slow_lane_and_is_shown_nowhere(
    weather: Weather, capfd: pytest.CaptureFixture[str]
) -> None:
    seen = weather.seen("wrong-password")
    assert any("401" in one.error and "user and password" in one.error for one in seen)
    first = next(one for one in seen if one.retry_in is not None)
    assert first.retry_in is not None
    assert 0.8 * SLOW <= round(first.retry_in + first.seconds_in_state, 6) <= 1.2 * SLOW
    told = told_everywhere(weather.run) + "".join(weather.pages) + "".join(capfd.readouterr())
    assert WRONG not in told
    assert "wrong-password" in weather.pages[1]
