"""A real browser, the one witness that counts for "playable in browsers"."""

from __future__ import annotations

import base64
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

BROWSER = Path("/usr/bin/chromium")
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--autoplay-policy=no-user-gesture-required",
    "--mute-audio",
]
PAGE = "http://127.0.0.1/"
PLAY = (Path(__file__).parent / "play.js").read_text()

Watch = Callable[..., dict[str, Any]]
"""``watch(path, times, pixel)``: what the browser says of the video, see ``play.js``. No pixel: all of them."""


@pytest.fixture(scope="module")
def watch() -> Iterator[Watch]:
    """Plays files in Debian's Chromium.

    Requests are answered from disk inside this process, ranges included; nothing reaches a network.
    """
    assert BROWSER.exists(), "Chromium is missing; `make test` installs it (Debian package chromium)"
    from playwright.sync_api import sync_playwright  # here, so that other tests run without it

    before = set(threading.enumerate())
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(BROWSER), args=FLAGS)
        try:
            yield _watcher(browser)
        finally:
            browser.close()
    for thread in set(threading.enumerate()) - before:
        thread.join(timeout=20)  # asyncio's watcher of the driver process, about to end
        assert not thread.is_alive(), f"{thread.name} outlived the browser"


def _watcher(browser: Any) -> Watch:
    def watch(path: Path, times: list[float], pixel: tuple[int, int] | None = None) -> dict[str, Any]:
        page = browser.new_page()
        page.route("**/*", lambda route, request: _answer(route, request, path))
        page.goto(PAGE)
        try:
            found: dict[str, Any] = page.evaluate(PLAY, {"times": times, "pixel": pixel and list(pixel)})
        finally:
            page.close()
        for look in found["looks"]:  # base64, as long lists of numbers take seconds to cross
            look["rgba"] = np.frombuffer(base64.b64decode(look["rgba"]), np.uint8)
        return found

    return watch


def _answer(route: Any, request: Any, path: Path) -> None:
    """The page itself, or the asked-for part of the video."""
    if request.url == PAGE:
        route.fulfill(body="<!doctype html><title>test</title>", content_type="text/html")
    elif not request.url.endswith("/video.mp4"):
        route.fulfill(status=404)
    else:
        data = path.read_bytes()
        first, _, last = request.headers.get("range", "bytes=0-").removeprefix("bytes=").partition("-")
        start, end = int(first), int(last) if last else len(data) - 1
        headers = {
            "content-type": "video/mp4",
            "accept-ranges": "bytes",
            "content-range": f"bytes {start}-{end}/{len(data)}",
        }
        route.fulfill(status=206, body=data[start : end + 1], headers=headers)
