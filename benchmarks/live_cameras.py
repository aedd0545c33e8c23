"""Simulated cameras for the real parts: each keeps to its script, and its pictures tell which they are.

A camera is a script of arrivals (rate, phase, jitter, pauses before keyframes: those of ``live_simulation``) and of
outages. Its pictures are frames of the sample clip, decoded once and held in memory, with a code drawn into them
(``live_code``). So nothing is decoded: that costs a core more than a camera here does.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

import av
import numpy as np
from numpy.typing import NDArray

from benchmarks.clips import scaled
from benchmarks.live_code import draw, encode
from benchmarks.live_simulation import Camera
from vidinfer.arrival import Received, Shed
from vidinfer.clock import Clock
from vidinfer.errors import SourceUnreachable
from vidinfer.frame import Frame, FrameStamp, Gap, Picture, SourceInfo
from vidinfer.interrupt import Interrupt
from vidinfer.source.orientation import UPRIGHT
from vidinfer.source.picture import Converter, DecodedPicture

__all__ = ["Album", "Outage", "SimulatedCamera", "SimulatedSource"]

PATIENCE = 2.0
"""Seconds of silence after which a source gives up, as the real ones do."""
KEYFRAMES = 2.0
"""Seconds from one keyframe to the next."""


@dataclass(frozen=True, slots=True)
class Outage:
    """Seconds since the cameras began."""

    at: float
    seconds: float
    silent: bool = False
    """The connection stays and nothing comes, until all that was held back comes at once; else the camera is gone, and
    what it sees meanwhile is lost."""

    @property
    def end(self) -> float:
        """When the camera is back."""
        return self.at + self.seconds

    @property
    def hangs_up(self) -> bool:
        """The connection does not survive it."""
        return not self.silent or self.seconds >= PATIENCE


class Album:
    """Pictures of one camera, each drawn on anew when its turn comes: good until then.

    Thread rule: one thread at a time.
    """

    KEPT = 4

    def __init__(self, frames: Sequence[NDArray[np.uint8]], width: int, height: int) -> None:
        """``frames``: ``(3/2 height, width)`` planes of yuv420p, which are copied."""
        self._frames = [
            av.VideoFrame.from_ndarray(frames[i % len(frames)], format="yuv420p") for i in range(self.KEPT)
        ]
        self._lumas = [
            np.frombuffer(frame.planes[0], np.uint8).reshape(-1, frame.planes[0].line_size)[:height, :width]  # type: ignore[call-overload]
            for frame in self._frames
        ]
        self._converter = Converter()
        self._size = width, height
        self._next = 0

    def picture(self, squares: NDArray[np.bool_]) -> Picture:
        """The next one, with a code."""
        self._next = (self._next + 1) % self.KEPT
        draw(self._lumas[self._next], squares)
        return DecodedPicture(self._frames[self._next], self._converter, UPRIGHT, *self._size)


def pictures(width: int, height: int) -> list[NDArray[np.uint8]]:
    """A few of the sample clip, in this size."""
    found = []
    with av.open(str(scaled(width, height, 96))) as file:
        for i, frame in enumerate(file.decode(video=0)):
            if i % 24 == 0:
                found.append(np.asarray(frame.to_ndarray(format="yuv420p"), np.uint8))
    return found


class SimulatedCamera:
    """A camera for as long as a run lasts; connections come and go.

    Thread rule: ``connect`` and the source it gave on one thread; the rest on any, once ``begin`` was called.
    """

    def __init__(
        self,
        number: int,
        script: Camera,
        album: Album,
        size: tuple[int, int],
        clock: Clock,
        *,
        seed: int,
        seconds: float,
        claimed: float | None = None,
        outages: Sequence[Outage] = (),
    ) -> None:
        """``seconds``: it sees no longer than that; ``claimed``: its rate by its own clock, where that is wrong."""
        self.number, self.script, self.album, self.size, self.clock = number, script, album, size, clock
        self.claimed = Fraction(claimed or script.rate).limit_denominator(1000)
        self.outages = sorted(outages, key=lambda one: one.at)
        self.began = 0.0
        random_ = random.Random(f"camera {number} of {seed}")
        self.times = np.asarray(list(_held(script.times(seconds, random_), self.outages)), np.float64)
        """When each tick's frame arrives, if it does, in seconds since the beginning; never back."""
        self.shed_ticks: list[int] = []
        self.missed: list[int] = []
        """Ticks that nobody was connected for although the camera was there."""
        self._next = 0

    @property
    def name(self) -> str:
        """For records."""
        return f"camera-{self.number}"

    @property
    def interval(self) -> int:
        """Ticks from one keyframe to the next."""
        return max(1, round(KEYFRAMES * self.script.rate))

    def begin(self) -> None:
        """The cameras' time starts now."""
        self.began = self.clock.now()

    def scheduled(self, tick: int) -> float:
        """When the frame of this tick arrives, on the clock."""
        return self.began + float(self.times[tick])

    def outage(self, seconds: float) -> Outage | None:
        """Under way at this moment."""
        return next((one for one in self.outages if one.at <= seconds < one.end), None)

    def connect(self, interrupt: Interrupt, first_index: int) -> SimulatedSource:
        """As ``open_live``: up to the first picture.

        Raises:
            SourceUnreachable: it is not there, or sends nothing.
        """
        now = self.clock.now() - self.began
        outage = self.outage(now)
        if outage is not None and outage.silent:
            interrupt.wait(min(outage.end - now, PATIENCE))
        if outage is not None:
            raise SourceUnreachable(f"{self.name}: nobody answers; check that it is switched on")
        first = int(np.searchsorted(self.times, now))
        if first >= len(self.times):
            raise SourceUnreachable(f"{self.name}: the simulation is over")
        self.missed += [t for t in range(self._next, first) if self.outage(float(self.times[t])) is None]
        self._next = first
        return SimulatedSource(self, interrupt, first_index)

    def answers(self) -> bool:
        """Whether somebody takes connections there."""
        outage = self.outage(self.clock.now() - self.began)
        return outage is None or outage.silent

    def ticks(self) -> Iterator[int]:
        """Those that are left, each once."""
        while self._next < len(self.times):
            self._next += 1
            yield self._next - 1


class SimulatedSource:
    """One connection. A ``LiveSource``."""

    def __init__(self, camera: SimulatedCamera, interrupt: Interrupt, first_index: int) -> None:
        self._camera, self._interrupt, self._index = camera, interrupt, first_index
        self._level = Shed.NOTHING
        self._ended = ""
        self._shed = 0
        width, height = camera.size
        details = {"codec": "none", "simulated": True}
        self.info = SourceInfo(
            camera.name, width, height, 1 / camera.claimed, rate=camera.claimed, details=details
        )

    def __iter__(self) -> Iterator[Received | Gap]:
        camera = self._camera
        for tick in camera.ticks():
            at = float(camera.times[tick])
            outage = next((one for one in camera.outages if one.at <= at < one.end and one.hangs_up), None)
            if outage is not None:
                silence = PATIENCE if outage.silent else 0.0
                self._wait(outage.at + silence)
                self._ended = f"nothing came for {PATIENCE:g} s" if outage.silent else "the other end hung up"
                return
            self._wait(at)
            if self._interrupt.is_set:
                self._ended = "interrupted"
                return
            if self._level is Shed.NON_KEY and tick % camera.interval:
                self._shed += 1
                camera.shed_ticks.append(tick)
                continue
            yield self._received(tick)
        self._ended = "the simulation is over"

    def shed(self, level: Shed) -> None:
        """Keyframes alone, or everything: these cameras have no frames that no other needs."""
        self._level = level

    def facts(self) -> dict[str, object]:
        """Why it ended, and what was left out."""
        return {"ended": self._ended, "packets_shed": {"non_key": self._shed} if self._shed else {}}

    def interrupt(self) -> None:
        """Ends the iterator at once."""
        self._interrupt.set()

    def close(self) -> None:
        """Nothing is held."""

    def _received(self, tick: int) -> Received:
        camera, received = self._camera, self._camera.clock.now()
        stamp = FrameStamp(self._index, tick, 1 / camera.claimed, 1, keyframe=tick % camera.interval == 0)
        self._index += 1
        picture = camera.album.picture(encode(camera.number, tick))
        return Received(Frame(stamp, picture), received)

    def _wait(self, seconds: float) -> None:
        left = self._camera.began + seconds - self._camera.clock.now()
        if left > 0:
            self._interrupt.wait(left)


def _held(times: Sequence[float], outages: Sequence[Outage]) -> Iterator[float]:
    """What comes during a short silence comes at its end."""
    short = [one for one in outages if not one.hangs_up]
    for at in times:
        yield next((one.end for one in short if one.at <= at < one.end), at)
