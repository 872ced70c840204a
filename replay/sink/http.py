"""One attempt over HTTP: the only place that holds the HTTP client.

Nothing here repeats a request, follows a redirect, keeps a cookie or reads a netrc file.
"""

from __future__ import annotations

import asyncio
import re
import ssl
import urllib.request
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, Self
from urllib.parse import urlsplit

import aiohttp
import msgspec

from replay import hackle
from replay.sink.answer import MESSAGE_MAX, Answer, Meaning, from_exception, from_status

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from aiohttp.abc import AbstractStreamWriter

    from replay.settings import SinkSettings

BODY_READ_MAX: Final = 65_536  # bytes of an answer's body that are looked at
BODY_SECONDS: Final = 2.0  # how long an answer's body may take once its status is here
KEEPALIVE_SECONDS: Final = 15.0
_OK: Final = Answer(Meaning.ACCEPTED, "200", 200)
_TERMINAL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]+")


class _Body(aiohttp.BytesPayload):
    """A request body that knows whether it, and the headers sent along with it, began to leave.

    aiohttp buffers the headers and writes them together with the first bytes of the body, so
    nothing has left before `write_with_length` is called. A body that was withdrawn refuses to be
    written: what was called "not sent" cannot leave afterwards.
    """

    started = False
    withdrawn = False
    on_start: Callable[[], None] | None = None

    async def write_with_length(self, writer: AbstractStreamWriter, content_length: int | None) -> None:
        if self.withdrawn:
            raise aiohttp.ClientConnectionError("withdrawn before it was written")
        if self.on_start is not None:
            self.on_start()
        self.started = True
        await writer.write(self._value)


class HttpSink:
    """Sends bodies to the destination, one a request, over kept-alive connections."""

    def __init__(self, settings: SinkSettings) -> None:
        self._settings = settings
        self._headers = {
            hackle.KEY_HEADER: settings.api_key,
            "Content-Type": hackle.CONTENT_TYPE,
            "User-Agent": "hackle-replay",
        }
        self._timeout = aiohttp.ClientTimeout(total=None)
        self._proxy = proxy_for(settings.url)
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
            timeout=self._timeout,
            trust_env=False,
            auto_decompress=False,
            skip_auto_headers=("Accept", "Accept-Encoding"),
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()

    async def attempt(self, body: bytes, on_start: Callable[[], None] | None = None) -> Answer:
        """Send one body once and say what the answer means; `on_start` runs before its first byte leaves.

        Raises nothing of the network's: every failure is an Answer. Cancelled, it says so by
        raising CancelledError.
        """
        payload = _Body(body)
        payload.on_start = on_start
        try:
            async with asyncio.timeout(self._settings.timeout):
                response = await self._post(payload)
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            payload.withdrawn = True
            return from_exception(error, started=payload.started)
        return await _read(response)

    async def _post(self, payload: _Body) -> aiohttp.ClientResponse:
        if self._session is None:
            raise RuntimeError("the sink is not open")
        return await self._session.post(
            self._settings.url,
            data=payload,
            headers=self._headers,
            allow_redirects=False,
            proxy=self._proxy,
        )


async def _read(response: aiohttp.ClientResponse) -> Answer:
    """The meaning of an answer whose status line is here; its body can no longer change it."""
    content, raw = response.content, b""
    try:
        if content.is_eof():
            raw = content.read_nowait(-1)
        else:
            async with asyncio.timeout(BODY_SECONDS):
                while len(raw) < BODY_READ_MAX and (more := await content.readany()):
                    raw += more
    except (aiohttp.ClientError, OSError, TimeoutError, ValueError):
        response.close()  # the status stands; only this connection is given up
    finally:
        response.release()
    status = response.status
    if status == 200:
        return _OK
    message = message_of(raw[:BODY_READ_MAX])
    return from_status(status, response.headers.get("Retry-After"), message, datetime.now(UTC))


def message_of(raw: bytes) -> str:
    """What the body of an answer says for people: its `message`, else its text, cleaned and cut short."""
    text = raw.decode("utf-8", errors="replace")
    try:
        document: Any = msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        document = None
    if isinstance(document, dict) and isinstance(document.get("message"), str):
        text = document["message"]
    return _TERMINAL.sub(" ", text).strip()[:MESSAGE_MAX]


def proxy_for(url: str) -> str | None:
    """The proxy that the environment names for an address; never one for plain http, which is loopback's."""
    parts = urlsplit(url)
    if parts.scheme != "https" or urllib.request.proxy_bypass(parts.hostname or ""):
        return None
    proxies = urllib.request.getproxies()
    return proxies.get("https") or proxies.get("all")
