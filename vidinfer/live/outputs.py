"""Where the streams of a live run go: files and standard output of a command, or the caller of a library."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from vidinfer.frame import SourceInfo
from vidinfer.live.pipeline import Outward
from vidinfer.report import SourceReport
from vidinfer.stages import ModelInfo
from vidinfer.status import OutletStatus

__all__ = ["Output", "Outputs"]


class Output(Outward, Protocol):
    """One output of one stream. ``open`` and ``put`` never wait."""

    def open(self, source: SourceInfo, model: ModelInfo, epoch: int | None = None) -> None:
        """What is put from ``epoch`` on is of this; on the thread of the stream."""
        ...

    def status(self) -> OutletStatus:
        """What became of the records; from any thread."""
        ...

    def facts(self) -> Mapping[str, object]:
        """For ``run.json``; after ``close``."""
        ...

    def close(self, timeout: float) -> None:
        """Nothing more is put; what waits has ``timeout`` seconds. Idempotent."""
        ...


class Outputs(Protocol):
    """The outputs of all streams."""

    @property
    def needs_pictures(self) -> bool:
        """Somebody looks at the pictures."""
        ...

    def of_stream(self, number: int, name: str) -> Sequence[Output]:
        """Those of one stream; they run from now on, and must be closed.

        Raises:
            SinkError: they cannot be made; then there are none.
        """
        ...

    def report(self, report: SourceReport) -> SourceReport:
        """One stream has ended: keep ``report``, and return it as it is kept."""
        ...
