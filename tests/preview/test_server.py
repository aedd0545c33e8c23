"""The server, by real connections on 127.0.0.1."""

from __future__ import annotations

import json
import socket
import threading
from contextlib import closing

import pytest

from tests.preview.made import (
    SECRET,
    Run,
    eventually,
    feed,
    get,
    served,
    show_all,
    stream,
)
from vidinfer.errors import UsageError
from vidinfer.preview import Preview
from vidinfer.status import StreamState
from vidinfer.workers import Workers

TOKEN = "a-long-enough-token"


NEXT = b"\r\n--frame\r\nContent-Type: image/jpeg\r\n\r\n"


def raw(preview: Preview, request: str) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", preview.port), timeout=20)
    connection.sendall(request.encode())
    return connection


def until(connection: socket.socket, wanted: bytes) -> bytes:
    found = b""
    while wanted not in found:
        part = connection.recv(65536)
        assert part, f"ended before {wanted!r} came"
        found += part
    return found


def test_the_page_and_its_parts() -> None:
    with served(Run()) as preview:
        status, headers, body = get(preview, "/")
        assert (status, headers.get_content_type()) == (200, "text/html")
        text = body.decode()
        assert "http://" not in text
        assert "https://" not in text
        for name, kind in (
            ("main.js", "text/javascript"),
            ("page.css", "text/css"),
            ("icon.svg", "image/svg+xml"),
        ):
            assert f"/static/{name}" in text
            status, headers, body = get(preview, f"/static/{name}")
            assert (status, headers.get_content_type()) == (200, kind)
            assert body
        policy = headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert headers["Server"] == "vidinfer"
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert "Access-Control-Allow-Origin" not in headers


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/nothing", 404),
        ("/static/../server.py", 404),
        ("/static/%2e%2e%2fserver.py", 404),
        ("/static/nothing.js", 404),
        ("/streams/1.mjpeg", 404),
        ("/streams/x.mjpeg", 404),
        ("/streams/99999999999.mjpeg", 404),
        ("/live", 400),
    ],
)
def test_wrong_paths(path: str, status: int) -> None:
    with served(Run()) as preview:
        assert get(preview, path)[0] == status
        assert get(preview, "/", "POST")[0] == 405
        assert get(preview, "/")[0] == 200


@pytest.mark.parametrize(
    "path", ["/", "/static/main.js", "/streams/0.mjpeg", "/api/status", "/metrics", "/healthz"]
)
def test_head_answers_without_a_body(path: str) -> None:
    with served(Run()) as preview:
        status, headers, body = get(preview, path, "HEAD")
    assert (status, body) == (200, b"")
    assert headers["Content-Type"]


def test_status_and_health_and_metrics() -> None:
    run = Run(stream("gate"), stream("door", StreamState.WAITING, error=f"rtsp://u:{SECRET}@door: refused"))
    with served(run) as preview:
        told = json.loads(get(preview, "/api/status")[2])
        assert [one["state"] for one in told["streams"]] == ["live", "waiting"]
        assert told["streams"][1]["error"] == "rtsp://…@door: refused"
        assert b'vidinfer_stream_state{state="waiting",stream="door"} 1.0' in get(preview, "/metrics")[2]
        status, _, body = get(preview, "/healthz")
        assert (status, json.loads(body)["why"]) == (200, "1 of 2 streams live")
        run.change(0, state=StreamState.STALLED)
        assert get(preview, "/healthz")[0] == 503


def test_a_status_that_cannot_be_read_is_said_in_one_line() -> None:
    run = Run()
    with served(run) as preview:
        run.failure = RuntimeError(f"rtsp://u:{SECRET}@gate\nTraceback")
        for path in ("/api/status", "/metrics"):
            status, _, body = get(preview, path)
            assert (status, body.decode()) == (
                503,
                "the status of the run cannot be read: RuntimeError: rtsp://…@gate\n",
            )
        assert get(preview, "/healthz")[0] == 503
        run.failure = None
        assert get(preview, "/api/status")[0] == 200


def test_another_name_for_this_machine_is_refused() -> None:
    with served(Run()) as preview:
        for path in ("/", "/api/status", "/metrics", "/streams/0.mjpeg", "/healthz", "/static/main.js"):
            assert get(preview, path, Host="evil.example")[0] == 403
        assert get(preview, "/api/status", Origin="http://evil.example")[0] == 403
        assert get(preview, "/", Host=f"localhost:{preview.port}")[0] == 200


def test_the_token() -> None:
    with served(Run(), host="0.0.0.0", token=TOKEN) as preview:
        for path in ("/", "/api/status", "/metrics", "/streams/0.mjpeg", "/live", "/nothing"):
            status, headers, body = get(preview, path)
            assert (status, headers["WWW-Authenticate"]) == (401, "Bearer")
            assert b"gate" not in body
            assert get(preview, f"{path}?token=wrong")[0] == 401
        assert get(preview, "/healthz")[0] == 200
        assert get(preview, "/static/page.css")[0] == 200
        assert get(preview, f"/api/status?token={TOKEN}")[0] == 200
        assert get(preview, "/metrics", Authorization=f"Bearer {TOKEN}")[0] == 200
        status, headers, _ = get(preview, f"/?token={TOKEN}")
        assert (status, headers["Location"]) == (303, "/")
        cookie = headers["Set-Cookie"]
        assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= {part.strip() for part in cookie.split(";")}
        assert TOKEN not in cookie
        assert get(preview, "/", Cookie=cookie.split(";")[0])[0] == 200
        assert preview.url == f"http://0.0.0.0:{preview.port}/?token={TOKEN}"


def test_a_taken_port_is_one_line() -> None:
    with served(Run()) as preview:
        other = Preview(Run(), feed(), port=preview.port)
        with pytest.raises(
            UsageError, match=rf"cannot listen on 127\.0\.0\.1:{preview.port}: Address already in use; take"
        ):
            other.start()
        other.close()


@pytest.mark.parametrize(("host", "port"), [("127.0.0.1", 70000), ("::1", -1)])
def test_an_impossible_address_is_one_line(host: str, port: int) -> None:
    with pytest.raises(UsageError, match=r"^the preview cannot listen on [^\n]*$"):
        Preview(Run(), feed(), host=host, port=port).start()


def test_close_without_start_and_twice() -> None:
    preview = Preview(Run(), feed(), port=0)
    preview.close()
    with served(Run()) as other:
        other.close()


def test_mjpeg_shows_each_newest_picture() -> None:
    pictures = feed(2)
    with (
        served(Run(stream(), stream("door")), pictures) as preview,
        raw(preview, "GET /streams/1.mjpeg HTTP/1.1\r\nHost: localhost\r\n\r\n") as reader,
    ):
        head = until(reader, NEXT)
        assert b"multipart/x-mixed-replace; boundary=frame" in head
        for number in range(3):
            show_all(pictures, number)
            part = until(reader, NEXT)
            assert b"\xff\xd8\xff" in part
        assert pictures.watched == 1
        reader.close()
        eventually(lambda: pictures.watched == 0)


def test_close_hangs_up_on_readers_that_stopped_reading(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("mjpeg", "viewer"):  # or a slow machine has hung up on them before
        monkeypatch.setattr(f"vidinfer.preview.{module}.PATIENCE", 3600.0)
    pictures = feed(1, (1920, 1080), rate=1000.0, share=1.0)
    preview = Preview(Run(), pictures, port=0)
    preview.start()
    streaming = raw(preview, "GET /streams/0.mjpeg HTTP/1.1\r\nHost: localhost\r\n\r\n")
    idle = raw(preview, "")
    half = raw(preview, "GET / HTTP/1.1\r\nHost: loc")
    sockets = raw(
        preview,
        "GET /live HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
    )
    with closing(preview), streaming, idle, half, sockets:
        eventually(lambda: pictures.watched == 1)
        for number in range(100):  # more than the kernel takes: newer ones replace older ones, nothing queues
            before = pictures.latest(0)
            show_all(pictures, number, (1920, 1080))
            eventually(lambda b=before: pictures.latest(0) is not b)  # type: ignore[misc]
        closed = threading.Event()

        def close() -> None:
            preview.close()
            closed.set()

        with Workers(on_failure=lambda: None) as workers:
            workers.start("close", close)
            assert closed.wait(10), "still open after ten seconds"
        for reader in (streaming, idle, half, sockets):
            assert ended(reader)


def ended(reader: socket.socket) -> bool:
    """The other side hung up: an end or a reset after what was under way."""
    try:
        while reader.recv(1 << 20):
            pass
    except ConnectionError:
        pass
    return True


def test_garbage_on_the_port_harms_nobody() -> None:
    with served(Run()) as preview:
        for text in (
            "\x00\xff\x16\x03\x01 garbage\r\n\r\n",
            "GET / HTTP/1.1\r\n" + "x: y\r\n" * 5000 + "\r\n",
        ):
            with raw(preview, text) as reader:
                assert ended(reader)
        assert get(preview, "/")[0] == 200
