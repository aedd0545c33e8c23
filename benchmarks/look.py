"""The first look of an archive run, at objects in a slow store: ``python -m benchmarks.look [OBJECTS [MS]]``.

One by one and as a run does it, in turns. The store is this process: it answers every question ``MS`` milliseconds
later, however many are asked at once, and costs no processor. Questions are counted.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import sys
import time
from collections import Counter
from typing import Any

import fsspec
from fsspec.asyn import AsyncFileSystem

from benchmarks.clips import SAMPLE
from vidinfer.archive.look import look_over
from vidinfer.archive.survey import survey
from vidinfer.config import RunConfig
from vidinfer.errors import SourceError
from vidinfer.source import expand_sources

ROUNDS = 3
COUNTS: Counter[str] = Counter()


class SlowStore(AsyncFileSystem):  # type: ignore[misc] # fsspec has no types
    """Objects of the same length, each with a content of its own."""

    protocol = "oci"
    cachable = False
    objects, seconds, content = 0, 0.0, b""

    async def _info(self, path: str, **_: Any) -> dict[str, Any]:
        COUNTS["info"] += 1
        await asyncio.sleep(self.seconds)
        return self._known(path)

    async def _find(self, path: str, **_: Any) -> dict[str, Any]:
        await asyncio.sleep(self.seconds)
        return {f"{path}/{i:06d}.mp4": self._known(f"{path}/{i:06d}.mp4") for i in range(self.objects)}

    async def _cat_file(self, path: str, start: int = 0, end: int | None = None, **_: Any) -> bytes:
        COUNTS["range"] += 1
        await asyncio.sleep(self.seconds)
        return (self.content + _box(path))[start:end]

    def _known(self, path: str) -> dict[str, Any]:
        size = len(self.content + _box(path))
        return {"name": path, "size": size, "type": "file", "ETag": path}


def _box(path: str) -> bytes:
    """An empty one at the end of an MP4, which players skip."""
    return (16).to_bytes(4) + b"free" + int(path[-10:-4]).to_bytes(8)


def measure(objects: int = 200, milliseconds: float = 30.0) -> dict[str, object]:
    """Seconds for headers, and for all that comes after them, one by one and side by side."""
    fsspec.register_implementation(SlowStore.protocol, SlowStore, clobber=True)
    SlowStore.objects, SlowStore.seconds = objects, milliseconds / 1000
    SlowStore.content = SAMPLE.read_bytes()
    config = RunConfig(sources=(f"{SlowStore.protocol}://bucket/day/",))
    files = expand_sources(config.sources).files
    began = time.perf_counter()
    survey(files, fingerprints="none")
    headers = time.perf_counter() - began
    seconds: dict[str, list[float]] = {"one by one": [], "side by side": []}
    asked: dict[str, dict[str, float]] = {}
    for turn in range(ROUNDS):
        for way in list(seconds)[:: 1 if turn % 2 == 0 else -1]:
            COUNTS.clear()
            began = time.perf_counter()
            found = list(look_over(files, config, lambda: False, at_once=1 if way == "one by one" else None))
            seconds[way].append(time.perf_counter() - began)
            asked[way] = {what: round(count / objects, 2) for what, count in COUNTS.items()}
            assert not any(isinstance(one, SourceError) for one in found), found[0]
    before, after = (statistics.median(seconds[way]) for way in seconds)
    return {
        "objects": objects,
        "ms_an_answer": milliseconds,
        "questions_an_object": asked["side by side"],
        "seconds_for_headers": round(headers, 2),
        "seconds": {way: [round(one, 2) for one in times] for way, times in seconds.items()},
        "times_as_fast": round(before / after, 2),
    }


if __name__ == "__main__":
    print(json.dumps(measure(*map(int, sys.argv[1:2]), *map(float, sys.argv[2:3]))))
