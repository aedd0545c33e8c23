"""A range of an object, asked for without waiting; of one version of it, where the store can be told which."""

from __future__ import annotations

import asyncio
from concurrent.futures import Future
from typing import Any

__all__ = ["begin_range"]

_ATTEMPTS = 3
_PAUSE = 0.2
"""Seconds before the second attempt; twice as long before the third."""


def begin_range(fs: Any, path: str, start: int, end: int, tag: str) -> Future[bytes] | None:
    """Begin to fetch bytes ``start`` to ``end`` (exclusive); ``None`` where the client of the store cannot.

    Args:
        fs: the fsspec file system.
        path: of the object, as ``fs`` knows it.
        start: of the first byte.
        end: behind the last byte.
        tag: ETag that the object must still have; without effect but for S3.
    """
    if not getattr(fs, "async_impl", False):
        return None
    s3 = bool(tag) and hasattr(fs, "_call_s3")
    fetch = _s3_range(fs, path, start, end, tag) if s3 else fs._cat_file(path, start=start, end=end)
    return asyncio.run_coroutine_threadsafe(fetch, fs.loop)


async def _s3_range(fs: Any, path: str, start: int, end: int, tag: str) -> bytes:
    bucket, key, version = fs.split_path(path)
    which = {"VersionId": version} if version else {}
    for attempt in range(_ATTEMPTS):
        try:
            answer = await fs._call_s3(
                *("get_object", which),
                Bucket=bucket,
                Key=key,
                Range=f"bytes={start}-{end - 1}",
                IfMatch=f'"{tag}"',
            )
            async with answer["Body"] as body:
                return bytes(await body.read())
        except Exception as error:
            # What the store refuses it will refuse again; a connection that broke off may work the next time.
            if (
                attempt == _ATTEMPTS - 1
                or error.__cause__ is not None
                or isinstance(error, FileNotFoundError)
            ):
                raise
            await asyncio.sleep(_PAUSE * 2**attempt)
    raise AssertionError("the last attempt returns or raises")
