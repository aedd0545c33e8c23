"""``report.html``: what it says is what there is, and nothing in it is obeyed."""

from __future__ import annotations

import json
import os
import re
import threading
import xml.etree.ElementTree as ET
from collections import Counter
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.archive.conftest import Poisoned, Runner, make_archive, outputs
from tests.media import draw_number, make_video, read_number, truncate
from tests.sink_video.conftest import BROWSER, FLAGS
from tests.source.test_images import draw
from vidinfer.archive.report import take_stills
from vidinfer.archive.report.found import BINS, Found
from vidinfer.archive.report.words import clock, hours, link, number, safe, share, size
from vidinfer.errors import SourceError
from vidinfer.progress import StopSignal
from vidinfer.sink.unit_scan import NO_PTS, Scanned
from vidinfer.source.still import still

HTML = "{http://www.w3.org/1999/xhtml}"
NASTY = "<script>alert(1)</script>\u202e\x1b[31m&\"'.mp4".replace("/", "|")


def parsed(out: Path) -> ET.Element:
    """The page, which must be well-formed, ask for nothing and run nothing."""
    text = (out / "report.html").read_text()
    page = ET.fromstring(text.partition("\n")[2])
    assert {element.tag.rpartition("}")[2] for element in page.iter()}.isdisjoint(
        {"script", "link", "iframe"}
    )
    for element in page.iter():
        for name, value in element.items():
            assert not name.startswith("on")
            if name in ("href", "src"):
                assert value.startswith(("data:image/jpeg;base64,", "./", "#")), value
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e]", text)
    return page


def words(page: ET.Element, section: str) -> str:
    found = next(one for one in page.iter(f"{HTML}section") if one.get("id") == section)
    return " ".join(" ".join(found.itertext()).split())


def test_it_tells_what_was_done_found_and_damaged(tmp_path: Path, label_archive: Runner) -> None:
    archive = make_archive(tmp_path / "in", clips=2)
    (archive / "clip0.mp4").rename(archive / NASTY)
    (archive / "text.mp4").write_text("no video")
    (archive / "same.mp4").write_bytes((archive / "cam/clip1.mp4").read_bytes())
    truncate(make_video(archive / "cut.ts", frames=60, codec="mpeg2video"), keep=0.6)
    label_archive(archive, price_per_hour=2, stills=take_stills)
    page = parsed(tmp_path / "out")
    done, found, damaged = (words(page, name) for name in ("done", "found", "damaged"))
    assert re.search(r"complete 3 ", done)
    assert "failed 1 20.0 %" in done
    assert "These do not add up" not in done
    assert "the strongest findings" in found.lower()
    assert safe(NASTY).startswith("&lt;script&gt;")
    assert "<script>alert(1)<|script>\\u202e\\x1b[31m&\"'.mp4" in " ".join(page.itertext())
    assert "text.mp4" in damaged
    assert "not media" in damaged
    assert "cut.ts 0 0 1 0 the file ends early" in damaged
    assert "cam/clip1.mp4 same.mp4" in damaged
    assert "2 an hour of this machine" in words(page, "cost")
    assert list(page.iter("{http://www.w3.org/2000/svg}image"))
    links = {e.get("href") for e in page.iter(f"{HTML}a")}
    assert "./cam/clip1.labels.jsonl" in links
    assert (
        f"outputs {len(outputs(tmp_path / 'out'))}" == "outputs 9"
    )  # four sources' labels and reports, the manifest


def hurt(clip: Path, *frames: int) -> Path:
    """Spoil what is in the slices of these frames, each a keyframe with a packet of its own."""
    with av.open(str(clip)) as container:
        packets = [(p.pos, p.size) for p in container.demux(video=0) if p.pos is not None and p.size]
    data = bytearray(clip.read_bytes())
    for frame in frames:
        at, size = packets[frame]
        for place in range(at + size // 2, at + size - 8):
            data[place] ^= 0x5A
    clip.write_bytes(data)
    return clip


def test_it_tells_where_frames_are_corrupt(tmp_path: Path, label_archive: Runner) -> None:
    """Those one after the other as one stretch; and the first few stretches only."""
    archive = tmp_path / "in"
    archive.mkdir()
    hurt(make_video(archive / "hurt.mp4", frames=60, gop=1), 10, 11, 12, 30)
    hurt(make_video(archive / "worse.mp4", frames=60, gop=1), *range(3, 60, 5))
    label_archive(archive)
    lines = (tmp_path / "out" / "hurt.labels.jsonl").read_text().splitlines()
    bad = [one["frame"] for one in map(json.loads, lines) if one["outcome"] == "corrupt"]
    assert bad == [10, 11, 12, 30], "or this is not about corrupt frames"
    damaged = words(parsed(tmp_path / "out"), "damaged")
    assert "0:00.400 to 0:00.480: corrupt: " in damaged
    assert "at 0:01.200: corrupt: " in damaged
    assert damaged.count("and more") == 1


def no_time(wanted: object, width: int) -> list[bytes | None]:
    raise AssertionError("no time for pictures")


def test_it_is_written_by_a_run_that_was_stopped_or_given_up(tmp_path: Path, label_archive: Runner) -> None:
    archive = make_archive(tmp_path / "in", clips=2)
    label_archive(archive, budget="0.001s")
    assert "Interrupted: 0 of 2 sources are done." in " ".join(parsed(tmp_path / "out").itertext())
    label_archive(archive)
    stop = StopSignal()
    stop.abort()
    label_archive(archive, stop=stop, stills=no_time)
    parsed(tmp_path / "out")


def test_an_unwritable_report_is_a_warning(tmp_path: Path, label_archive: Runner) -> None:
    from tests.archive.test_run import Seen

    archive = make_archive(tmp_path / "in", clips=1)
    label_archive(archive)
    (tmp_path / "out/report.html").unlink()
    (tmp_path / "out/report.html").mkdir()
    seen = Seen()
    assert label_archive(archive, observer=seen).exit_status == 0
    assert any(text.startswith("no report: ") for text in seen.warnings)


def test_a_report_of_somebody_else_is_not_replaced(tmp_path: Path, label_archive: Runner) -> None:
    archive = make_archive(tmp_path / "in", clips=1)
    (tmp_path / "out").mkdir()
    (tmp_path / "out/report.html").write_text("mine")
    with pytest.raises(Exception, match=r"output exists: .*report\.html"):
        label_archive(archive)


@st.composite
def scans(draw: st.DrawFn) -> Scanned:
    counts = draw(st.lists(st.integers(0, 3), min_size=1, max_size=8))
    total = sum(counts)
    labels = draw(st.lists(st.integers(0, 4), min_size=total, max_size=total))
    scores = draw(st.lists(st.floats(0, 1, width=16), min_size=total, max_size=total))
    pts = draw(st.lists(st.integers(0, 99) | st.just(NO_PTS), min_size=len(counts), max_size=len(counts)))
    return Scanned(
        np.array(pts, np.int64),
        np.array(counts, np.int64),
        np.array(labels, np.int64),
        np.array(scores, np.float64),
        np.tile(np.array([0.0, 0.0, 1.0, 1.0]), (total, 1)),
    )


@given(st.lists(st.lists(scans(), max_size=3), max_size=6))
def test_sums_equal_those_of_a_plain_loop(sources: list[list[Scanned]]) -> None:
    found = Found(10.0 * len(sources) or 1.0, best_only=False)
    counts, frames, with_label, best = (
        Counter[int](),
        Counter[int](),
        Counter[int](),
        dict[tuple[int, int], float](),
    )
    for number_, parts in enumerate(sources):
        found.add(
            number_,
            str(number_),
            parts,
            base=Fraction(1, 10),
            first_pts=0,
            offset=10.0 * number_,
            length=10.0,
        )
        for part in parts:
            at = 0
            for count, pts in zip(part.counts.tolist(), part.pts.tolist(), strict=True):
                inside = part.labels[at : at + count].tolist()
                counts.update(inside)
                frames.update(set(inside))
                for label, score in zip(inside, part.scores[at : at + count].tolist(), strict=True):
                    if pts != NO_PTS:
                        key = (label, number_)
                        best[key] = max(best.get(key, -1.0), score)
                at += count
        with_label.update({int(label) for part in parts for label in part.labels})
    assert {i: n for i, n in enumerate(found.counts.tolist()) if n} == dict(counts)
    assert {i: n for i, n in enumerate(found.frames_with.tolist()) if n} == dict(frames)
    assert {i: n for i, n in enumerate(found.sources_with.tolist()) if n} == dict(with_label)
    assert found.over_time.sum(axis=1).tolist() == found.counts.tolist()
    assert int(found.frames.sum()) == sum(len(part.counts) for parts in sources for part in parts)
    assert found.over_time.shape[1] == BINS
    for label in range(len(found.counts)):
        kept = found.strongest([label], 1)
        scores = [score for (of, _), score in best.items() if of == label]
        assert [one.score for one in kept] == ([max(scores)] if scores else [])


def test_a_still_is_the_frame_that_was_asked_for(tmp_path: Path) -> None:
    clip = make_video(tmp_path / "clip.mp4", frames=40, size=(320, 240), options={"g": "12", "bf": "2"})
    import av

    with av.open(str(clip)) as container:
        frames = [frame.pts for frame in container.decode(video=0)]
    for index in (0, 11, 12, 25, 39):
        jpeg = still(clip, frames[index], 320)
        picture = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
        assert read_number(picture[:, :, ::-1]) == index
    small = cv2.imdecode(np.frombuffer(still(clip, frames[3], 100), np.uint8), cv2.IMREAD_COLOR)
    assert small.shape == (75, 100, 3)
    with pytest.raises(SourceError, match="no frame at 7;"):
        still(clip, 7, 100)


class Crash:
    """Ends the process that it is sent to."""

    def __reduce__(self) -> tuple[object, ...]:
        return os._exit, (1,)


@pytest.mark.parametrize("noisy", [False, True])
@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.bmp", "a.webp", "a.tiff", "a.gif"])
def test_a_still_of_an_image(tmp_path: Path, name: str, noisy: bool) -> None:
    """FFmpeg knows small ones by their content, and large JPEGs by their name, with another reader."""
    picture = np.concatenate([draw_number(77, 96, 64)] * (2 if noisy else 1))
    if noisy:
        picture = cv2.resize(picture, (960, 1280), interpolation=cv2.INTER_NEAREST)
        picture[640:] = np.random.default_rng(1).integers(0, 256, picture[640:].shape, np.uint8)
    assert cv2.imwrite(str(tmp_path / name), picture)
    jpeg = cv2.imdecode(np.frombuffer(still(tmp_path / name, 0, 960), np.uint8), cv2.IMREAD_COLOR)
    assert jpeg is not None
    assert read_number(jpeg[:640] if noisy else jpeg) == 77


def test_a_still_of_a_folder_of_images(tmp_path: Path) -> None:
    folder = draw(tmp_path / "seq", *((f"f{i}.png", 40 + i) for i in (7, 8, 10)))
    jpeg = cv2.imdecode(np.frombuffer(still(folder, 3, 320), np.uint8), cv2.IMREAD_COLOR)
    assert jpeg is not None
    assert read_number(jpeg[:, :, ::-1]) == 50
    with pytest.raises(SourceError, match="no image at 2"):
        still(folder, 2, 320)


def test_stills_that_cannot_be_had_are_none(tmp_path: Path) -> None:
    clip = make_video(tmp_path / "clip.mp4", frames=3)
    gone, there = take_stills([(tmp_path / "gone.mp4", 0), (clip, 0)], 100)
    assert gone is None
    assert there is not None
    assert take_stills([(Crash(), 0), (clip, 0)], 100) == [None, there]  # type: ignore[list-item]
    assert take_stills([], 100) == []


@pytest.mark.parametrize(
    ("made", "text"),
    [
        (number(1234567), "1,234,567"),
        (number(0.123), "0.12"),
        (share(0.00001), "< 0.1 %"),
        (share(0.99999), "> 99.9 %"),
        (share(1), "100 %"),
        (hours(59.96), "60.0 s"),
        (hours(3 * 3600 + 5 * 60), "3 h 05 min"),
        (hours(4e6), "1,111 h"),
        (clock(Fraction(-1, 2)), "-0:00.500"),
        (clock(3723.5), "1:02:03.500"),
        (size(123456), "123.5 kB"),
        (link("a b/\udcff<.mp4"), "./a%20b/%FF%3C.mp4"),
        (safe("a\x00\udcff\n<"), "a\\x00\\udcff\\n&lt;"),
    ],
)
def test_words(made: str, text: str) -> None:
    assert made == text


@pytest.mark.browser
def test_a_browser_shows_it_wide_and_narrow(poisoned: Poisoned) -> None:
    assert BROWSER.exists(), "Chromium is missing; `make test` installs it (Debian package chromium)"
    from playwright.sync_api import sync_playwright  # here, so that other tests run without it

    before, said = set(threading.enumerate()), []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(BROWSER), args=FLAGS)
        for width in (1280, 390):
            page = browser.new_page(viewport={"width": width, "height": 800})
            page.on("console", lambda message: said.append(message.text))
            page.on("pageerror", lambda error: said.append(str(error)))
            page.goto(f"file://{poisoned.out / 'report.html'}")
            assert page.evaluate("document.documentElement.scrollWidth") == width, "nothing sticks out"
            page.click("nav a[href='#damaged']")
            assert page.evaluate("document.querySelector('#damaged').getBoundingClientRect().top") < 700
            assert not page.locator("#damaged pre").first.is_visible()
            page.locator("#damaged summary").first.click()
            assert page.locator("#damaged pre").first.is_visible()
            assert page.locator(".still image").count() > 0
        browser.close()
    assert said == []
    for thread in set(threading.enumerate()) - before:
        thread.join(timeout=20)  # asyncio's watcher of the driver process, about to end
