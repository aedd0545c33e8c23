"""Headers of local files, and packets of all, read by a process that may crash or hang without taking us along."""

from __future__ import annotations

import json
import select
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

import vidinfer
from vidinfer.archive.header_lines import part_of, sampling_told
from vidinfer.errors import Interrupted, SourceError, VidinferError
from vidinfer.sampling import Sampling
from vidinfer.source import Header, Part
from vidinfer.storage import Location, RemoteFile

__all__ = ["LONGEST", "HeaderReader"]

LONGEST_PACKETS = 900.0
"""Seconds that going through all packets of a file may take."""
LONGEST = 60.0
"""Seconds that the headers of one file may take, a slow disk included."""
TRIES = 2
"""Processes that may end over a file: others than the file may have killed the first, as a kernel short of memory."""
STARTS = 3
"""Processes in a row that may end before they are ready."""
_SLICE = 0.2
"""Seconds between looks at whether it was called off."""
_CODE = "import sys; sys.path.insert(0, sys.argv[1]); from vidinfer.archive.header_child import main; main()"


class HeaderReader:
    """One process at a time, replaced when a file was its end.

    Thread rule: one thread.
    """

    def __init__(self, stopped: Callable[[], bool], longest: float = LONGEST) -> None:
        """Start nothing yet.

        Args:
            stopped: ends waits; may be replaced between two of them.
            longest: seconds for one file.
        """
        self.stopped, self._longest = stopped, longest
        self._child: subprocess.Popen[bytes] | None = None
        self._left = b""

    def read(self, path: Path) -> Header:
        """The headers of ``path``; a file that crashes or hangs its reader is broken.

        Raises:
            Interrupted: ``stopped()`` became true.
        """
        try:
            return Header(*self._ask([str(path)], path, self._longest))
        except SourceError as error:
            return Header("broken", error=str(error))

    def split(self, path: Location, frames: int, sampling: Sampling | None = None) -> tuple[Part, ...]:
        """:func:`vidinfer.source.split`.

        Raises:
            SourceError: it cannot be read, crashes FFmpeg or hangs it.
            Interrupted: ``stopped()`` became true.
        """
        chosen = None if sampling is None else sampling_told(sampling)
        answer = self._ask([_told(path), frames, chosen], path, LONGEST_PACKETS)
        if isinstance(answer, str):
            raise SourceError(answer)
        return tuple(part_of(part) for part in answer)

    def _ask(self, request: list[object], path: Location, longest: float) -> Any:
        for _ in range(TRIES):
            child = self._child or self._start()
            assert child.stdin is not None
            with suppress(BrokenPipeError):  # its end is found while reading
                child.stdin.write(json.dumps(request).encode() + b"\n")
                child.stdin.flush()
            try:
                line = self._line(child, longest)
            except TimeoutError:
                self.close()
                why = f"it could not be read within {longest:g} s"
                raise SourceError(f"{path}: {why}; check the file and its disk") from None
            if line:
                return json.loads(line)
            ended = child.wait()
            self.close()
        why = f"FFmpeg crashed on it, {TRIES} times in a row ({_ended(ended)})"
        raise SourceError(f"{path}: {why}; keep it away from other programs, too")

    def _start(self) -> subprocess.Popen[bytes]:
        """A process that is ready.

        Raises:
            VidinferError: there is none to be had, which says nothing of the file.
            Interrupted: stopped.
        """
        root = str(Path(vidinfer.__file__).parents[1])
        command = [sys.executable, "-c", _CODE, root]
        pipe = subprocess.PIPE
        for _ in range(STARTS):
            child = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL)
            self._child, self._left = child, b""
            try:
                if self._line(child, LONGEST) == b"null":
                    return child
                why = _ended(child.wait())
            except TimeoutError:
                why = f"not ready within {LONGEST:g} s"
            self.close()
        raise VidinferError(
            f"processes that read headers do not start, {STARTS} times in a row ({why}); look whether this machine is "
            f"short of memory, and run again"
        )

    def _line(self, child: subprocess.Popen[bytes], longest: float) -> bytes:
        """The next line; empty at the end of the process.

        Raises:
            TimeoutError: it took too long.
            Interrupted: stopped.
        """
        assert child.stdout is not None
        waited = 0.0
        while b"\n" not in self._left:
            ready, _, _ = select.select([child.stdout], [], [], _SLICE)
            if ready:
                data = child.stdout.read1(65536)  # type: ignore[attr-defined] # a BufferedReader
                if not data:
                    return b""
                self._left += data
                continue
            waited += _SLICE
            if self.stopped():
                raise Interrupted("stopped while reading headers")
            if waited >= longest:
                raise TimeoutError
        line, _, self._left = self._left.partition(b"\n")
        return line

    def close(self) -> None:
        """End the process. Idempotent."""
        child, self._child = self._child, None
        if child is None:
            return
        child.kill()
        child.wait()
        for pipe in (child.stdin, child.stdout):
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()

    def __enter__(self) -> HeaderReader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _ended(status: int) -> str:
    return f"signal {-status}" if status < 0 else f"exit status {status}"


def _told(path: Location) -> str:
    return path.url if isinstance(path, RemoteFile) else str(path)
