"""The feed: nothing is drawn unless somebody looks, the newest picture wins, and failures stay here."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from tests.preview.made import MODEL, SECRET, boxes, entry, eventually, feed, picture, source
from vidinfer.clock import MonotonicClock
from vidinfer.detections import Classes, Results
from vidinfer.frame import SourceInfo
from vidinfer.preview import PictureFeed
from vidinfer.preview.feed import Jpeg
from vidinfer.preview.render import fitted
from vidinfer.record import Entry
from vidinfer.stages import ModelInfo
from vidinfer.workers import Workers

RED, GREEN, BLUE = (200, 20, 20), (20, 200, 20), (20, 20, 200)


class Recorder:
    """An annotator that remembers."""

    def __init__(self) -> None:
        self.opened: list[tuple[int, int]] = []
        self.drawn: list[Results] = []
        self.failure: Exception | None = None

    def open(self, source: SourceInfo, model: ModelInfo) -> None:
        self.opened.append((source.width, source.height))

    def draw(self, rgb: NDArray[np.uint8], entry: Entry, results: Results) -> None:
        if self.failure is not None:
            raise self.failure
        self.drawn.append(results)


class Untouchable:
    """A picture that nobody may convert."""

    nbytes = 0

    def rgb(self) -> NDArray[np.uint8]:
        raise AssertionError("converted")


class Looker:
    """Somebody who looks, and waits for what comes."""

    def __init__(self, pictures: PictureFeed, stream: int = 0, width: int = 640) -> None:
        self._feed, self._stream = pictures, stream
        self._woken = threading.Condition()
        self._wakes = 0
        self.watch = pictures.watch(stream, width, self._wake)

    def _wake(self) -> None:
        with self._woken:
            self._wakes += 1
            self._woken.notify_all()

    def until(self, right: Callable[[Jpeg], bool]) -> Jpeg:
        def there() -> Jpeg | None:
            jpeg = self._feed.latest(self._stream)
            return jpeg if jpeg is not None and right(jpeg) else None

        with self._woken:
            found = self._woken.wait_for(there, timeout=20)
        assert found is not None, "no such picture within 20 s"
        return found


def pixels(jpeg: Jpeg) -> NDArray[np.uint8]:
    bgr = cv2.imdecode(np.frombuffer(jpeg.data, np.uint8), cv2.IMREAD_COLOR)
    return np.asarray(bgr[..., ::-1], np.uint8)


def is_of(colour: tuple[int, int, int]) -> Callable[[Jpeg], bool]:
    return lambda jpeg: bool(np.abs(pixels(jpeg)[-5, 5].astype(int) - colour).max() < 30)


@contextmanager
def working(pictures: PictureFeed) -> Iterator[None]:
    with Workers(on_failure=pictures.close) as workers:
        workers.start("draw", pictures.work)
        try:
            yield
        finally:
            pictures.close()


def recorded(streams: int = 1) -> tuple[PictureFeed, Recorder]:
    recorder = Recorder()
    made = PictureFeed(streams, lambda: recorder, MonotonicClock())
    for index in range(streams):
        made.connected(index, source(), MODEL)
    return made, recorder


def test_nothing_is_converted_while_nobody_looks() -> None:
    pictures, recorder = recorded(2)
    with working(pictures):
        for index in range(100):
            pictures.show(0, Untouchable(), entry(index), boxes())
        pictures.show(1, picture(RED), entry(), boxes())
        Looker(pictures, 1).until(is_of(RED))  # the thread is at work, and was not on the other stream
    assert len(recorder.drawn) == 1
    assert pictures.latest(0) is None


def test_the_newest_picture_wins_and_numbers_grow() -> None:
    pictures = feed(rate=1000.0, share=1.0)
    with working(pictures):
        looker = Looker(pictures)
        pictures.show(0, picture(RED), entry(0), boxes())
        first = looker.until(is_of(RED))
        for index in range(1, 50):
            pictures.show(0, picture(GREEN), entry(index), boxes())
        pictures.show(0, picture(BLUE), entry(50), boxes())
        last = looker.until(is_of(BLUE))
    assert first.number < last.number <= 52


def test_who_looks_later_does_not_get_what_was_new_long_ago() -> None:
    pictures = feed()
    with working(pictures):
        pictures.show(0, picture(RED), entry(0), boxes())
        looker = Looker(pictures)
        looker.until(is_of(RED))
        pictures.unwatch(looker.watch)
        assert pictures.latest(0) is None
        pictures.show(0, picture(BLUE), entry(1), boxes())
        assert is_of(BLUE)(Looker(pictures).until(lambda _: True))


def test_boxes_are_drawn_where_they_are_in_the_smaller_picture() -> None:
    pictures, recorder = recorded()
    pictures.connected(0, source((1920, 1080)), MODEL)
    with working(pictures):
        pictures.show(0, picture(RED, (1920, 1080)), entry(), boxes((192, 108, 960, 540)))
        looker = Looker(pictures, width=300)
        looker.until(lambda jpeg: pixels(jpeg).shape == (180, 320, 3))
    assert recorder.opened == [(320, 180)]
    found = recorder.drawn[0].objects
    assert found is not None
    np.testing.assert_allclose(found.boxes, [[32, 18, 160, 90]])


def test_the_widest_wish_counts_and_nothing_is_wider_than_960() -> None:
    pictures, recorder = recorded()
    pictures.connected(0, source((1920, 1080)), MODEL)
    with working(pictures):
        pictures.show(0, picture(RED, (1920, 1080)), entry(), boxes())
        small = Looker(pictures, width=300)
        small.until(lambda jpeg: jpeg.width == 320)
        large = Looker(pictures, width=4000)  # drawn again, although nothing new came
        assert pixels(large.until(lambda jpeg: jpeg.width == 960)).shape == (540, 960, 3)
    assert recorder.opened == [(320, 180), (960, 540)]


@pytest.mark.parametrize(
    ("size", "wanted", "expected"),
    [
        ((1920, 1080), 960, (960, 540)),
        ((320, 240), 640, (320, 240)),
        ((4000, 1), 320, (320, 1)),
        ((7, 3), 320, (7, 3)),
    ],
)
def test_pictures_are_scaled_down_only(size: tuple[int, int], wanted: int, expected: tuple[int, int]) -> None:
    assert fitted(*size, wanted) == expected


def test_a_picture_that_cannot_be_drawn_is_told_and_the_next_one_is_shown() -> None:
    pictures, recorder = recorded()
    recorder.failure = RuntimeError(f"rtsp://admin:{SECRET}@gate is odd\nand more")
    with working(pictures):
        looker = Looker(pictures)
        pictures.show(0, picture(RED), entry(0), boxes())
        eventually(lambda: pictures.error(0))
        assert pictures.error(0) == "RuntimeError: rtsp://…@gate is odd"
        recorder.failure = None
        pictures.show(0, picture(BLUE), entry(1), boxes())
        looker.until(is_of(BLUE))
        assert pictures.error(0) == ""


def test_a_clip_stays_until_the_next_one_also_on_frames_between() -> None:
    pictures, recorder = recorded()
    clips = Results(
        2, MODEL.categories, clips=Classes(np.array([[1], [2]]), np.array([[0.9], [0.8]], np.float32))
    )
    with working(pictures):
        pictures.show(0, picture(RED), entry(15, row=1), clips)
        pictures.show(0, picture(GREEN), entry(16, row=-1), clips)
        Looker(pictures).until(is_of(GREEN))
        shown = recorder.drawn[-1].clips
        assert shown is not None
        assert shown.labels.tolist() == [[2]]
        pictures.connected(0, source(), MODEL)  # another connection, another scene
        pictures.show(0, picture(BLUE), entry(0, row=-1), clips)
        Looker(pictures).until(is_of(BLUE))
        assert recorder.drawn[-1].frames == 0


def test_a_stream_that_was_not_announced_is_not_drawn() -> None:
    pictures = PictureFeed(2, Recorder, MonotonicClock())
    pictures.connected(1, source(), MODEL)
    with working(pictures):
        Looker(pictures, 0)
        pictures.show(0, Untouchable(), entry(), boxes())
        pictures.show(1, picture(RED), entry(), boxes())
        Looker(pictures, 1).until(is_of(RED))


def test_after_the_end_nothing_is_kept() -> None:
    pictures = feed()
    pictures.show(0, picture(RED), entry(), boxes())
    pictures.close()
    pictures.close()
    pictures.show(0, picture(RED), entry(), boxes())
    pictures.work()  # returns at once
    assert all(slot.latest is None for slot in pictures._slots)
