"""MJPEG, HLS and files over a real HTTP server."""

from __future__ import annotations

import base64
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import av
import pytest

from tests.live.conftest import numbers, opened, rest
from tests.live.servers import serving
from tests.media import make_video
from vidinfer.clock import MonotonicClock
from vidinfer.errors import SourceError, SourceRefused
from vidinfer.source.live_address import parse_live

Answer = Callable[[BaseHTTPRequestHandler], None]


@pytest.fixture(scope="session")
def jpegs(tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    path = make_video(
        tmp_path_factory.mktemp("live") / "m.avi",
        frames=40,
        size=(160, 120),
        codec="mjpeg",
        pix_fmt="yuvj420p",
    )
    with av.open(str(path)) as container:
        return [bytes(packet) for packet in container.demux(video=0) if packet.size]


def mjpeg(jpegs: list[bytes], stop: threading.Event, pace: float = 0.02) -> Answer:
    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
        request.end_headers()
        for jpeg in jpegs:
            head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
            request.wfile.write(head.encode() + jpeg + b"\r\n")
            if stop.wait(pace):
                return
        stop.wait(20)

    return answer


def files(folder: Path, *, user: str = "", ranges: bool = True) -> Answer:
    """Files of ``folder``, in ranges where asked for."""

    def answer(request: BaseHTTPRequestHandler) -> None:
        wanted = "Basic " + base64.b64encode(user.encode()).decode()
        if user and request.headers.get("Authorization") != wanted:
            request.send_response(401)
            request.send_header("WWW-Authenticate", 'Basic realm="camera"')
            request.end_headers()
            return
        path = folder / request.path.lstrip("/")
        if not path.is_file():
            request.send_error(404)
            return
        data = path.read_bytes()
        span = request.headers.get("Range")
        start = int(span.removeprefix("bytes=").split("-")[0]) if span and ranges else 0
        request.send_response(206 if span and ranges else 200)
        request.send_header("Content-Length", str(len(data) - start))
        if ranges:
            request.send_header("Accept-Ranges", "bytes")
        request.end_headers()
        request.wfile.write(data[start:])

    return answer


def test_mjpeg_comes_as_it_is_sent_and_a_pause_is_a_stall(jpegs: list[bytes]) -> None:
    stop = threading.Event()
    with serving(mjpeg(jpegs, stop)) as port:
        with opened(f"http://127.0.0.1:{port}/video", stall=0.5) as source:
            assert source.info.details["codec"] == "mjpeg"
            assert numbers(source, 38) == list(range(38))
            rest(source)
            assert str(source.facts()["ended"]).startswith("stalled")
        stop.set()


def test_mjpeg_is_interrupted_while_nothing_comes(jpegs: list[bytes]) -> None:
    stop, clock = threading.Event(), MonotonicClock()
    with serving(mjpeg(jpegs, stop)) as port:
        with opened(f"http://127.0.0.1:{port}/video", stall=30.0) as source:
            numbers(source, 38)
            threading.Timer(0.2, source.interrupt).start()
            begun = clock.now()
            rest(source)
            assert clock.now() - begun < 2
            assert source.facts()["ended"] == "interrupted"
        stop.set()


def test_a_served_file_is_played_at_its_own_pace(clip: Path) -> None:
    clock = MonotonicClock()
    with serving(files(clip.parent)) as port, opened(f"http://127.0.0.1:{port}/{clip.name}") as source:
        begun = clock.now()
        assert numbers(source, 26) == list(range(26))
        assert clock.now() - begun > 0.9


def test_user_and_password_and_refusals(clip: Path) -> None:
    with serving(files(clip.parent, user="me:s3cret")) as port:
        with opened(f"http://me:s3cret@127.0.0.1:{port}/{clip.name}") as source:
            assert numbers(source, 2) == [0, 1]
        with (
            pytest.raises(SourceRefused, match="user and password") as error,
            opened(f"http://me:wr0ng@127.0.0.1:{port}/{clip.name}"),
        ):
            pass
        assert "wr0ng" not in str(error.value)
        with (
            pytest.raises(SourceRefused, match="404"),
            opened(f"http://me:s3cret@127.0.0.1:{port}/nothing.mp4"),
        ):
            pass


def test_it_follows_to_where_it_is_sent_but_not_round_in_circles(clip: Path) -> None:
    serve = files(clip.parent)

    def answer(request: BaseHTTPRequestHandler) -> None:
        if request.path in ("/here", "/circle"):
            request.send_response(302)
            request.send_header("Location", f"/{clip.name}" if request.path == "/here" else "/circle")
            request.end_headers()
        else:
            serve(request)

    with serving(answer) as port:
        with opened(f"http://127.0.0.1:{port}/here") as source:
            assert numbers(source, 2) == [0, 1]
        with pytest.raises(SourceError, match="circles"), opened(f"http://127.0.0.1:{port}/circle"):
            pass


def test_what_is_no_video(tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text("<html><body>Hello</body></html>" * 100)
    with (
        serving(files(tmp_path)) as port,
        pytest.raises(SourceError, match="cannot be opened"),
        opened(f"http://127.0.0.1:{port}/page.html"),
    ):
        pass


@pytest.fixture(scope="session")
def segments(clip: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``clip`` as HLS, segments of 0.4 s."""
    folder = tmp_path_factory.mktemp("hls")
    options = {"hls_time": "0.4", "hls_list_size": "0", "hls_flags": "split_by_time"}
    with (
        av.open(str(clip)) as source,
        av.open(str(folder / "all.m3u8"), "w", format="hls", options=options) as out,
    ):
        video = source.streams.video[0]
        stream = out.add_stream_from_template(video)
        for packet in source.demux(video):
            if packet.dts is not None:
                packet.stream = stream
                out.mux(packet)
    return folder


def test_a_live_playlist_is_followed_until_it_ends(segments: Path) -> None:
    """Every time somebody asks for the list, it has one segment more."""
    lines = (segments / "all.m3u8").read_text().splitlines()
    begin = next(i for i, line in enumerate(lines) if line.startswith("#EXTINF"))
    serve, asked = files(segments), [0]

    def answer(request: BaseHTTPRequestHandler) -> None:
        if request.path == "/master.m3u8":
            text = "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nnone.m3u8\n#EXT-X-STREAM-INF:BANDWIDTH=9\nlive.m3u8\n"
        elif request.path == "/live.m3u8":
            asked[0] += 1
            listed = min(8, 2 + asked[0])
            text = "\n".join(lines[: begin + 2 * listed]) + "\n" + "#EXT-X-ENDLIST\n" * (listed == 8)
        else:
            serve(request)
            return
        request.send_response(200)
        request.send_header("Content-Type", "application/vnd.apple.mpegurl")
        request.send_header("Content-Length", str(len(text)))
        request.end_headers()
        request.wfile.write(text.encode())

    with serving(answer) as port, opened(f"http://u:secret@127.0.0.1:{port}/master.m3u8") as source:
        found = numbers(source, 1000)
        assert found == list(range(found[0], 80)), "nothing is left out, to the end of the eighth segment"
        assert found[0] >= 20, "it begins with the newest segment"
        assert source.facts()["ended"] == "closed by the other end"
        assert "secret" not in str(source.info) + str(source.facts())


def test_a_playlist_without_news_is_a_stall_and_can_be_interrupted(segments: Path) -> None:
    lines = (segments / "all.m3u8").read_text().replace("#EXT-X-ENDLIST", "").splitlines()[:12]
    (segments / "stuck.m3u8").write_text("\n".join(lines) + "\n")
    clock = MonotonicClock()
    with serving(files(segments)) as port:
        with opened(f"http://127.0.0.1:{port}/stuck.m3u8", stall=0.5) as source:
            rest(source)
            assert str(source.facts()["ended"]).startswith("stalled")
        with opened(f"http://127.0.0.1:{port}/stuck.m3u8", stall=30) as source:
            threading.Timer(0.3, source.interrupt).start()
            begun = clock.now()
            rest(source)
            assert clock.now() - begun < 2
            assert source.facts()["ended"] == "interrupted"


def test_a_complete_playlist_is_a_recording(segments: Path) -> None:
    with serving(files(segments)) as port, opened(f"http://127.0.0.1:{port}/all.m3u8") as source:
        assert numbers(source, 12) == list(range(12))
        assert source.info.details["paced"] is True


def test_addresses_are_hidden_in_every_kind_of_object() -> None:
    assert "secret" not in parse_live("http://u:secret@host/x").shown
