"""An object in a store that fsspec knows, and finding it."""

from __future__ import annotations

import asyncio
import glob
from collections.abc import Callable, Mapping
from concurrent.futures import CancelledError
from concurrent.futures import TimeoutError as FutureTimeout
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from vidinfer.address import shown
from vidinfer.errors import Interrupted, SourceError, SourceRefused, SourceUnreachable, UsageError
from vidinfer.storage.failures import storage_failure

if TYPE_CHECKING:
    from vidinfer.storage.reader import RangeReader

__all__ = ["LONGEST", "RemoteFile", "RemoteStat", "ask", "filesystem", "list_remote", "store_of", "waited"]

LONGEST = 60.0
"""Seconds that a store is given for one answer, its client's own attempts included."""
LISTING = 600.0
"""Seconds for a listing, which takes many answers."""
_SLICE = 0.2
"""Seconds between looks at whether a wait was called off."""
# Fewer and shorter attempts than the clients' own: whoever waits wants to know.
_CONNECT, _READ = 5, 20
_S3, _GOOGLE, _AZURE = ("s3fs", "vidinfer[s3]"), ("gcsfs", "vidinfer[cloud]"), ("adlfs", "vidinfer[cloud]")
_PACKAGES = {
    **dict.fromkeys(("s3", "s3a"), _S3),
    **dict.fromkeys(("gs", "gcs"), _GOOGLE),
    **dict.fromkeys(("az", "abfs", "abfss", "adl"), _AZURE),
    "sftp": ("paramiko", "paramiko"),
    "oci": ("ocifs", "ocifs"),
    "hdfs": ("pyarrow", "pyarrow"),
}
"""By scheme: the package, and what to install for it."""


@dataclass(frozen=True, slots=True)
class RemoteStat:
    """What a store says of an object."""

    st_size: int
    """Bytes."""
    tag: str
    """Changes with the content: the ETag, or what the store has in its place; empty where it has nothing."""


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """An object by its address; the few methods of ``pathlib.Path`` that reading needs.

    Thread rule: share freely.
    """

    url: str
    """With its scheme, ``s3://bucket/key``."""
    known: RemoteStat | None = None
    """From a listing, which spares asking again."""

    @property
    def name(self) -> str:
        """The last part of the key."""
        return PurePosixPath(self.key).name

    @property
    def key(self) -> str:
        """What stands behind the scheme: bucket and key."""
        return self.url.partition("://")[2]

    @property
    def suffix(self) -> str:
        """Of the name, with its dot."""
        return PurePosixPath(self.key).suffix

    def __str__(self) -> str:
        return shown(self.url)

    def is_dir(self) -> bool:
        """Never: prefixes are no folders."""
        return False

    def stat(self, stopped: Callable[[], bool] | None = None) -> RemoteStat:
        """As listed, else as the store says now.

        Raises:
            SourceError: not there, no permission, no answer.
            Interrupted: ``stopped()`` became true.
        """
        return self.known or self.stat_now(stopped)

    def stat_now(self, stopped: Callable[[], bool] | None = None) -> RemoteStat:
        """As the store says now.

        Raises:
            SourceError, Interrupted: as ``stat``.
        """
        fs, path = filesystem(self.url)
        try:
            info = ask(self.url, fs, "info", path, stopped=stopped)
        except SourceError as error:
            raise _in_words(self.url, fs, path, error) from None
        if info.get("type") == "directory":
            raise SourceError(f"{self}: a prefix, expected an object; end it with / to take all below it")
        return _stat(info)

    def open(self, mode: str = "rb", stopped: Callable[[], bool] | None = None) -> RangeReader:
        """A reader by ranges; ``stopped()`` calls off its waits.

        Raises:
            SourceError: as ``stat``.
        """
        from vidinfer.storage.reader import RangeReader

        if mode != "rb":
            raise ValueError(f"mode {mode!r}: objects are only read")
        return RangeReader(self, stopped)


def store_of(url: str) -> str:
    """The scheme, ``s3``."""
    return url.partition("://")[0].lower()


def _made(protocol: str) -> Any:
    try:
        import fsspec
    except ImportError:
        raise UsageError(_missing(protocol)) from None
    options: dict[str, Any] = {}
    if protocol in ("s3", "s3a"):
        attempts = {"max_attempts": 2, "mode": "standard"}
        options["config_kwargs"] = {"connect_timeout": _CONNECT, "read_timeout": _READ, "retries": attempts}
    if protocol != "memory":
        options["use_listings_cache"] = False
    try:
        fs = fsspec.filesystem(protocol, **options)
    except ImportError:
        raise UsageError(_missing(protocol)) from None
    except Exception as error:
        raise storage_failure(f"{protocol}://", error) from None
    if protocol in ("s3", "s3a"):
        fs.retries = 2
    return fs


def _missing(protocol: str) -> str:
    package, install = _PACKAGES.get(protocol, ("fsspec", "fsspec"))
    return f"{protocol}://: reading from there needs the package {package}; pip install '{install}'"


def filesystem(url: str) -> tuple[Any, str]:
    """The fsspec file system of an address, and its path there.

    Raises:
        UsageError: the package for it is not installed.
        SourceError: its client cannot be made.
    """
    if "@" in url.partition("://")[2].partition("/")[0]:
        raise UsageError(
            f"{shown(url)}: credentials do not belong into an address; give them by the environment"
        )
    fs = _made(store_of(url))
    return fs, str(fs._strip_protocol(url))


def ask(
    url: str,
    fs: Any,
    method: str,
    *arguments: Any,
    longest: float = LONGEST,
    stopped: Callable[[], bool] | None = None,
    **options: Any,
) -> Any:
    """Call ``method`` of a file system and wait, but not for ever.

    Raises:
        SourceError: what the store said, or that it said nothing.
        Interrupted: ``stopped()`` became true.
    """
    try:
        if not getattr(fs, "async_impl", False):
            return getattr(fs, method)(*arguments, **options)
        future = asyncio.run_coroutine_threadsafe(getattr(fs, f"_{method}")(*arguments, **options), fs.loop)
    except Exception as error:
        raise storage_failure(url, error) from None
    return waited(url, future, longest, stopped)


def waited(url: str, future: Any, longest: float, stopped: Callable[[], bool] | None = None) -> Any:
    """The result of a call that was begun.

    Raises:
        SourceError, Interrupted: as ``ask``.
    """
    left = longest
    try:
        while True:
            try:
                return future.result(min(_SLICE, left))
            except FutureTimeout:
                if future.done():  # it ended so itself, with an error of the same name
                    raise
                left -= _SLICE
            if stopped is not None and stopped():
                raise Interrupted(f"{shown(url)}: stopped while reading")
            if left <= 0:
                raise SourceUnreachable(
                    f"{shown(url)}: no answer within {longest:g} s; check the network and the endpoint"
                )
    except Interrupted:
        raise
    except (Exception, CancelledError) as error:
        raise storage_failure(url, error) from None
    finally:
        future.cancel()


def list_remote(url: str, wanted: Callable[[str], bool]) -> list[tuple[RemoteFile, PurePosixPath]]:
    """The objects that an address stands for, sorted, with their names below the prefix that it spells out.

    Args:
        url: an object, a prefix (best with ``/`` at its end), or a pattern with ``*``, ``?``, ``[...]``, ``**``.
        wanted: tells by the name of an object whether it counts; one that is named outright always does.

    Raises:
        SourceError: nothing there, no permission, no answer.
        UsageError: the package for it is not installed.
    """
    fs, path = filesystem(url)
    if not path.strip("/") and store_of(url) != "memory":
        raise SourceError(f"{shown(url)}: no bucket; expected {store_of(url)}://BUCKET/PREFIX/")
    if not url.endswith("/"):
        found = _exactly(url, fs, path)
        if found is not None:
            return [(found, PurePosixPath(found.name))]
    if glob.has_magic(path):
        listed, fixed = ask(url, fs, "glob", path, detail=True, longest=LISTING), _fixed(path)
        nothing = "no media object matches; check the pattern"
    else:
        listed, fixed = ask(url, fs, "find", path, detail=True, longest=LISTING), path
        nothing = "no media object below it; check the name of the prefix"
    files = _wanted(listed, wanted)
    if not files:
        raise SourceError(f"{shown(url)}: {nothing}")
    scheme, root = store_of(url), fixed.strip("/")
    return [
        (RemoteFile(f"{scheme}://{name.lstrip('/')}", _stat(info)), _below(name.strip("/"), root))
        for name, info in sorted(files.items())
    ]


def _in_words(url: str, fs: Any, path: str, error: SourceError) -> SourceError:
    """S3 refuses a question about an object without words (HEAD has no body); asked for a byte, it says why."""
    if type(error) is not SourceError:
        return error
    try:
        ask(url, fs, "cat_file", path, start=0, end=1)
    except SourceError as said:
        return said if isinstance(said, SourceRefused) else error
    return error


def _exactly(url: str, fs: Any, path: str) -> RemoteFile | None:
    """The object of just this name; a prefix or a pattern is none."""
    try:
        info = ask(url, fs, "info", path)
    except SourceError as error:
        if type(error) is SourceError:  # not there, as opposed to refused or unreachable
            return None
        raise
    if info.get("type") == "directory":
        return None
    return RemoteFile(url, _stat(info))


def _wanted(listed: Mapping[str, Any], wanted: Callable[[str], bool]) -> dict[str, Any]:
    return {
        name: info
        for name, info in listed.items()
        if info.get("type") != "directory" and wanted(PurePosixPath(name).name)
    }


def _fixed(pattern: str) -> str:
    """The deepest prefix that a pattern spells out."""
    parts = pattern.split("/")
    first = next(i for i, part in enumerate(parts) if glob.has_magic(part))
    return "/".join(parts[:first])


def _below(name: str, root: str) -> PurePosixPath:
    return PurePosixPath(name.removeprefix(root).lstrip("/"))


def _stat(info: Mapping[str, Any]) -> RemoteStat:
    tag = next(
        (info[k] for k in ("ETag", "etag", "md5Hash", "crc32c", "created", "mtime") if info.get(k)), ""
    )
    return RemoteStat(int(info.get("size") or 0), str(tag).strip('"'))
