"""The life of a folder with one file per labelled frame: open, write batches, close or abort."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path

from vidinfer.detections import Results
from vidinfer.errors import SinkError
from vidinfer.frame import Gap, SourceInfo
from vidinfer.record import LabelledBatch
from vidinfer.sink.folder import PartialFolder
from vidinfer.stages import ModelInfo

__all__ = ["FrameFilesSink"]


class FrameFilesSink(ABC):
    """A folder of files named by frame index, ``000012.png``. A :class:`vidinfer.stages.Sink`; its thread rule holds.

    Frames without a result have no file.
    """

    needs_pictures = False

    def __init__(self, folder: Path, suffix: str, task: str, *, overwrite: bool = False) -> None:
        """Files end in ``.suffix`` and hold what models of ``task`` find.

        ``overwrite`` replaces a folder of that name, at the end.
        """
        self._folder = folder
        self._suffix = suffix
        self._task = task
        self._overwrite = overwrite
        self._partial: PartialFolder | None = None
        self._width = self._height = 0
        self._files = 0

    @property
    def paths(self) -> tuple[Path, ...]:
        """The one folder."""
        return (self._folder,)

    def name_of(self, index: int) -> str:
        """The file of the frame ``index``, as seen from beside the folder: ``clip.flow/000012.flo``."""
        return f"{self._folder.name}/{self._file_name(index)}"

    def open(self, source: SourceInfo, model: ModelInfo) -> None:
        """Create the folder under a temporary name.

        Raises:
            SinkError: not writable, there already, or a model of another task.
        """
        if model.task != self._task:
            raise SinkError(
                f"{self._folder} would hold results of {self._task}, but {model.name} does {model.task}"
            )
        self._width, self._height = source.width, source.height
        self._partial = PartialFolder(self._folder, overwrite=self._overwrite)

    def write(self, batch: LabelledBatch) -> None:
        """Write one file for each entry of ``batch`` that has a result.

        Raises:
            SinkError: disk full, …
        """
        if self._partial is None:
            raise SinkError(f"{self._folder} is written before it is opened")
        for entry in batch.entries:
            if entry.row >= 0 and not isinstance(entry.at, Gap):
                data = self._data(batch.results, entry.row)
                self._partial.write(self._file_name(entry.at.index), data)
                self._files += 1

    def close(self) -> None:
        """Give the folder its final name.

        Raises:
            SinkError: disk full, …; ``abort`` must follow.
        """
        if self._partial is not None:
            self._partial.commit()

    def abort(self) -> None:
        """Remove what was written."""
        if self._partial is not None:
            self._partial.abort()

    def facts(self) -> Mapping[str, object]:
        """Files written."""
        return {"format": self._suffix, "frames": self._files}

    def _file_name(self, index: int) -> str:
        return f"{index:06d}.{self._suffix}"

    @abstractmethod
    def _data(self, results: Results, row: int) -> bytes:
        """The content of the file of one row of ``results``.

        Raises:
            SinkError: the results hold nothing of the task.
        """
