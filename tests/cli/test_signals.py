"""Signals while the program is being loaded: it ends, with the status of an interrupted run, and says so in a line."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.media import make_video
from vidinfer.cli.signals import SignalHandler, handled_signals

SAID = "vidinfer: interrupted before anything was labelled\n"

HOOK = """
import signal, sys

SEND = "import signal; signal.raise_signal(signal.{signal})"


class Swallows:
    def __del__(self):
        exec(SEND)


def plain():
    signal.raise_signal(signal.{signal})


def in_text():
    exec(SEND)


def swallowed():
    Swallows()


class Meanwhile:
    def find_spec(self, name, path=None, target=None):
        if name == {module!r}:
            sys.meta_path.remove(self)
            {how}()


sys.meta_path.insert(0, Meanwhile())
from vidinfer.cli.main import main
sys.exit(main({arguments!r}))
"""
"""Sends itself a signal while a module is imported: where exceptions pass, where Python takes a ``KeyboardInterrupt``
for its own end (in code that was text), and where they are swallowed.
"""


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_video(tmp_path_factory.mktemp("media") / "clip.mp4", frames=12, size=(96, 64))


def run(module: str, how: str, name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    code = HOOK.format(module=module, how=how, signal=name, arguments=list(arguments))
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)


@pytest.mark.parametrize("how", ["plain", "in_text", "swallowed"])
@pytest.mark.parametrize(("module", "name"), [("av", "SIGTERM"), ("torch", "SIGINT")])
def test_while_the_libraries_of_a_live_run_are_loaded(
    module: str, name: str, how: str, clip: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    arguments = (str(clip), "--mode", "live", "--loop", "--model", "demo", "--out", str(out))
    done = run(module, how, name, *arguments)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", SAID)
    assert not out.exists()


@pytest.mark.parametrize("how", ["plain", "in_text"])
def test_while_the_model_is_loaded(how: str, clip: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    arguments = (str(clip), "--mode", "live", "--loop", "--model", "demo", "--out", str(out))
    done = run("vidinfer.model.demo", how, "SIGTERM", *arguments)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", SAID)
    assert not out.exists()


def test_a_signal_that_is_swallowed_while_the_model_is_loaded_is_not_lost(clip: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    arguments = (str(clip), "--mode", "live", "--loop", "--model", "demo", "--out", str(out))
    done = run("vidinfer.model.demo", "swallowed", "SIGTERM", *arguments)
    assert done.returncode == 130, done.stderr
    assert json.loads((out / "clip.run.json").read_text())["status"] == "interrupted"


def test_as_an_event(clip: Path) -> None:
    done = run("av", "plain", "SIGTERM", str(clip), "--mode", "live", "--model", "demo", "--log-json")
    loading, end = [json.loads(line) for line in done.stderr.splitlines()]
    assert loading["event"] == "loading"
    assert end == {"event": "error", "text": SAID[10:].rstrip(), "exit_status": done.returncode}


def test_a_signal_when_all_is_done_changes_nothing(tmp_path: Path) -> None:
    code = (
        "import atexit, signal, sys\nfrom vidinfer.cli.main import main\n"
        "atexit.register(lambda: signal.raise_signal(signal.SIGTERM))\n"  # first in, last out
        "sys.exit(main(['models', '--json', '--task', 'detection']))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)


def test_nohup_is_heeded() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with handled_signals([]):
            assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
            assert isinstance(signal.getsignal(signal.SIGTERM), SignalHandler)
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
        signal.signal(signal.SIGHUP, signal.SIG_DFL)  # these tests may run under nohup themselves
        with handled_signals([]):
            assert isinstance(signal.getsignal(signal.SIGHUP), SignalHandler)
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_DFL
    finally:
        signal.signal(signal.SIGHUP, before)
