"""Clips and servers that are made once for all tests of live streams."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from tests.live.servers import packets_of, rtsp_server
from tests.live.whole_runs import ReadingModel
from tests.media import make_video, read_number
from vidinfer.arrival import Received
from vidinfer.clock import MonotonicClock
from vidinfer.frame import Gap
from vidinfer.source.live import open_live
from vidinfer.stages import LiveSource
from vidinfer.testing import FakeModel

SIZE = (160, 120)


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """20 s of numbered pictures, 25 a second, a keyframe every ten."""
    return make_video(tmp_path_factory.mktemp("live") / "clip.mp4", frames=500, size=SIZE, gop=10)


@pytest.fixture(scope="session")
def short_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A second of numbered pictures with B-frames."""
    return make_video(tmp_path_factory.mktemp("live") / "short.mp4", frames=25, size=SIZE, gop=5, b_frames=1)


@pytest.fixture(scope="session")
def units(clip: Path) -> list[bytes]:
    """The access units of ``clip``."""
    return packets_of(clip)


@pytest.fixture(scope="session")
def hevc_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_video(
        tmp_path_factory.mktemp("live") / "hevc.mp4", frames=40, size=SIZE, gop=10, codec="libx265"
    )


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One that nobody signed, with its key."""
    folder = tmp_path_factory.mktemp("tls")
    both = folder / "both.pem"
    key, own = folder / "key.pem", folder / "own.pem"
    command = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "2",
        "-subj",
        "/CN=localhost",
    ]
    subprocess.run([*command, "-keyout", str(key), "-out", str(own)], check=True, capture_output=True)
    both.write_text(own.read_text() + key.read_text())
    return both


@pytest.fixture(scope="session")
def gst(clip: Path, hevc_clip: Path) -> Iterator[str]:
    """Host and port of a real RTSP server."""
    with rtsp_server(str(clip), str(hevc_clip), "") as (_, port):
        yield f"127.0.0.1:{port}"


@pytest.fixture(scope="session")
def gst_tls(clip: Path, hevc_clip: Path, certificate: Path) -> Iterator[str]:
    """Host and port of one that speaks TLS."""
    with rtsp_server(str(clip), str(hevc_clip), str(certificate)) as (_, port):
        yield f"127.0.0.1:{port}"


@contextmanager
def opened(address: str, **options: object) -> Iterator[LiveSource]:
    """An open live source, closed at the end."""
    options.setdefault("clock", MonotonicClock())
    source = open_live(address, name="camera", **options)  # type: ignore[arg-type]
    with closing(source):
        yield source


def numbers(
    source: LiveSource, count: int, *, seen: Callable[[Received], None] = lambda _: None
) -> list[int]:
    """The numbers in the next ``count`` pictures, or as many as come."""
    found: list[int] = []
    if count == 0:
        return found
    for item in source:
        if isinstance(item, Gap):
            continue
        seen(item)
        found.append(read_number(item.frame.picture.rgb()))
        if len(found) == count:
            break
    return found


def rest(source: LiveSource) -> list[Received | Gap]:
    """Everything until it ends."""
    return list(source)


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> Callable[..., FakeModel]:
    """Let ``label`` have this model, or one that reads the number in each picture."""

    def use(fake: FakeModel | None = None) -> FakeModel:
        fake = fake or ReadingModel()
        monkeypatch.setattr("vidinfer.run_live.open_model", lambda *_, **__: fake)
        return fake

    return use
