"""The newest labelled picture of each stream, drawn only while somebody looks."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from vidinfer.address import shown as without_password
from vidinfer.clock import Clock
from vidinfer.detections import Results
from vidinfer.frame import Picture, SourceInfo
from vidinfer.preview.pace import Pace
from vidinfer.preview.render import Renderer, Shown, step
from vidinfer.record import Entry
from vidinfer.stages import Annotator, ModelInfo

__all__ = ["Jpeg", "PictureFeed", "Watch"]


@dataclass(frozen=True, slots=True)
class Jpeg:
    """A picture as viewers get it."""

    number: int
    """Grows with each picture of its stream."""
    width: int
    """Pixels across that it was made for; a smaller picture is not scaled up."""
    data: bytes


@dataclass(eq=False, slots=True)
class Watch:
    """Somebody looks at a stream. Thread rule: as the feed."""

    stream: int
    width: int
    """Pixels across, one of :data:`~vidinfer.preview.render.WIDTHS`."""
    wake: Callable[[], None]
    """Called for each new JPEG, on the drawing thread; must return at once and may not call the feed."""


@dataclass(eq=False, slots=True)
class _Slot:
    renderer: Renderer
    source: SourceInfo | None = None
    model: ModelInfo | None = None
    latest: tuple[int, Picture, Entry, Results, int] | None = None
    """Number, and what :meth:`PictureFeed.show` was given, and the row of the results."""
    clip: tuple[Results, int] | None = None
    drawn: tuple[int, int] = (0, 0)
    """Number and width of what was drawn last."""
    made: int = 0
    jpeg: Jpeg | None = None
    width: int = 0
    watches: set[Watch] = field(default_factory=set)
    error: str = ""


class PictureFeed:
    """One slot per stream: the newest picture wins, and the one before is let go.

    Memory: one picture as it came and one JPEG per stream, however many look. Thread rule: share freely, but
    :meth:`connected` and :meth:`show` of one stream on one thread at a time, and :meth:`work` once.
    """

    def __init__(
        self,
        streams: int,
        annotator: Callable[[], Annotator],
        clock: Clock,
        *,
        rate: float = 15.0,
        share: float = 0.5,
    ) -> None:
        """Draw with what ``annotator`` makes: a new one for each stream, size and model.

        Args:
            streams: how many.
            rate: pictures a second and stream, at most.
            share: of one core's time, at most, for all streams together; drawing must not slow labelling.
        """
        self._slots = [_Slot(Renderer(annotator)) for _ in range(streams)]
        self._clock = clock
        self._pace = Pace(streams, rate, share)
        self._changed = threading.Condition()
        self._closed = False

    def __len__(self) -> int:
        """Streams."""
        return len(self._slots)

    def connected(self, stream: int, source: SourceInfo, model: ModelInfo) -> None:
        """Say what the pictures to come are of: before the first, and again at each new connection."""
        slot = self._slots[stream]
        with self._changed:
            slot.source, slot.model, slot.clip = source, model, None

    def show(self, stream: int, picture: Picture, entry: Entry, results: Results) -> None:
        """Take the newest frame of ``stream``, after ``connected``; some hundred nanoseconds while nobody looks.

        The picture is kept until the next one comes, and perhaps read on another thread (``rgb``, ``rgb_scaled``).

        Args:
            stream: its index.
            picture: as decoded; nothing is converted here.
            entry: as in a :class:`~vidinfer.record.LabelledBatch`.
            results: of the batch; ``entry.row`` points into them.
        """
        slot = self._slots[stream]
        number = 1 if slot.latest is None else slot.latest[0] + 1
        if self._closed:
            return
        if results.clips is not None and entry.row >= 0:
            slot.clip = results, entry.row  # shown until the next clip's are known, also on frames between
        slot.latest = number, picture, entry, results, entry.row
        if slot.watches:
            with self._changed:
                self._changed.notify_all()

    def watch(self, stream: int, width: int, wake: Callable[[], None]) -> Watch:
        """Look at ``stream``, with pictures about ``width`` pixels wide, until :meth:`unwatch`."""
        watch = Watch(stream, step(width), wake)
        slot = self._slots[stream]
        with self._changed:
            slot.watches.add(watch)
            slot.width = max(one.width for one in slot.watches)
            self._changed.notify_all()
        return watch

    def unwatch(self, watch: Watch) -> None:
        """Look no more: ``wake`` is not called from now on. Idempotent."""
        slot = self._slots[watch.stream]
        with self._changed:
            slot.watches.discard(watch)
            slot.width = max((one.width for one in slot.watches), default=0)
            if not slot.watches:  # the next to look must not be shown what was new long ago
                slot.jpeg, slot.drawn = None, (0, 0)

    def latest(self, stream: int) -> Jpeg | None:
        """The newest JPEG, for whoever watches."""
        return self._slots[stream].jpeg

    def error(self, stream: int) -> str:
        """Why the last picture could not be drawn, in one line; empty where it could."""
        return self._slots[stream].error

    @property
    def watched(self) -> int:
        """How many look, each stream counted for itself."""
        return sum(len(slot.watches) for slot in self._slots)

    def close(self) -> None:
        """End :meth:`work`, and let go of all pictures. Idempotent."""
        with self._changed:
            self._closed = True
            for slot in self._slots:
                slot.latest = slot.jpeg = slot.clip = None
            self._changed.notify_all()

    def work(self) -> None:
        """Draw what is looked at, until :meth:`close`: the work of a thread of its own."""
        while (stream := self._wait()) is not None:
            began = self._clock.now()
            self._draw(self._slots[stream])
            self._pace.drew(stream, began, self._clock.now())

    def _wait(self) -> int | None:
        """The stream to draw next; ``None`` at the end."""
        with self._changed:
            while not self._closed:
                ready = [i for i, slot in enumerate(self._slots) if _to_draw(slot)]
                stream, seconds = self._pace.choose(ready, self._clock.now())
                if stream is not None:
                    return stream
                self._changed.wait(seconds)
        return None

    def _draw(self, slot: _Slot) -> None:
        with self._changed:
            latest, source, model, width, clip = slot.latest, slot.source, slot.model, slot.width, slot.clip
        if latest is None or source is None or model is None or not width:
            return
        number, picture, entry, results, row = latest
        if row < 0 and clip is not None:
            results, row = clip
        one = results.rows(row, row + 1) if row >= 0 else results.rows(0, 0)
        try:
            data, error = slot.renderer.jpeg(Shown(picture, entry, one, source, model), width), ""
        except Exception as failure:  # a picture that cannot be drawn is told on the page; labelling goes on
            data, error = b"", without_password(f"{type(failure).__name__}: {failure}".splitlines()[0])
        with self._changed:
            slot.error = error
            if not slot.watches or self._closed:
                return
            slot.drawn = number, width
            if data:
                slot.made += 1
                slot.jpeg = Jpeg(slot.made, width, data)
                for watch in slot.watches:
                    watch.wake()


def _to_draw(slot: _Slot) -> bool:
    """Somebody looks, and there is something newer than what they have, or they want it larger."""
    if not slot.watches or slot.latest is None or slot.source is None:
        return False
    return slot.latest[0] > slot.drawn[0] or slot.width > slot.drawn[1]
