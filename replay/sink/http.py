"""One attempt over HTTP: the only place that holds the HTTP client.

Nothing here repeats a request, follows a redirect, keeps a cookie or reads a netrc file.
"""

from __future__ import annotations

import asyncio
import ssl
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, Self
from urllib.parse import urlsplit

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.http import StreamWriter
from multidict import CIMultiDict
from yarl import URL

from replay import hackle
from replay.errors import AuthError
from replay.sink.answer import Answer, Meaning, from_exception, from_status, message_of
from replay.sink.deadlines import Deadlines
from replay.sink.proxy import proxy_for

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from aiohttp.abc import AbstractStreamWriter

    from replay.settings import SinkSettings

BODY_READ_MAX: Final = 65_536  # bytes of an answer's body that are looked at
BODY_SECONDS: Final = 2.0  # how long an answer's body may take once its status is here
KEEPALIVE_SECONDS: Final = 15.0
_OK: Final = Answer(Meaning.ACCEPTED, "200", 200)
_FOREIGN: Final = (aiohttp.ClientError, OSError, TimeoutError)


class _Body(aiohttp.Payload):
    """A request body that knows whether it, and the headers sent along with it, began to leave.

    aiohttp buffers the headers and writes them together with the first bytes of the body, so
    nothing has left before `write_with_length` is called. A body that was withdrawn refuses to be
    written: what was called "not sent" cannot leave afterwards.
    """

    def __init__(self, body: bytes, on_start: Callable[[], None] | None) -> None:
        super().__init__(body, content_type=hackle.CONTENT_TYPE)
        self._body = body
        self._on_start = on_start
        self.started = False
        self.withdrawn = False
        self.veto: BaseException | None = None

    @property
    def size(self) -> int:
        """Its length in bytes."""
        return len(self._body)

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        """The body as text."""
        return self._body.decode(encoding, errors)

    async def write(self, writer: AbstractStreamWriter) -> None:
        """Write it whole."""
        await self.write_with_length(writer, self.size)

    async def write_with_length(self, writer: AbstractStreamWriter, content_length: int | None) -> None:
        """Write it whole, unless it was withdrawn, called off, or the connection is no longer clean."""
        if self.withdrawn or not _is_clean(writer):
            raise aiohttp.ClientConnectionError("nothing was written")
        if self._on_start is not None:
            try:
                self._on_start()
            except BaseException as error:
                self.veto = error
                raise
        self.started = True
        await writer.write(self._body)


def _is_clean(writer: AbstractStreamWriter) -> bool:
    """Whether a connection is open and silent: bytes that came unasked would pass for the answer."""
    protocol = writer.protocol if isinstance(writer, StreamWriter) else None
    return isinstance(protocol, ResponseHandler) and protocol.is_connected() and not protocol.should_close


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
        self._proxy = proxy_for(settings.url)
        self._deadlines = Deadlines(settings.timeout)
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        secure = urlsplit(self._settings.url).scheme == "https"
        connector = aiohttp.TCPConnector(
            limit=self._settings.concurrency,
            keepalive_timeout=KEEPALIVE_SECONDS,
            ssl=ssl.create_default_context() if secure else True,
        )
        self._session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None),
            trust_env=False,
            auto_decompress=False,
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._deadlines.close()
        if self._session is not None:
            await self._session.close()

    async def attempt(self, body: bytes, on_start: Callable[[], None] | None = None) -> Answer:
        """Send one body once and say what the answer means.

        `on_start` runs right before the first byte leaves; what it raises comes out here, and nothing
        leaves. Of the network's own nothing is raised: every failure is an Answer. Cancelled, it raises
        CancelledError, and nothing leaves that had not begun to.
        """
        if self._session is None:
            raise RuntimeError("the sink is not open")
        payload = _Body(body, on_start)
        try:
            with self._deadlines():
                response = await self._session.post(
                    self._url,
                    data=payload,
                    headers=self._headers,
                    allow_redirects=False,
                    proxy=self._proxy,
                )
        except _FOREIGN as error:
            if payload.veto is not None:
                raise payload.veto from None
            return from_exception(error, started=payload.started)
        finally:
            payload.withdrawn = True
        if not payload.started:
            response.close()
            return Answer(Meaning.NOT_ACCEPTED, "an answer came before the request", started=False)
        return await self._read(response)

    async def _read(self, response: aiohttp.ClientResponse) -> Answer:
        """The meaning of an answer whose status line is here; its body can no longer change it."""
        raw = await _body_of(response)
        status = response.status
        if status == 200:
            return _OK
        message = message_of(raw, self._settings.api_key)
        return from_status(status, response.headers.get("Retry-After"), message, datetime.now(UTC))


async def _body_of(response: aiohttp.ClientResponse) -> bytes:
    """What can be had of an answer's body; a connection that fails over it is given up."""
    content, raw = response.content, b""
    try:
        if content.is_eof():
            raw = content.read_nowait(-1)
        else:
            async with asyncio.timeout(BODY_SECONDS):
                while len(raw) < BODY_READ_MAX and (more := await content.readany()):
                    raw += more
    except _FOREIGN:
        response.close()  # the status stands
    finally:
        response.release()
    return raw[:BODY_READ_MAX]
