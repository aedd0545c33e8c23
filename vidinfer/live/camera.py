"""One stream, for as long as it is wanted: connect, read into the lobby, and connect again.

Whatever happens to it happens to it alone: it has its thread, its places in the lobby and its ledger to itself.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from vidinfer.arrival import Arrival, Received, Shed, TimeSource
from vidinfer.clock import Clock
from vidinfer.errors import RingAborted, SourceError, SourceRefused, SourceUnreachable
from vidinfer.feeder import Fill, fill_for
from vidinfer.frame import Gap, SourceInfo
from vidinfer.interrupt import Interrupt
from vidinfer.live.board import CameraView
from vidinfer.live.connection import Connection, HostGate
from vidinfer.live.lobby import Lobby
from vidinfer.live.tally import StreamTally
from vidinfer.live.watch import StreamWatch
from vidinfer.record import Entry, Outcome
from vidinfer.sampling import Sampler
from vidinfer.stages import LiveSource, Model
from vidinfer.status import StreamState

__all__ = ["Camera", "Wanted"]

_SLACK = 2.0
"""Seconds without a frame from which on a stream is stalled, or three of its intervals if these are longer."""
_PROVEN = 2.0
"""Seconds of a connection after which a camera that is gone is looked for, as one that was not there."""
_LOOK = 1.0
"""Seconds from one look to the next, whether somebody answers again where nobody did."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked of a stream."""

    address: str
    connect: Callable[[Interrupt, int], LiveSource]
    """``connect(interrupt, first_index)`` raises ``SourceError``, or ``SourceRefused`` where asking soon is no use."""
    host: str
    """Whose gate the attempts pass."""
    sampler: Sampler
    until: float | None = None
    """On the clock."""
    once: bool = False
    """A file that is played to its end and no further."""
    keep_pictures: bool = False
    answers: Callable[[Interrupt], bool] | None = None
    """Whether somebody takes connections there, told within a second; ``None``: nobody can tell."""


class Camera:
    """Thread rule: ``run`` once, on a thread of its own; ``interrupt`` and ``view`` from any."""

    def __init__(
        self,
        number: int,
        wanted: Wanted,
        model: Model,
        lobby: Lobby,
        tally: StreamTally,
        connection: Connection,
        gate: HostGate,
        clock: Clock,
        wall: Callable[[], float],
        on_connected: Callable[[SourceInfo, int], None],
    ) -> None:
        """``wall()``: Unix seconds; ``on_connected(info, epoch)``: before the first frame of each connection."""
        self._number = number
        self._wanted = wanted
        self._model = model
        self._lobby = lobby
        self._tally = tally
        self._connection = connection
        self._gate = gate
        self._clock = clock
        self._wall = wall
        self._on_connected = on_connected
        self._stop = Interrupt()
        self._lock = threading.Lock()
        self._info: SourceInfo | None = None
        self._watch = StreamWatch(clock)
        self._last_frame = self._connected_at = 0.0
        self._next_index = 0
        self._done = False
        self._nobody = False
        """Nobody was there at the last attempt, or somebody was for a while: worth looking whether he is back."""
        self.ends: list[str] = []
        """How the last connections ended."""

    def run(self) -> None:
        """Until ``interrupt``, or the end of what was asked for."""
        with suppress(RingAborted):
            while not (self._done or self._stop.is_set):
                self._attempt()
                if self._waiting() and self._wait():
                    break
        with self._lock:
            self._connection.end(self._clock.now())

    def interrupt(self) -> None:
        """End within two seconds. Idempotent; any thread."""
        self._stop.set()

    def view(self) -> CameraView:
        """At this moment."""
        now = self._clock.now()
        with self._lock:
            connection, info = self._connection, self._info
            # With keyframes only, frames are rare by our own will; the source itself looks after its packets.
            quiet = now - self._last_frame > self._patience(now) and self._watch.level is not Shed.NON_KEY
            if quiet and connection.state is StreamState.LIVE:
                connection.stalled(now)
            return CameraView(
                state=connection.state,
                since=connection.since,
                epoch=connection.epoch,
                size=None if info is None else (info.width, info.height),
                codec="" if info is None else str(info.details.get("codec", "")),
                shed=self._watch.level,
                reconnects=connection.reconnects,
                retry_at=connection.retry_at,
                flags=self._watch.flags if connection.state is StreamState.LIVE else (),
                error=connection.error,
            )

    def facts(self) -> dict[str, object]:
        """For the report."""
        with self._lock:
            info = self._info
            return {
                "connections": self._connection.epoch,
                "reconnects": self._connection.reconnects,
                "last_ends": list(self.ends),
                "error": self._connection.error or None,
                "size": None if info is None else [info.width, info.height],
                "details": {} if info is None else dict(info.details),
                **self._watch.facts(),
            }

    def _attempt(self) -> None:
        """One connection, from its beginning to its end."""
        with self._lock:
            self._connection.connecting(self._clock.now())
        mine = Interrupt()
        with self._stop.ended_by(mine.set), self._gate.attempt(self._wanted.host, mine) as admitted:
            source = self._connected(mine) if admitted else None
        if source is None:
            return
        with self._stop.ended_by(source.interrupt):
            try:
                self._read(source)
            finally:
                source.close()

    def _connected(self, mine: Interrupt) -> LiveSource | None:
        self._nobody = False
        try:
            return self._wanted.connect(mine, self._next_index)
        except SourceError as error:
            with self._lock:
                self._connection.lost(self._clock.now(), str(error), slow=isinstance(error, SourceRefused))
            self._nobody = isinstance(error, SourceUnreachable)
            self._done = self._wanted.once
            return None

    def _read(self, source: LiveSource) -> None:
        self._nobody = False
        info = source.info
        epoch, behind = self._begin(info)
        spec = self._model.input_for(info.width, info.height)
        self._lobby.join(self._number, spec, info.width, info.height)
        fill = fill_for(spec)
        ended = ""
        try:
            for item in source:
                if isinstance(item, Gap):
                    self._gap(item, epoch, behind)
                elif not self._frame(item, fill, source, epoch, behind):
                    self._done, ended = True, "as asked for"
                    break
        except RingAborted:
            self._done, ended = True, "interrupted"  # and what was left out so far is told all the same
            raise
        finally:
            self._end(source, ended)

    def _begin(self, info: SourceInfo) -> tuple[int, float]:
        """The number of the epoch, and by how much the wall clock is ahead of ours, once for all of it."""
        now = self._clock.now()
        with self._lock:
            epoch = self._connection.connected(now)
            self._info, self._last_frame, self._connected_at = info, now, now
            self._watch.begin(now)
        behind = self._wall() - self._clock.now()
        self._on_connected(info, epoch)
        return epoch, behind

    def _end(self, source: LiveSource, ended: str) -> None:
        facts = source.facts()
        why = ended or str(facts.get("ended") or "closed by the other end")
        with self._lock:
            # Whoever sent for a while is no crowd at the door, however many attempts it took before.
            self._nobody = self._clock.now() - self._connected_at >= _PROVEN
            self._watch.end(facts)
            self.ends = [*self.ends[-4:], why]
            if self._wanted.once:
                self._done = True
            elif not (self._done or self._stop.is_set):
                self._connection.lost(self._clock.now(), why)

    def _gap(self, gap: Gap, epoch: int, behind: float) -> None:
        """Told when it was noticed."""
        now = self._clock.now()
        self._tally.ledger.add("packets_lost", gap.packets)
        arrival = Arrival(epoch, now, now + behind, None, TimeSource.RECEIVED)
        self._lobby.record(self._number, Entry(Outcome.GAP, gap, reason=gap.reason, arrival=arrival))

    def _frame(self, item: Received, fill: Fill, source: LiveSource, epoch: int, behind: float) -> bool:
        """One frame into the lobby; ``False``: it is beyond what was asked for."""
        frame, now, wanted = item.frame, self._clock.now(), self._wanted
        if wanted.sampler.finished(frame.stamp) or (wanted.until is not None and now >= wanted.until):
            return False
        self._next_index = frame.stamp.index + 1
        self._arrived(item, source, now)
        ledger = self._tally.ledger
        ledger.add("decoded")
        skipped = wanted.sampler.skip_reason(frame.stamp)
        if skipped is not None:
            ledger.skip(skipped)
            return True
        arrival = Arrival(epoch, item.received, item.received + behind, item.captured, item.time_source)
        try:
            if frame.corrupt:
                self._lobby.record(
                    self._number,
                    Entry(Outcome.CORRUPT, frame.stamp, reason="damaged data", arrival=arrival),
                )
                return True
            place = self._lobby.reserve(self._number)
            fill(frame.picture, place)
            picture = frame.picture if wanted.keep_pictures else None
            self._lobby.commit(
                self._number, Entry(Outcome.LABELLED, frame.stamp, picture=picture, arrival=arrival)
            )
        except RingAborted:
            ledger.skip("interrupted")
            raise
        return True

    def _arrived(self, item: Received, source: LiveSource, now: float) -> None:
        """Keep an eye on the stream, and leave out before decoding what has no chance."""
        self._tally.arrivals.add(now)
        with self._lock:
            self._last_frame = now
            if self._connection.state is StreamState.STALLED:
                self._connection.frame(now)
        before = self._watch.level
        level = self._watch.frame(
            item,
            now,
            lambda: self._lobby.overload(self._number),
            lambda: _share(source.facts().get("waiting")),
        )
        if level is not before:
            source.shed(Shed(level))

    def _patience(self, now: float) -> float:
        rate = self._tally.arrivals.value(now)
        return max(_SLACK, 3 / rate if rate else 0.0)

    def _waiting(self) -> bool:
        return self._connection.state is StreamState.WAITING and not self._done

    def _wait(self) -> bool:
        """Until the next attempt is due, which is soon once somebody answers again; ``True``: a stop came first."""
        while True:
            now, until = self._clock.now(), self._wanted.until
            left = self._connection.retry_in(now) or 0.0
            if until is not None:
                if now >= until:
                    return True
                left = min(left, until - now)
            if left <= 0:
                return False
            if self._stop.wait(min(left, _LOOK) if self._nobody else left):
                return True
            if self._nobody and left > _LOOK:
                self._look()

    def _look(self) -> None:
        """However long the wait has grown, a camera that is back is not kept waiting."""
        answers = self._wanted.answers
        if answers is None:
            return
        with self._gate.attempt(self._wanted.host, self._stop) as admitted:
            self._nobody = not (admitted and answers(self._stop))
        if not self._nobody:
            with self._lock:
                self._connection.answers(self._clock.now())


def _share(value: object) -> float | None:
    return value if isinstance(value, float) else None
