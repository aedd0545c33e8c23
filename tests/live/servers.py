"""The other ends of live connections: real servers in processes of their own, and scripted ones for faults.

Whatever is started here is ended by ``close`` (or its ``with`` block), threads and all.
"""

from __future__ import annotations

import re
import shutil
import socket
import struct
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import av

__all__ = ["FaultyProxy", "ScriptedCamera", "Session", "packets_of", "rtsp_server", "sending", "serving"]

BASE = 1_000_000
"""Where the media clock of a scripted camera begins."""
TICKS = 3600
"""Of that clock per frame: 25 a second."""
LONG = 30.0
"""Seconds after which a test has failed rather than waited."""


@contextmanager
def rtsp_server(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """``gst_server.py`` with ``arguments``; the process and its port."""
    script = Path(__file__).with_name("gst_server.py")
    with subprocess.Popen(
        ["/usr/bin/python3", str(script), *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        try:
            assert line.strip().isdigit(), (
                "no RTSP server; `make test` installs it (scripts/system-packages.sh rtsp)"
            )
            yield process, int(line)
        finally:
            process.kill()


def packets_of(path: Path) -> list[bytes]:
    """The access units of an H.264 file, each with its own start codes."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        annexb = av.bitstream.BitStreamFilterContext("h264_mp4toannexb", stream)
        units = []
        for packet in container.demux(stream):
            units += [bytes(unit) for unit in annexb.filter(packet if packet.size else None)]
        return units


class Session:
    """One client of a scripted camera, that has been told to play."""

    def __init__(self, wire: socket.socket, stop: threading.Event) -> None:
        self._wire = wire
        self.stop = stop
        self._sequence = 0

    def pause(self, seconds: float) -> None:
        """The camera's own pace."""
        if self.stop.wait(seconds):
            raise ConnectionAbortedError

    def send(self, unit: bytes, ticks: int) -> None:
        """One access unit of H.264 (RFC 6184), at ``ticks`` of the media clock."""
        payloads: list[bytes] = []
        for nal in filter(None, re.split(b"\0\0\0?\1", unit)):
            if len(nal) <= 1200:
                payloads.append(nal)
                continue
            parts = [nal[i : i + 1200] for i in range(1, len(nal), 1200)]
            for i, part in enumerate(parts):
                header = nal[0] & 0x1F | (i == 0) << 7 | (i == len(parts) - 1) << 6
                payloads.append(bytes([nal[0] & 0xE0 | 28, header]) + part)
        data = b""
        for i, payload in enumerate(payloads):
            marker = (i == len(payloads) - 1) << 7
            rtp = (
                struct.pack(">BBHII", 0x80, 96 | marker, self._sequence & 0xFFFF, ticks & 0xFFFFFFFF, 7)
                + payload
            )
            self._sequence += 1
            data += struct.pack(">BBH", 0x24, 0, len(rtp)) + rtp
        self._wire.sendall(data)

    def report(self, wall: float, ticks: int) -> None:
        """An RTCP sender report: at ``wall`` Unix seconds the media clock stood at ``ticks``."""
        seconds = int(wall)
        fraction = int((wall - seconds) * 2**32)
        rtcp = struct.pack(
            ">BBHIIIIII", 0x80, 200, 6, 7, seconds + 2_208_988_800, fraction, ticks & 0xFFFFFFFF, 0, 0
        )
        self._wire.sendall(struct.pack(">BBH", 0x24, 1, len(rtcp)) + rtcp)

    def cut(self) -> None:
        """End the connection without a word."""
        self._wire.shutdown(socket.SHUT_RDWR)


class ScriptedCamera:
    """An RTSP server that knows one stream over TCP and does what a script says after PLAY.

    At the end of the script the connection stays open until ``close``, or until the client leaves.
    """

    def __init__(self, script: Callable[[Session], None], port: int = 0) -> None:
        """``script`` is run for each client that plays; ``port``: one that another camera had, or any."""
        self._script = script
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._wires: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self.requests: list[str] = []
        """Methods that clients have asked for."""
        self.asked = threading.Condition()
        """Notified at each."""
        self._listener = socket.create_server(("127.0.0.1", port))
        self.port = self._listener.getsockname()[1]
        self._start(self._accept)

    @property
    def address(self) -> str:
        return f"rtsp://127.0.0.1:{self.port}/stream"

    def __enter__(self) -> ScriptedCamera:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Hang up on everybody."""
        self._stop.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        with self._lock:
            for wire in self._wires:
                with suppress(OSError):
                    wire.shutdown(socket.SHUT_RDWR)
        for thread in list(self._threads):
            thread.join(LONG)
        self._listener.close()
        for wire in self._wires:
            wire.close()

    def wait_for(self, method: str) -> None:
        """Until a client has asked for it."""
        with self.asked:
            assert self.asked.wait_for(lambda: method in self.requests, LONG), f"no {method} came"

    def _start(self, work: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=work, args=arguments, name="scripted-camera")
        with self._lock:
            self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with suppress(OSError):
            while not self._stop.is_set():
                wire, _ = self._listener.accept()
                with self._lock:
                    self._wires.append(wire)
                self._start(self._serve, wire)

    def _serve(self, wire: socket.socket) -> None:
        left = threading.Event()
        try:
            with wire.makefile("rb") as lines:
                while request := lines.readline().decode("latin-1"):
                    if request.startswith("$"):
                        continue
                    head = iter(lambda: lines.readline().decode("latin-1").strip(), "")
                    fields = {
                        name.lower(): value.strip() for name, _, value in (h.partition(":") for h in head)
                    }
                    method = request.split()[0]
                    self._answer(wire, method, fields.get("cseq", "0"))
                    with self.asked:
                        self.requests.append(method)
                        self.asked.notify_all()
                    if method == "PLAY":
                        self._start(self._play, Session(wire, left))
                    if method == "TEARDOWN":
                        break
        except OSError:
            pass
        left.set()

    def _play(self, session: Session) -> None:
        with suppress(OSError):
            self._script(session)

    def _answer(self, wire: socket.socket, method: str, number: str) -> None:
        extra = body = ""
        if method == "DESCRIBE":
            body = (
                "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 0.0.0.0\r\nt=0 0\r\nm=video 0 RTP/AVP 96\r\n"
                "a=rtpmap:96 H264/90000\r\na=fmtp:96 packetization-mode=1\r\na=control:track\r\n"
            )
            extra = f"Content-Type: application/sdp\r\nContent-Length: {len(body)}\r\n"
        elif method == "SETUP":
            extra = "Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\nSession: 1\r\n"
        elif method == "PLAY":
            extra = "Session: 1\r\n"
        wire.sendall(f"RTSP/1.0 200 OK\r\nCSeq: {number}\r\n{extra}\r\n{body}".encode())


class FaultyProxy:
    """Forwards TCP connections to ``port``, until it is told to behave badly."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._flowing = threading.Event()
        self._flowing.set()
        self._stop = False
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._wires: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept, name="proxy")]
        self._threads[0].start()

    def __enter__(self) -> FaultyProxy:
        return self

    def __exit__(self, *error: object) -> None:
        self._stop = True
        self._flowing.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self.cut()
        for thread in list(self._threads):
            thread.join(LONG)
        self._listener.close()

    def hold(self) -> None:
        """Forward nothing, and keep everything that comes."""
        self._flowing.clear()

    def go_on(self) -> None:
        """Forward again, what was kept first."""
        self._flowing.set()

    def cut(self) -> None:
        """Reset all connections."""
        for wire in self._wires:
            with suppress(OSError):
                wire.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                wire.shutdown(socket.SHUT_RDWR)
            wire.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                far = socket.create_connection(("127.0.0.1", self._target), LONG)
                far.settimeout(None)
                self._wires += [near, far]
                for one, other in ((near, far), (far, near)):
                    thread = threading.Thread(target=self._forward, args=(one, other), name="proxy")
                    self._threads.append(thread)
                    thread.start()

    def _forward(self, one: socket.socket, other: socket.socket) -> None:
        with suppress(OSError):
            while (data := one.recv(1 << 16)) and not self._stop:
                self._flowing.wait()
                other.sendall(data)
        for wire in (one, other):
            with suppress(OSError):
                wire.shutdown(socket.SHUT_RDWR)


@contextmanager
def serving(answer: Callable[[BaseHTTPRequestHandler], None]) -> Iterator[int]:
    """An HTTP server whose every GET is answered by ``answer``; its port. Ends with its connections."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            with suppress(OSError):
                answer(self)

        def log_message(self, *arguments: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = False
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), name="http")
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join(LONG)


@contextmanager
def sending(source: Path, target: str, kind: str, *options: str) -> Iterator[subprocess.Popen[bytes]]:
    """The ffmpeg program sending a file to ``target`` in a loop, at its own pace."""
    tool = shutil.which("ffmpeg")
    assert tool is not None, "no ffmpeg; `make test` installs it"
    command = [tool, "-v", "error", "-re", "-stream_loop", "-1", "-i", str(source), "-c", "copy", "-f", kind]
    with subprocess.Popen(
        [*command, *options, target], stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        try:
            yield process
        finally:
            process.kill()


class LossyRelay:
    """Forwards UDP datagrams to ``port``, and loses every ``each``-th of them."""

    def __init__(self, port: int, each: int) -> None:
        self._target, self._each = ("127.0.0.1", port), each
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._run, name="relay")
        self._thread.start()

    def __enter__(self) -> LossyRelay:
        return self

    def __exit__(self, *error: object) -> None:
        self._socket.sendto(b"", self._socket.getsockname())
        self._thread.join(LONG)
        self._socket.close()

    def _run(self) -> None:
        count = 0
        while data := self._socket.recv(1 << 16):
            count += 1
            if count % self._each:
                self._socket.sendto(data, self._target)
