"""Object stores for tests: a real S3 server in a process of its own, and scripted ends for what goes wrong."""

from __future__ import annotations

import asyncio
import re
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

__all__ = ["SECRET", "answering", "client", "server", "silent", "using"]

SECRET = "wJalrXUtnFEMI-never-shown"
KEYS = {
    "AWS_ACCESS_KEY_ID": "AKIDTESTING",
    "AWS_SECRET_ACCESS_KEY": SECRET,
    "AWS_DEFAULT_REGION": "us-east-1",
}


@contextmanager
def server() -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """An S3 server without any bucket: its address and its process."""
    command = [sys.executable, "-W", "ignore", "-m", "moto.server", "-H", "127.0.0.1", "-p", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        assert process.stdout is not None
        drain = None
        try:
            said = ""
            for line in process.stdout:  # its end ends the wait, too
                said += line
                found = re.search(r"http://127\.0\.0\.1:\d+", line)
                if found:
                    break
            else:
                pytest.fail(f"no S3 server (moto): {said}")
            drain = threading.Thread(
                target=process.stdout.read
            )  # it logs each request, and must not block on that
            drain.start()
            yield found[0], process
        finally:
            process.kill()
            if drain is not None:
                drain.join()


@contextmanager
def using(endpoint: str, **environment: str | None) -> Iterator[None]:
    """The environment that leads clients to ``endpoint``; values of ``None`` are left out."""
    import fsspec.asyn
    import s3fs

    _start_threads(fsspec.asyn.get_loop())
    settings = KEYS | {"AWS_ENDPOINT_URL": endpoint, "AWS_EC2_METADATA_DISABLED": "true"} | environment
    with pytest.MonkeyPatch.context() as patch:
        for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", *settings):
            patch.delenv(name, raising=False)
        for name, value in settings.items():
            if value is not None:
                patch.setenv(name, value)
        patch.setenv("AWS_CONFIG_FILE", "/nonexistent")
        patch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
        s3fs.S3FileSystem.clear_instance_cache()
        try:
            yield
        finally:
            s3fs.S3FileSystem.clear_instance_cache()


def _start_threads(loop: asyncio.AbstractEventLoop) -> None:
    """The loop of fsspec and its helpers, who look up hosts, are there for good: no test is to blame for them."""
    together = threading.Barrier(4)

    async def meet() -> None:
        await asyncio.gather(*(loop.run_in_executor(None, together.wait) for _ in range(together.parties)))

    asyncio.run_coroutine_threadsafe(meet(), loop).result()


def client(endpoint: str) -> object:
    """A plain file system to put objects with; another instance than the one under test."""
    import s3fs

    return s3fs.S3FileSystem(
        key=KEYS["AWS_ACCESS_KEY_ID"],
        secret=SECRET,
        endpoint_url=endpoint,
        skip_instance_cache=True,
        use_listings_cache=False,
    )


@contextmanager
def answering(status: int, code: str) -> Iterator[str]:
    """A store that refuses everything with an error of its protocol, and quotes the secret while it is at it."""
    body = (
        f'<?xml version="1.0"?><Error><Code>{code}</Code><Message>no: {SECRET}</Message>'
        f"<AWSAccessKeyId>{SECRET}</AWSAccessKeyId></Error>"
    ).encode()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

        do_HEAD = do_GET

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        http.daemon_threads = False
        thread = threading.Thread(target=http.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{http.server_port}"
        finally:
            http.shutdown()
            thread.join()


@contextmanager
def silent() -> Iterator[str]:
    """A store that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        yield f"http://127.0.0.1:{sock.getsockname()[1]}"
