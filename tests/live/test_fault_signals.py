"""Ctrl-C, SIGTERM and SIGHUP of the real program, with real cameras in every state; what is left behind is valid."""

from __future__ import annotations

import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.live.programs import GENEROUS, ended, grown, program, valid, wait_for
from tests.live.servers import rtsp_server


@contextmanager
def cameras(clip: Path, hevc_clip: Path) -> Iterator[tuple[list[str], list[subprocess.Popen[str]]]]:
    """Two, each a server of its own."""
    with (
        rtsp_server(str(clip), str(hevc_clip), "") as (one, port_one),
        rtsp_server(str(clip), str(hevc_clip), "") as (two, port_two),
    ):
        try:
            yield [f"a=rtsp://127.0.0.1:{port_one}/h264", f"b=rtsp://127.0.0.1:{port_two}/h264"], [one, two]
        finally:
            for server in (one, two):
                server.send_signal(signal.SIGCONT)


def one_run(clip: Path, hevc_clip: Path, out: Path, number: signal.Signals, state: str) -> float:
    with cameras(clip, hevc_clip) as (addresses, servers), socket.create_server(("127.0.0.1", 0)) as silent:
        if "connecting" in state:
            addresses.append(f"c=rtsp://127.0.0.1:{silent.getsockname()[1]}/x")
        options = ("--mode", "live", "--model", "demo", "--out", str(out), "--video")
        with program(*addresses, *options) as running, ExitStack() as wires:
            if "connecting" in state:
                wires.enter_context(silent.accept()[0])
            # It is made ready on the first eight, and a stop would wait for that: a batch more, and it is.
            wait_for(lambda: grown(out, "a", 12) and grown(out, "b", 12), running)
            if "stopped" in state:
                servers[1].send_signal(signal.SIGSTOP)
            took = ended(running, number)
    valid(out, "a", "b")
    print(f"measured: {number.name} while a camera is {state}: {took:.2f} s")
    return took


CASES = [
    (signal.SIGINT, "read"),
    (signal.SIGTERM, "stopped, another connecting"),
    (signal.SIGHUP, "read as its terminal is closed"),
]


@pytest.mark.parametrize(("number", "state"), CASES)
def test_a_signal_ends_it_with_valid_outputs(
    number: signal.Signals, state: str, clip: Path, hevc_clip: Path, tmp_path: Path
) -> None:
    assert one_run(clip, hevc_clip, tmp_path / "out", number, state) < GENEROUS


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("state", ["read", "stopped", "connecting"])
def test_a_signal_ends_it_every_time(
    number: signal.Signals, state: str, clip: Path, hevc_clip: Path, tmp_path: Path
) -> None:
    times = [one_run(clip, hevc_clip, tmp_path / f"out{i}", number, state) for i in range(10)]
    assert max(times) < GENEROUS
    print(f"measured: {number.name} {state}: median {sorted(times)[5]:.2f}, most {max(times):.2f} s")
