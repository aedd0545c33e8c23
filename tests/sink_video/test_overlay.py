"""What is drawn is what drawing on the whole RGB picture gives; what is not drawn on is the decoder's, to the bit."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from av.video.frame import VideoFrame
from numpy.typing import NDArray

from tests.media import draw_colours
from tests.sink_video.cases import MODEL, NOTHING, Blank, one_box
from vidinfer.annotate import DrawingAnnotator
from vidinfer.detections import Results
from vidinfer.frame import FrameStamp, PlanarPicture, SourceInfo
from vidinfer.record import Entry, Outcome
from vidinfer.sink.overlay import Overlay
from vidinfer.source.orientation import UPRIGHT, Orientation
from vidinfer.source.picture import Converter, DecodedPicture
from vidinfer.stages import Annotator, BoundedAnnotator
from vidinfer.testing import ArrayPicture

Pixels = NDArray[np.uint8]

ENTRY = Entry(Outcome.LABELLED, FrameStamp(0, 0, Fraction(1, 25)), row=0)
RECTANGLES = np.array(
    [(10, 20, 100, 31), (150, 70, 151, 90), (0, 0, 5, 5), (90, 25, 120, 60), (-9, 80, 12, 999)]
)
SIZE = (320, 180)
ALL = [Orientation(t, x, y) for t in (False, True) for x in (False, True) for y in (False, True)]
TAGS = {"untagged": (2, 0), "bt709": (1, 1), "bt470bg": (5, 1), "smpte170m": (6, 0)}


class Invert:
    """Draws the negative, so that what is drawn depends on what was there."""

    def __init__(self, rectangles: NDArray[np.int64] | None = RECTANGLES) -> None:
        self.rectangles = rectangles

    def open(self, source: SourceInfo, model: object) -> None:
        """Nothing to prepare."""

    def draw(self, rgb: Pixels, entry: Entry, results: Results) -> None:
        for x1, y1, x2, y2 in RECTANGLES.clip(0).tolist():
            rgb[y1:y2, x1:x2] = 255 - rgb[y1:y2, x1:x2]


class InvertSome(Invert):
    def touches(self, entry: Entry, results: Results) -> NDArray[np.int64] | None:
        return self.rectangles


def frame(
    width: int = SIZE[0],
    height: int = SIZE[1],
    name: str = "yuv420p",
    *,
    tags: tuple[int, int] = (2, 0),
    noisy: bool = True,
) -> VideoFrame:
    """A frame as a decoder might give it."""
    if noisy:
        rgb = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    else:
        rgb = draw_colours(0, width, height)
    made = VideoFrame.from_ndarray(rgb, "rgb24").reformat(
        format=name, dst_colorspace=tags[0] if tags[0] != 2 else None, dst_color_range=tags[1] or None
    )
    made.colorspace, made.color_range = tags
    return made


def picture(
    made: VideoFrame, orientation: Orientation = UPRIGHT, size: tuple[int, int] | None = None
) -> DecodedPicture:
    width, height = size or orientation.size(made.width, made.height)
    return DecodedPicture(made, Converter(), orientation, width, height)


def samples(made: VideoFrame) -> list[NDArray[np.int64]]:
    """Y, U, V of a yuv420p frame."""
    return [
        np.frombuffer(memoryview(p), np.uint8).reshape(p.height, p.line_size)[:, : p.width].astype(int)
        for p in made.planes
    ]


def both_ways(shown: DecodedPicture) -> tuple[list[NDArray[np.int64]], list[NDArray[np.int64]]]:
    """Drawn in blocks, and on the whole picture."""
    size = shown._width, shown._height
    blocks, whole = Overlay(InvertSome(), *size), Overlay(Invert(), *size)
    drawn = samples(blocks.draw(shown, ENTRY, NOTHING)), samples(whole.draw(shown, ENTRY, NOTHING))
    assert (blocks.pictures_converted, whole.pictures_converted) == (0, 1)
    return drawn


def touched(width: int, height: int) -> list[NDArray[np.bool_]]:
    """Which samples of each plane belong to blocks that were touched."""
    marks = np.zeros((height + height % 2, width + width % 2), np.bool_)
    for x1, y1, x2, y2 in RECTANGLES.clip(0, [width, height] * 2).tolist():
        marks[y1 // 2 * 2 : -(-y2 // 2) * 2, x1 // 8 * 8 : -(-x2 // 8) * 8] = True
    return [marks, marks[::2, ::2], marks[::2, ::2]]


def source_samples(shown: DecodedPicture) -> list[NDArray[np.int64]]:
    """The planes as displayed, in an even size."""
    planes = shown.planes()
    assert planes is not None
    height, width = planes.y.shape
    y = np.pad(planes.y, ((0, height % 2), (0, width % 2)), mode="edge")
    return [plane.astype(int) for plane in (y, planes.u, planes.v)]


@pytest.mark.parametrize("tags", TAGS.values(), ids=TAGS)
@pytest.mark.parametrize("orientation", ALL)
def test_equal_to_the_bit_inside_and_outside(orientation: Orientation, tags: tuple[int, int]) -> None:
    shown = picture(frame(tags=tags), orientation)
    blocks, whole = both_ways(shown)
    inside = touched(*orientation.size(*SIZE))
    for part, other, original, marks in zip(blocks, whole, source_samples(shown), inside, strict=True):
        assert np.array_equal(part[~marks], original[~marks]), "not touched, not changed"
        difference = np.where(marks, np.abs(part - other), 0)
        assert not difference[:-1].any(), "as drawn on the whole picture"
        assert difference[-1].max() <= 1, "swscale rounds the last line of a picture otherwise"
        assert not np.array_equal(part[marks], original[marks])


@pytest.mark.parametrize("width", [*range(160, 178, 2), 1000, 1022])
def test_every_width_of_the_last_block(width: int) -> None:
    shown = picture(frame(width, 100))
    blocks, whole = both_ways(shown)
    for part, other, original, marks in zip(
        blocks, whole, source_samples(shown), touched(width, 100), strict=True
    ):
        assert np.array_equal(part[~marks], original[~marks])
        assert np.abs(part - other)[marks].max() <= 1, "the last line, else 0"


@pytest.mark.parametrize(
    ("width", "height", "name"),
    [(320, 180, "nv12"), (321, 180, "yuv420p"), (320, 181, "yuv420p"), (321, 181, "nv12")],
)
def test_where_swscale_has_another_way_for_the_whole_picture(width: int, height: int, name: str) -> None:
    """Of nv12 and odd sizes it interpolates chroma; blocks take the nearest sample, as it does of yuv420p."""
    shown = picture(frame(width, height, name, noisy=False))
    blocks, whole = both_ways(shown)
    for part, other, original, marks in zip(
        blocks, whole, source_samples(shown), touched(width, height), strict=True
    ):
        assert np.array_equal(part[~marks], original[~marks])
        assert np.abs(part - other)[marks].max() <= 2, "measured: 2, where the two ways round differently"


@pytest.mark.parametrize("name", ["yuv420p", "nv12"])
@pytest.mark.parametrize("annotator", [InvertSome(), Invert(), InvertSome(np.array([(0, 0, 320, 180)]))])
def test_the_decoders_frame_is_not_written_to(name: str, annotator: Annotator) -> None:
    made = frame(name=name)
    before = [bytes(memoryview(plane)) for plane in made.planes]
    drawn = Overlay(annotator, *SIZE).draw(picture(made), ENTRY, NOTHING)
    assert [bytes(memoryview(plane)) for plane in made.planes] == before
    assert (made.colorspace, made.color_range, made.pts) == (2, 0, None)
    assert drawn is not made


def test_frames_are_not_shared() -> None:
    """The encoder may still hold the one before."""
    overlay = Overlay(InvertSome(), *SIZE)
    first = overlay.draw(picture(frame()), ENTRY, NOTHING)
    before = samples(first)
    overlay.draw(picture(frame(noisy=False)), ENTRY, NOTHING)
    assert all(np.array_equal(a, b) for a, b in zip(samples(first), before, strict=True))


@pytest.mark.parametrize(
    ("annotator", "converted"),
    [
        (Blank(), 1),
        (InvertSome(None), 1),
        (InvertSome(np.array([(0, 0, 320, 100)])), 1),
        (InvertSome(np.array([(0, 0, 320, 30)])), 0),
        (InvertSome(np.zeros((0, 4), np.int64)), 0),
    ],
    ids=["does not know", "everything", "most of it", "a part", "nothing"],
)
def test_when_the_whole_picture_is_converted(annotator: Annotator, converted: int) -> None:
    overlay = Overlay(annotator, *SIZE)
    overlay.draw(picture(frame()), ENTRY, NOTHING)
    assert overlay.pictures_converted == converted


def test_an_annotator_that_asks_for_nothing_is_called_all_the_same() -> None:
    class Counts(Blank):
        def touches(self, entry: Entry, results: Results) -> NDArray[np.int64]:
            return np.zeros((0, 4), np.int64)

    annotator = Counts()
    assert isinstance(annotator, BoundedAnnotator)
    shown = picture(frame())
    drawn = Overlay(annotator, *SIZE).draw(shown, ENTRY, NOTHING)
    assert annotator.seen == [(ENTRY, 0)]
    assert all(np.array_equal(a, b) for a, b in zip(samples(drawn), source_samples(shown), strict=True))


def tags_of(made: VideoFrame) -> tuple[int, int]:
    return made.colorspace, made.color_range


def as_rgb(made: VideoFrame) -> NDArray[np.int64]:
    return made.to_ndarray(format="rgb24").astype(int)


@pytest.mark.parametrize("first", TAGS.values(), ids=TAGS)
@pytest.mark.parametrize("later", TAGS.values(), ids=TAGS)
def test_the_first_picture_decides_and_later_ones_look_as_they_did(
    first: tuple[int, int], later: tuple[int, int]
) -> None:
    overlay = Overlay(InvertSome(np.zeros((0, 4), np.int64)), *SIZE)
    overlay.draw(picture(frame(tags=first, noisy=False)), ENTRY, NOTHING)
    shown = picture(frame(tags=later, noisy=False))
    drawn = overlay.draw(shown, ENTRY, NOTHING)
    assert tags_of(drawn) == first
    same = (first[0] == 1) == (later[0] == 1)
    assert overlay.pictures_converted == (0 if same else 1)


def test_a_later_picture_of_another_size_or_format_is_converted_to_the_files_colours() -> None:
    overlay = Overlay(Blank(), *SIZE)
    tags = (6, 1)
    first = overlay.draw(picture(frame(tags=tags, noisy=False)), ENTRY, NOTHING)
    for made in (
        frame(640, 360, tags=tags, noisy=False),
        frame(name="yuv420p10le", tags=tags, noisy=False),
        frame(name="yuv444p", tags=(1, 1), noisy=False),
        frame(name="rgb24", noisy=False),
    ):
        drawn = overlay.draw(picture(made, size=SIZE), ENTRY, NOTHING)
        assert tags_of(drawn) == tags
        assert (drawn.width, drawn.height, drawn.format.name) == (*SIZE, "yuv420p")
        difference = np.abs(as_rgb(drawn) - as_rgb(first))
        assert difference.mean() < 3, "the same ramps; another matrix would be 10 and more off"


def test_pictures_that_are_arrays() -> None:
    overlay = Overlay(InvertSome(), *SIZE)
    rgb = ArrayPicture(draw_colours(0, *SIZE))
    assert not isinstance(rgb, PlanarPicture)
    drawn = overlay.draw(rgb, ENTRY, NOTHING)
    assert tags_of(drawn) == (1, 1)
    shown = picture(frame(tags=(1, 1), noisy=False))
    drawn = overlay.draw(shown, ENTRY, NOTHING)
    assert overlay.pictures_converted == 1, "BT.709 samples fit a file of BT.709"
    inside = touched(*SIZE)[0]
    assert np.array_equal(samples(drawn)[0][~inside], source_samples(shown)[0][~inside])


@pytest.mark.parametrize("size", [(640, 480), (641, 359)])
def test_the_drawing_annotator(size: tuple[int, int]) -> None:
    """Lines and labels of the real thing; nothing inside the box is converted."""
    annotator = DrawingAnnotator()
    annotator.open(SourceInfo("made", *size, Fraction(1, 25)), MODEL)
    shown = picture(frame(*size))
    overlay = Overlay(annotator, *size)
    drawn, original = (
        samples(overlay.draw(shown, ENTRY, one_box((100, 150, 500, 300)))),
        source_samples(shown),
    )
    assert overlay.pictures_converted == 0
    for plane, before, scale in zip(drawn, original, (1, 2, 2), strict=True):
        changed = plane != before
        assert changed[150 // scale : 300 // scale, 100 // scale].mean() > 0.9, "the left edge"
        assert not changed[170 // scale : 280 // scale, 120 // scale : 480 // scale].any(), "the inside"
        assert not changed[320 // scale :].any()
