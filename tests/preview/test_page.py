"""The page, clicked through in a real browser."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.preview.made import (
    Run,
    boxes,
    entry,
    eventually,
    feed,
    ledger,
    percentiles,
    picture,
    served,
    stream,
)
from tests.sink_video.conftest import BROWSER, FLAGS
from vidinfer.preview import PictureFeed, Preview
from vidinfer.status import StreamState, Warned

pytestmark = pytest.mark.browser

TOKEN = "a-long-enough-token"
RED, GREEN, BLUE = (200, 20, 20), (20, 200, 20), (20, 20, 200)
SECONDS = 20_000
"""Milliseconds that the page has for anything."""

COLOUR = """([selector, colour]) => {
  const canvas = document.querySelector(selector);
  if (!canvas?.width) return false;
  const pen = Object.assign(document.createElement("canvas"), { width: 1, height: 1 }).getContext("2d");
  pen.drawImage(canvas, -5, 5 - canvas.height);
  const pixel = pen.getImageData(0, 0, 1, 1).data;
  return colour.every((value, i) => Math.abs(pixel[i] - value) < 40);
}"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    assert BROWSER.exists(), "Chromium is missing; `make test` installs it (Debian package chromium)"
    from playwright.sync_api import sync_playwright  # here, so that other tests run without it

    before = set(threading.enumerate())
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=str(BROWSER), args=FLAGS)
        try:
            yield launched
        finally:
            launched.close()
    for thread in set(threading.enumerate()) - before:
        thread.join(timeout=20)  # asyncio's watcher of the driver process, about to end
        assert not thread.is_alive(), f"{thread.name} outlived the browser"


@contextmanager
def opened(browser: Any, address: str, *, quiet: bool = True, **options: Any) -> Iterator[Any]:
    """The page at ``address``; it may ask nobody but 127.0.0.1, and with ``quiet`` complain of nothing."""
    context = browser.new_context(**({"viewport": {"width": 1280, "height": 800}} | options))
    context.set_default_timeout(SECONDS)
    page = context.new_page()
    said: list[str] = []
    asked: list[str] = []
    page.on("console", lambda message: said.append(f"{message.type}: {message.text}"))
    page.on("pageerror", lambda error: said.append(f"error: {error}"))
    page.on("request", lambda request: asked.append(request.url))
    page.on("websocket", lambda socket: asked.append(socket.url))
    try:
        page.goto(address)
        yield page
    finally:
        context.close()
    assert {urlsplit(url).hostname for url in asked if not url.startswith("blob:")} == {"127.0.0.1"}
    if quiet:
        assert said == []


def show(page: Any, pictures: PictureFeed, index: int, number: int, colour: tuple[int, int, int]) -> None:
    """Label a frame, and wait until it is on the page."""
    pictures.show(index, picture(colour), entry(number), boxes((100, 100, 200, 200)))
    seen(page, f".tile[data-stream='{index}'] canvas", colour)


def seen(page: Any, canvas: str, colour: tuple[int, int, int]) -> None:
    page.wait_for_function(COLOUR, arg=[canvas, list(colour)])


def text_comes(page: Any, selector: str, text: str) -> None:
    page.wait_for_function(
        "([selector, text]) => [...document.querySelectorAll(selector)].some((one) => one.textContent.includes(text))",
        arg=[selector, text],
    )


def four() -> tuple[Run, PictureFeed]:
    return Run(*(stream(f"camera {i}", address=f"rtsp://10.0.0.{i}/live") for i in range(4))), feed(
        4, share=1.0
    )


def test_pictures_of_all_streams_move(browser: Any) -> None:
    run, pictures = four()
    with served(run, pictures) as preview, opened(browser, preview.url) as page:
        for number, colour in enumerate((RED, GREEN, BLUE)):
            for index in range(4):
                show(page, pictures, index, number, colour)
        assert page.locator(".tile h3").all_text_contents() == [f"camera {i}" for i in range(4)]
        assert (
            page.locator(".tile .rates").first.text_content() == "25.0 frames/s · 24.5 labels/s · p99 60 ms"
        )
        text_comes(page, "#link", "connected")
        text_comes(page, "#figures", "of 4")
        text_comes(page, "#model", "ssdlite320_mobilenet_v3_large")


def test_a_stream_is_enlarged_and_the_keyboard_goes_through_them(browser: Any) -> None:
    run, pictures = four()
    with served(run, pictures) as preview, opened(browser, preview.url) as page:
        for index, colour in enumerate((RED, GREEN, BLUE, RED)):
            show(page, pictures, index, 0, colour)
        page.locator("button.screen").nth(1).click()
        seen(page, "#detail canvas", GREEN)
        text_comes(page, "#detail", "rtsp://10.0.0.1/live")
        text_comes(page, "#detail table", "batch wait")
        page.keyboard.press("ArrowRight")
        seen(page, "#detail canvas", BLUE)
        text_comes(page, "#detail h2", "camera 2")
        page.keyboard.press("ArrowLeft")
        seen(page, "#detail canvas", GREEN)
        page.keyboard.press("Escape")
        page.wait_for_function("() => !document.querySelector('#detail').open")
        assert page.evaluate("document.activeElement.getAttribute('aria-label')") == "Enlarge camera 1, live"
        page.keyboard.press("Enter")
        page.wait_for_function("() => document.querySelector('#detail').open")
        page.locator("#detail [data-do=close]").click()
        show(page, pictures, 3, 1, GREEN)  # the others move on


def test_pause_holds_the_page_and_costs_nothing(browser: Any) -> None:
    run, pictures = four()
    with served(run, pictures) as preview, opened(browser, preview.url) as page:
        show(page, pictures, 0, 0, RED)
        page.click("#pause")
        text_comes(page, "#banner", "Labelling goes on")
        assert page.get_attribute("#pause", "aria-pressed") == "true"
        eventually(lambda: pictures.watched == 0)
        run.change(0, name="renamed")
        pictures.show(0, picture(BLUE), entry(1), boxes())
        assert page.evaluate(COLOUR, [".tile canvas", list(RED)])
        assert page.locator(".tile h3").first.text_content() == "camera 0"
        page.click("#pause")
        seen(page, ".tile canvas", BLUE)
        text_comes(page, ".tile h3", "renamed")
        assert page.locator("#banner").is_hidden()


def test_changes_of_state_are_shown(browser: Any) -> None:
    run, pictures = four()
    with served(run, pictures) as preview, opened(browser, preview.url) as page:
        show(page, pictures, 0, 0, RED)
        error = "rtsp://u:s3cret@gate refused: 401"
        run.change(
            0, state=StreamState.WAITING, retry_in=9.0, seconds_in_state=1.0, error=error, reconnects=1
        )
        text_comes(page, ".tile .chip", "waiting")
        page.wait_for_function(
            "() => /retry in [5-9] s/.test(document.querySelector('.tile .veil').textContent)"
        )
        text_comes(page, ".tile .error", "rtsp://…@gate refused: 401")
        text_comes(page, "#news", "camera 0: waiting")
        assert "s3cret" not in page.content()
        run.change(1, state=StreamState.STALLED, seconds_in_state=3.0)
        text_comes(page, ".tile .veil", "Stalled")
        run.change(0, state=StreamState.LIVE, flags=("frozen",), ledger=ledger(5, {"stale": 1234}))
        text_comes(page, ".tile .notes", "frozen · dropped 1 234 stale")
        page.wait_for_function("() => document.querySelector('.tile .veil').hidden")


def test_charts_tell_their_values_to_who_cannot_see_them(browser: Any) -> None:
    run, pictures = four()
    with served(run, pictures) as preview, opened(browser, preview.url) as page:
        for _ in range(3):
            run.passes(1.0, batch_sizes={1: int(run.status.uptime)}, latency={"total": percentiles(30.0)})
            page.wait_for_function(
                "(t) => document.querySelector('#figures').textContent.includes(t)",
                arg=f"{int(run.status.uptime) % 60} s",
            )
        labels = page.locator("#charts canvas").evaluate_all(
            "all => all.map((one) => one.getAttribute('aria-label'))"
        )
        assert [label.split(":")[0] for label in labels] == [
            "Frames/s",
            "Latency, ms",
            "Batch size",
            "Drops/s",
        ]
        assert "budget 100" in labels[1]
        page.locator("#charts canvas").nth(1).focus()
        page.keyboard.press("ArrowRight")
        text_comes(page, "#charts figcaption", "Latency, ms, 0 s ago")
        text_comes(page, "#charts figcaption", "p99 90")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("streams", "width"), [(1, 360), (16, 360), (16, 1280), (4, 1920)])
def test_no_width_needs_scrolling_sideways(browser: Any, streams: int, width: int, scheme: str) -> None:
    names = [
        "a" * 80,
        "rtsp://10.0.0.1/a/rather/long/address/without/any/space",
        *(f"camera {i}" for i in range(14)),
    ]
    run = Run(
        *(
            stream(name, error="e" * 200, state=StreamState.WAITING, flags=("frozen",))
            for name in names[:streams]
        )
    )
    options = {"viewport": {"width": width, "height": 740}, "color_scheme": scheme}
    with served(run, feed(streams)) as preview, opened(browser, preview.url, **options) as page:
        page.wait_for_function("(n) => document.querySelectorAll('.tile').length === n", arg=streams)
        text_comes(page, ".tile .error", "eee")
        wide = "document.documentElement.scrollWidth <= innerWidth"
        assert page.evaluate(wide)
        page.locator("button.screen").first.click()
        text_comes(page, "#detail table", "last error")
        assert page.evaluate(wide)
        assert page.evaluate(
            "document.querySelector('#detail').scrollWidth <= document.querySelector('#detail').clientWidth"
        )


def test_a_lost_connection_is_said_and_made_again(browser: Any) -> None:
    run, pictures = four()
    with served(run, pictures) as preview:
        port = preview.port
        with opened(browser, preview.url, quiet=False) as page:
            show(page, pictures, 0, 0, RED)
            preview.close()
            text_comes(page, "#banner", "No connection to vidinfer")
            text_comes(page, "#link", "no connection")
            again = feed(4, share=1.0)
            with Preview(run, again, port=port):
                page.wait_for_function("() => document.querySelector('#banner').hidden")
                show(page, again, 0, 0, BLUE)


def test_a_token_is_asked_for_and_leaves_the_address(browser: Any) -> None:
    run, pictures = four()
    with served(run, pictures, host="0.0.0.0", token=TOKEN) as preview:
        address = f"http://127.0.0.1:{preview.port}/"
        with opened(browser, address, quiet=False) as page:
            page.fill("#token", TOKEN)
            page.click("button")
            show(page, pictures, 0, 0, RED)
            assert page.url == address
            assert page.evaluate("document.cookie") == ""
        with opened(browser, f"{address}?token={TOKEN}") as page:
            show(page, pictures, 1, 1, GREEN)
            assert page.url == address


def test_mjpeg_in_an_img_needs_no_second_picture_to_show_the_first(browser: Any) -> None:
    run, pictures = four()
    with served(run, pictures) as preview, opened(browser, f"{preview.url}healthz") as page:
        pictures.show(2, picture(GREEN), entry(), boxes())
        page.evaluate("() => document.body.append(Object.assign(new Image(), { src: '/streams/2.mjpeg' }))")
        page.wait_for_function("() => document.images[0].naturalWidth === 640")
        page.wait_for_function(COLOUR.replace("!canvas?.width", "!canvas"), arg=["img", list(GREEN)])
        pictures.show(2, picture(BLUE), entry(1), boxes())
        page.wait_for_function(COLOUR.replace("!canvas?.width", "!canvas"), arg=["img", list(BLUE)])


def test_warnings_of_the_run_are_on_the_page_newest_first(browser: Any) -> None:
    run, pictures = four()
    run.passes(1.0, warned=(), warned_total=0)
    with served(run, pictures) as preview, opened(browser, preview.url) as page:
        text_comes(page, "#link", "connected")
        text_comes(page, "#figures", "of 4")
        assert not page.locator("#warned").is_visible()
        long = f"camera 1, labels: {'<b>no space left</b> ' * 20}"
        run.passes(1.0, warned=(Warned(1.8e9 + 60, long), Warned(1.8e9, "too slow")), warned_total=70)
        text_comes(page, "#warned summary", "70 warnings")
        assert page.locator("#warned summary span").text_content() == long
        page.locator("#warned summary").click()
        assert page.locator("#warned li span").all_text_contents() == [long, "too slow"]
        assert page.locator("#warned time").last.get_attribute("datetime") == "2027-01-15T08:00:00.000Z"
        page.set_viewport_size({"width": 390, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") == 390
        run.passes(1.0, warned_total=71)
        text_comes(page, "#warned summary", "71 warnings")
        assert page.locator("#warned ol").is_visible(), "what was opened stays open"
