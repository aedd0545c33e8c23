"""The connection of a page: status, points and pictures of all streams, as fast as it shows them."""

from __future__ import annotations

import asyncio
import json
import struct
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import pytest

from tests.preview.made import (
    Run,
    eventually,
    feed,
    get,
    served,
    show_all,
    stream,
)
from vidinfer.preview import Preview


async def websocket(
    preview: Preview, use: Callable[[aiohttp.ClientWebSocketResponse], Awaitable[None]], **headers: str
) -> None:
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(f"http://127.0.0.1:{preview.port}/live", headers=headers) as connection,
        asyncio.timeout(20),
    ):
        await use(connection)


async def next_of(connection: aiohttp.ClientWebSocketResponse, kind: aiohttp.WSMsgType) -> Any:
    while True:
        message = await connection.receive()
        assert message.type in (aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY), message
        if message.type is kind:
            return message.data


def test_one_connection_brings_status_points_and_pictures_of_all_streams() -> None:
    pictures = feed(3, share=1.0)
    run = Run(*(stream(f"camera {i}") for i in range(3)))

    async def use(connection: aiohttp.ClientWebSocketResponse) -> None:
        told = json.loads(await next_of(connection, aiohttp.WSMsgType.TEXT))
        assert [one["name"] for one in told["status"]["streams"]] == ["camera 0", "camera 1", "camera 2"]
        assert len(told["points"]) >= 1
        await connection.send_json({"watch": {"0": 320, "2": 640, "77": 320}})
        eventually(lambda: pictures.watched == 2)
        show_all(pictures, 0)
        found = {
            struct.unpack_from("<HI", await next_of(connection, aiohttp.WSMsgType.BINARY))[0]
            for _ in range(2)
        }
        assert found == {0, 2}
        await connection.send_json({"watch": {}})
        eventually(lambda: pictures.watched == 0)

    with served(run, pictures) as preview:
        asyncio.run(websocket(preview, use))
        eventually(lambda: pictures.watched == 0)


def test_a_page_that_shows_slowly_gets_fewer_pictures_and_the_newest() -> None:
    pictures = feed(1, rate=1000.0, share=1.0)

    async def use(connection: aiohttp.ClientWebSocketResponse) -> None:
        await connection.send_json({"watch": {"0": 320}})
        eventually(lambda: pictures.watched == 1)
        received: list[int] = []

        def newest() -> int:
            jpeg = pictures.latest(0)
            return 0 if jpeg is None else jpeg.number

        async def receive() -> None:
            received.append(struct.unpack_from("<HI", await next_of(connection, aiohttp.WSMsgType.BINARY))[1])

        for number in range(1, 31):
            show_all(pictures, number)
            eventually(lambda n=number: newest() == n)  # type: ignore[misc]
            if number <= 2:
                await receive()  # and does not say that it was seen
        await connection.send_json({"seen": 0})
        await receive()
        assert received == [1, 2, 30]

    with served(Run(), pictures) as preview:
        asyncio.run(websocket(preview, use))


@pytest.mark.parametrize(
    "text", ["nonsense", "[]", '{"watch": 3}', '{"watch": {"x": 1}}', '{"seen": null}', "[" * 5000]
)
def test_what_is_not_understood_ends_the_connection_and_nothing_else(text: str) -> None:
    async def use(connection: aiohttp.ClientWebSocketResponse) -> None:
        await connection.send_str(text)
        while not connection.closed:
            await connection.receive()
        assert connection.close_code == 1008

    with served(Run()) as preview:
        asyncio.run(websocket(preview, use))
        assert get(preview, "/")[0] == 200


def test_a_wish_that_makes_no_difference_draws_nothing_anew() -> None:
    pictures = feed(1, share=1.0)

    async def use(connection: aiohttp.ClientWebSocketResponse) -> None:
        await connection.send_json({"watch": {"0": 400}})
        show_all(pictures, 0)
        await next_of(connection, aiohttp.WSMsgType.BINARY)
        first = pictures.latest(0)
        await connection.send_json({"watch": {"0": 470}, "seen": 0})
        await connection.send_json({"seen": 10**9})  # never shown to anybody: nothing is kept of it
        await connection.send_json({"watch": {"0": 640}})
        await next_of(connection, aiohttp.WSMsgType.BINARY)
        second = pictures.latest(0)
        assert first is not None
        assert second is not None
        assert (first.width, second.width, second.number) == (480, 640, first.number + 1)

    with served(Run(), pictures) as preview:
        asyncio.run(websocket(preview, use))


def test_scripts_of_other_sites_get_no_websocket() -> None:
    async def use(connection: aiohttp.ClientWebSocketResponse) -> None:
        raise AssertionError("connected")

    with served(Run()) as preview, pytest.raises(aiohttp.WSServerHandshakeError, match="403"):
        asyncio.run(websocket(preview, use, Origin="http://evil.example"))


def test_twenty_viewers_at_once() -> None:
    pictures = feed(2, share=1.0)

    async def look(session: aiohttp.ClientSession, preview: Preview) -> int:
        async with session.ws_connect(f"http://127.0.0.1:{preview.port}/live") as connection:
            await connection.send_json({"watch": {"0": 320, "1": 320}})
            seen = set()
            while seen != {0, 1}:
                data = await next_of(connection, aiohttp.WSMsgType.BINARY)
                seen.add(struct.unpack_from("<HI", data)[0])
                await connection.send_json({"seen": data[0]})
            return len(seen)

    async def all_of_them(preview: Preview) -> list[int]:
        async with aiohttp.ClientSession() as session, asyncio.timeout(20):
            return await asyncio.gather(*(look(session, preview) for _ in range(20)))

    with served(Run(stream(), stream("door")), pictures) as preview:
        show_all(pictures, 0)
        assert asyncio.run(all_of_them(preview)) == [2] * 20
        eventually(lambda: pictures.watched == 0)


def test_the_run_is_not_asked_by_every_viewer() -> None:
    asked: list[int] = []
    run = Run()

    def status() -> Any:
        asked.append(1)
        return run()

    async def all_of_them(preview: Preview) -> None:
        async def look(session: aiohttp.ClientSession) -> None:
            async with session.ws_connect(f"http://127.0.0.1:{preview.port}/live") as connection:
                for _ in range(3):
                    await next_of(connection, aiohttp.WSMsgType.TEXT)

        async with aiohttp.ClientSession() as session, asyncio.timeout(20):
            await asyncio.gather(*(look(session) for _ in range(10)))

    with Preview(status, feed(), port=0) as preview:
        asyncio.run(all_of_them(preview))
    assert len(asked) <= 6, "thirty texts were sent"
