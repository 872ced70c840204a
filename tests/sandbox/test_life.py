"""The sandbox starts, listens, stops, and refuses settings that make no sense."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from sandbox.client import Client, play, settings

from replay.errors import UsageError
from replay.sandbox import Fail, Sandbox, SandboxSettings

if TYPE_CHECKING:
    from pathlib import Path


def test_it_serves_until_it_is_told_to_stop_and_then_frees_its_port() -> None:
    async def scene() -> None:
        stop = asyncio.Event()
        async with Sandbox(settings()) as sandbox, aiohttp.ClientSession() as session:
            serving = asyncio.create_task(sandbox.serve_until(stop))
            assert await Client(session, sandbox.url).post() == 200
            assert not serving.done()
            stop.set()
            await serving
        with pytest.raises(aiohttp.ClientConnectorError):
            async with aiohttp.ClientSession() as session:
                await Client(session, sandbox.url).post()

    asyncio.run(scene())


def test_it_listens_on_loopback_alone() -> None:
    sandbox = Sandbox(settings())

    async def story(client: Client) -> None:
        assert client.url.startswith("http://127.0.0.1:")
        with socket.socket() as other, pytest.raises(ConnectionRefusedError):
            other.connect(("127.0.0.2", client.port))

    play(sandbox, story)


def test_a_port_in_use_is_refused_in_words_and_leaves_nothing_open(tmp_path: Path) -> None:
    accepted = tmp_path / "accepted.jsonl"
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(UsageError, match=rf"--port {port}: another program listens there"):
            play(Sandbox(SandboxSettings(port=port, accepted=accepted)), Client.post)


@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        ({"port": -1}, "--port -1"),
        ({"port": 65_536}, "--port 65536"),
        ({"key": ""}, "--key"),
        ({"key": " a"}, "--key"),
        ({"key": "a\nb"}, "--key"),
        ({"latency": -1.0}, "--latency -1"),
        ({"latency": float("nan")}, "--latency nan"),
        ({"rate_limit": 0.0}, "--rate-limit 0"),
        ({"rate_limit": float("inf")}, "--rate-limit inf"),
        ({"fail": (Fail(503, 0.6), Fail(500, 0.5))}, "more than 100%"),
    ],
)
def test_a_setting_that_makes_no_sense_is_refused_by_its_name(chosen: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        SandboxSettings(**chosen)


def test_a_failure_is_spelled_as_a_status_and_a_share() -> None:
    assert Fail.parse("503=5%") == Fail(503, 0.05)
    assert Fail.parse("429=0.5%") == Fail(429, 0.005)


@pytest.mark.parametrize(
    "text", ["503", "503=5", "5%", "200=5%", "600=5%", "503=101%", "503=-1%", "x=5%", ""]
)
def test_a_failure_spelled_otherwise_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="--fail"):
        Fail.parse(text)
