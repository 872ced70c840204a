"""What a sender does to a sandbox, and the time that passes as a test tells it to."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

import aiohttp

from replay.sandbox import Sandbox, SandboxSettings

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

T = TypeVar("T")
VALID = b'{"event": {"key": "purchase"}, "user": {"userId": "1"}}'
HEADERS = {"X-HACKLE-API-KEY": "sandbox", "Content-Type": "application/json"}


class Client:
    """What a sender does to a sandbox, answers kept in short: (status, headers, body)."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self.session = session
        self.url = url
        self.port = urlsplit(url).port

    async def ask(
        self, method: str = "POST", *, path: str = "/v1/track", **request: Any
    ) -> tuple[int, dict[str, str], bytes]:
        url = self.url.replace("/v1/track", path)
        async with self.session.request(method, url, **({"headers": HEADERS} | request)) as answer:
            return answer.status, dict(answer.headers), await answer.read()

    async def post(self, body: bytes = VALID, **request: Any) -> int:
        return (await self.ask(data=body, **request))[0]

    async def post_all(self, bodies: Iterable[bytes]) -> list[int]:
        return [await self.post(body) for body in bodies]


class Sleep:
    """A sleep that takes no time and remembers for how long it was asked."""

    def __init__(self) -> None:
        self.asked: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.asked.append(seconds)
        await asyncio.sleep(0)


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def settings(**chosen: Any) -> SandboxSettings:
    return SandboxSettings(**({"port": 0} | chosen))


def play(sandbox: Sandbox, story: Callable[[Client], Awaitable[T]]) -> T:
    async def scene() -> T:
        async with sandbox, aiohttp.ClientSession() as session:
            return await story(Client(session, sandbox.url))

    return asyncio.run(scene())
