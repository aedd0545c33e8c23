"""One S3 server for a file of tests; each takes a bucket of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.storage import s3


@pytest.fixture(scope="package")
def endpoint() -> Iterator[str]:
    with s3.server() as (address, _):
        yield address


@pytest.fixture(scope="package")
def store(endpoint: str) -> Iterator[Any]:
    """To put objects with, while the environment leads everybody to the same server."""
    with s3.using(endpoint):
        yield s3.client(endpoint)


Put = Callable[..., str]


@pytest.fixture
def put(store: Any, request: pytest.FixtureRequest) -> Put:
    """Make a bucket and put ``{key: bytes}`` into it; its name."""
    bucket = "b" + "".join(c for c in request.node.name.lower() if c.isalnum())[-50:]

    def into(objects: dict[str, bytes]) -> str:
        if not store.exists(bucket):
            store.mkdir(bucket)
        for key, data in objects.items():
            store.pipe(f"{bucket}/{key}", data)
        return bucket

    return into
