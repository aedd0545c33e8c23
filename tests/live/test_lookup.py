"""Looking names up: a resolver that never answers holds nothing up."""

from __future__ import annotations

import socket
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.live.conftest import numbers, opened
from tests.live.whole_runs import live_run, sound
from vidinfer.clock import MonotonicClock
from vidinfer.errors import SourceError, SourceUnreachable
from vidinfer.interrupt import Interrupt
from vidinfer.source.live import open_live
from vidinfer.source.live_address import parse_live
from vidinfer.source.lookup import look_up
from vidinfer.source.wire import answers
from vidinfer.testing import FakeModel

LONG = 30.0
NAME = "rtsp://camera.example/stream"
EVER = 3600.0
"""Seconds that a name server is given where only an interrupt may end the wait."""


def speaking(monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """A resolver that is this script; the name is its first argument."""
    monkeypatch.setattr(
        "vidinfer.source.lookup._command", lambda host: (sys.executable, "-I", "-S", "-c", script, host)
    )


class DeadServer:
    """A resolver that asks somebody who never answers, and says to the test that it does."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(LONG)
        port = self._listener.getsockname()[1]
        script = f"import socket\nwith socket.create_connection(('127.0.0.1', {port})) as wire: wire.recv(1)"
        speaking(monkeypatch, script)

    def asked(self) -> socket.socket:
        """The question, once there is one; close it in the end."""
        wire, _ = self._listener.accept()
        wire.settimeout(LONG)
        return wire

    def close(self) -> None:
        self._listener.close()


@pytest.fixture
def dead(monkeypatch: pytest.MonkeyPatch) -> Iterator[DeadServer]:
    server = DeadServer(monkeypatch)
    yield server
    server.close()


def gone(wire: socket.socket) -> bool:
    """Whoever asked has ended."""
    try:
        return wire.recv(1) == b""
    except ConnectionResetError:
        return True


@pytest.mark.parametrize(
    "address", [NAME, "http://camera.example/x", "rtmp://camera.example/x", "udp://camera.example:5000"]
)
def test_an_interrupt_ends_it(dead: DeadServer, monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    monkeypatch.setattr("vidinfer.source.lookup._LONGEST", EVER)
    interrupt, failures = Interrupt(), []

    def connect() -> None:
        try:
            open_live(address, name="x", clock=MonotonicClock(), interrupt=interrupt, patience=EVER)
        except SourceError as error:
            failures.append(str(error))

    thread = threading.Thread(target=connect, name="connect")
    thread.start()
    with dead.asked() as wire:
        interrupt.set()
        thread.join(LONG)
        assert not thread.is_alive()
        assert gone(wire), "the process that asked has ended, too"
    assert failures == [f"{address}: interrupted while connecting"]


def test_a_stop_of_the_run_ends_it(dead: DeadServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("vidinfer.source.lookup._LONGEST", EVER)
    monkeypatch.setattr("vidinfer.run_live.open_model", lambda *_, **__: FakeModel())
    with live_run(f"cam={NAME}", out=tmp_path / "out") as run, dead.asked() as wire:
        run.stop.request()
        run.over()
        assert gone(wire)
    assert sound(run).exit_status == 130


@pytest.mark.usefixtures("dead")
def test_a_name_server_that_does_not_answer_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vidinfer.source.lookup._LONGEST", 0.3)
    address = parse_live(NAME)
    with pytest.raises(
        SourceUnreachable,
        match=r"name camera\.example could not be looked up within 0\.3 s: check the address and",
    ):
        look_up(address, Interrupt())
    assert not answers(address, Interrupt(), timeout=0.3)


def test_an_interrupt_that_came_before_is_noticed(dead: DeadServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vidinfer.source.lookup._LONGEST", EVER)
    interrupt = Interrupt()
    interrupt.set()
    with pytest.raises(SourceUnreachable, match="interrupted"):
        look_up(parse_live(NAME), interrupt)


@pytest.mark.parametrize("script", ["raise SystemExit(2)", "print('no address'); print()", ""])
def test_no_such_name(monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    speaking(monkeypatch, script)
    with pytest.raises(SourceUnreachable, match="no such host"):
        look_up(parse_live(NAME), Interrupt())


def test_a_name_that_cannot_be_one(monkeypatch: pytest.MonkeyPatch) -> None:
    speaking(monkeypatch, "print('127.0.0.1')")
    with pytest.raises(SourceUnreachable, match="no such host"):
        look_up(parse_live(f"rtsp://{'a' * 64}/x"), Interrupt())


def test_each_address_of_a_name_comes_once(monkeypatch: pytest.MonkeyPatch) -> None:
    speaking(
        monkeypatch,
        "import sys\nassert sys.argv[1] == 'xn--kamera-8ya.example'\n"
        "print('10.0.0.1 STREAM x\\n10.0.0.1 DGRAM\\n::1 STREAM\\n10.0.0.2 STREAM')",
    )
    found = look_up(parse_live("rtsp://kameraü.example:99/x"), Interrupt())
    assert [target[:2] for _, target in found] == [("10.0.0.1", 99), ("::1", 99), ("10.0.0.2", 99)]


def test_the_resolver_of_the_system_says_what_it_says_to_anybody() -> None:
    """Of this machine's own name, which may stand for nothing."""
    name = socket.gethostname()
    try:
        true = {
            target[0].partition("%")[0]
            for *_, target in socket.getaddrinfo(name, 554, type=socket.SOCK_STREAM)
        }
    except OSError:
        true = set()
    try:
        found = {
            str(target[0]).partition("%")[0]
            for _, target in look_up(parse_live(f"rtsp://{name}/x"), Interrupt())
        }
    except SourceUnreachable:
        found = set()
    assert found == true


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_what_needs_no_name_server_asks_none(gst: str, monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    asked: list[str] = []
    monkeypatch.setattr("vidinfer.source.lookup._command", asked.append)
    with opened(f"rtsp://{host}:{gst.split(':')[1]}/h264") as source:
        assert numbers(source, 3) == [0, 1, 2]
    assert asked == []
