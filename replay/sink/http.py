"""One attempt over HTTP: what is sent where, for how long, and what its answer means.

Nothing here repeats a request, follows a redirect, keeps a cookie or reads a netrc file.
"""

from __future__ import annotations

import asyncio
import ssl
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, Self

import aiohttp
from multidict import CIMultiDict
from yarl import URL

from replay import hackle
from replay.errors import AuthError
from replay.sink.answer import Answer, Meaning, from_body, from_exception
from replay.sink.bodies import Body, read_body
from replay.sink.deadlines import Deadlines
from replay.sink.exchange import BODY_READ_MAX, FOREIGN, Exchange, Post, Turn
from replay.sink.proxy import proxy_for

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import TracebackType

    from replay.settings import SinkSettings

KEEPALIVE_SECONDS: Final = 15.0
_STATUS_OK: Final = 200
_OK: Final = Answer(Meaning.ACCEPTED, "200", _STATUS_OK)
_EMPTY: Final = Body("")


def _hear_no_lost_handshake(loop: asyncio.AbstractEventLoop) -> None:
    """Keep the loop from printing how handshakes ended that a stop has called off.

    uvloop reports each as a future "never retrieved" whenever it is collected, be it after the sink is
    closed. All else goes where it went before.
    """
    before = loop.get_exception_handler()
    if getattr(before, "hears_no_lost_handshake", False):
        return

    def handle(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        if "future" in context and "task" not in context and isinstance(context.get("exception"), OSError):
            return
        if before is None:
            loop.default_exception_handler(context)
        else:
            before(loop, context)

    handle.hears_no_lost_handshake = True  # type: ignore[attr-defined]
    loop.set_exception_handler(handle)


class HttpSink:
    """Sends bodies to the destination, one a request, over kept-alive connections.

    Raises AuthError for a key that no header can carry, DestinationError for a proxy that cannot be used.
    """

    def __init__(self, settings: SinkSettings) -> None:
        if not (settings.api_key.isascii() and settings.api_key.isprintable()):
            raise AuthError("The API key holds characters that no key has; copy it again from the dashboard.")
        self._settings = settings
        self._url = URL(settings.url)
        self._headers = CIMultiDict(
            {
                hackle.KEY_HEADER: settings.api_key,
                "Content-Type": hackle.CONTENT_TYPE,
                "User-Agent": "hackle-replay",
                "Accept": "*/*",
                "Accept-Encoding": "identity",
            }
        )
        proxy = proxy_for(settings.url)
        self._proxy = None if proxy is None else URL(proxy)
        self._connector: aiohttp.TCPConnector | None = None
        self._post: Post | None = None

    async def __aenter__(self) -> Self:
        secure = self._url.scheme == "https"
        self._connector = aiohttp.TCPConnector(
            limit=self._settings.concurrency,
            keepalive_timeout=KEEPALIVE_SECONDS,
            ssl=ssl.create_default_context() if secure else True,
        )
        self._deadlines = Deadlines(self._settings.timeout)
        self._post = Post(self._connector, self._url, self._headers, self._proxy, self._settings.timeout)
        if secure:
            _hear_no_lost_handshake(asyncio.get_running_loop())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._connector is not None:
            self._deadlines.close()
            await self._connector.close()

    async def attempt(
        self, body: bytes, on_start: Callable[[], None] | None = None, turn: Turn | None = None
    ) -> Answer:
        """Send one body once and say what the answer means.

        `turn` is waited for when a connection is there. `on_start` runs right before the first byte leaves;
        what either raises comes out here, and nothing leaves. Of the network's own nothing is raised: every
        failure is an Answer. Cancelled, it raises CancelledError, and nothing leaves that had not begun to.
        """
        if self._post is None:
            raise RuntimeError("the sink is not open")
        exchange = Exchange(on_start, turn)
        try:
            await exchange.run(self._post, body, self._deadlines)
        except FOREIGN as error:
            if exchange.veto is not None:
                raise exchange.veto from None
            if not exchange.status:
                return from_exception(error, started=exchange.started)
        return self._meaning(exchange)

    def _meaning(self, exchange: Exchange) -> Answer:
        """The meaning of an answer whose status line came."""
        headers: Mapping[str, str] = exchange.headers or {}
        body = read_body(exchange.raw[:BODY_READ_MAX], headers) if exchange.raw else _EMPTY
        if exchange.status == _STATUS_OK and not body.reports_failure:
            return _OK
        retry_after = headers.get("Retry-After")
        return from_body(exchange.status, body, retry_after, self._settings.api_key, datetime.now(UTC))
