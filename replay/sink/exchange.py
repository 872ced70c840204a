"""One request and its response, over a kept-alive connection of aiohttp's pool.

All requests of a run differ in nothing but their body. So the address, the headers and where a connection
leads are worked out once, by aiohttp's own request, and each exchange only writes and reads: aiohttp's
session would build all of it again, and a task to write it, at half the cost of a row. Connecting, TLS,
tunnels through proxies, keeping connections and parsing responses are aiohttp's.

A request leaves in this order: a connection is there, its slot of the rate is taken, the connection is open
and silent, the request is written. Nothing is awaited between the last three.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Final, Protocol

import aiohttp
from aiohttp.hdrs import CONTENT_LENGTH
from aiohttp.http_exceptions import HttpProcessingError

from replay.sink.conversation import Conversation

if TYPE_CHECKING:
    from collections.abc import Callable

    from aiohttp.connector import Connection
    from multidict import CIMultiDict, CIMultiDictProxy
    from yarl import URL

    from replay.sink.deadlines import Deadlines

BODY_READ_MAX: Final = 65_536  # bytes of an answer's body that are looked at
BODY_SECONDS: Final = 2.0  # how long an answer's body may take once its status is here
LOST_MAX: Final = 3  # fresh connections in a row that are closed while an attempt waits for its slot
FOREIGN: Final = (aiohttp.ClientError, HttpProcessingError, OSError, TimeoutError)
"""What ends an exchange that the network or the other side broke."""

_NO_LIMIT: Final = aiohttp.ClientTimeout(total=None)
_TURNS: Final = 3  # of the loop, in which it reads what TLS says to itself


class Turn(Protocol):
    """What an attempt waits for before it leaves; what these raise comes out of the attempt."""

    async def connects(self) -> None:
        """Wait until one more connection may be opened."""

    def take(self) -> bool:
        """Take a slot of the rate if one is free now."""

    async def wait(self, still: Callable[[], bool]) -> bool:
        """Wait for a slot and take it, unless `still` says at that moment that it is of no use any more."""


class Post:
    """What all requests of a sink share: how to reach the destination, and their head up to the length.

    `timeout`: seconds after which the system, too, gives up sending what the destination does not take.
    """

    def __init__(
        self,
        connector: aiohttp.TCPConnector,
        url: URL,
        headers: CIMultiDict[str],
        proxy: URL | None,
        timeout: float = 0.0,
    ) -> None:
        loop = asyncio.get_running_loop()
        connector._factory = partial(Conversation, loop=loop, timeout=timeout)  # type: ignore[assignment]
        self._request = aiohttp.ClientRequest("POST", url, headers=headers, proxy=proxy, loop=loop)
        self._key = self._request.connection_key
        self._connector = connector
        named = ((name, value) for name, value in self._request.headers.items() if name != CONTENT_LENGTH)
        lines = (f"{name}: {value}\r\n" for name, value in named)
        head = f"POST {url.raw_path_qs} HTTP/1.1\r\n{''.join(lines)}Content-Length: "
        self._head = head.encode("ascii")

    async def idle(self) -> Connection | None:
        """A kept connection that is not in use, if there is one. This never waits."""
        return await self._connector._get(self._key, [])

    async def connect(self) -> Connection:
        """A connection that is in no other use until it is released; what goes wrong is one of FOREIGN."""
        return await self._connector.connect(self._request, [], _NO_LIMIT)

    def written(self, body: bytes) -> bytes:
        """A whole request."""
        return b"%b%d\r\n\r\n%b" % (self._head, len(body), body)


class Exchange:
    """One attempt: `started` once its request began to leave, `status` once its response came.

    `veto`: what kept the request from leaving at the last moment.
    """

    __slots__ = ("_on_start", "_turn", "headers", "raw", "started", "status", "veto")

    def __init__(self, on_start: Callable[[], None] | None, turn: Turn | None = None) -> None:
        self._on_start = on_start
        self._turn = turn
        self.started = False
        self.veto: BaseException | None = None
        self.status = 0
        self.headers: CIMultiDictProxy[str] | None = None
        self.raw = b""

    async def run(self, post: Post, body: bytes, limits: Deadlines) -> None:
        """Send the request and read its response; the response's body is cut off at a size and a time.

        `limits` holds for the connection, and again from the first byte to the status line; waiting for the
        rate counts for neither. Raises one of FOREIGN where no response came, and `veto`. Cancelled, nothing
        leaves that had not begun to.
        """
        request = post.written(body)
        connection = await post.idle()
        if connection is None or not self._leaves_at_once(conversation(connection)):
            connection = await self._ready(post, limits, connection)
        talk = conversation(connection)
        with limits():
            try:
                self._write(talk, request)
                await self._hear(talk)
                is_through = talk.transport is None or not talk.transport.get_write_buffer_size()
            except BaseException:
                if self.started:
                    talk.reset()
                connection.release()  # as good as before where nothing was written; closed where it was reset
                raise
        if not is_through:
            talk.reset()
        connection.release()  # aiohttp closes it where the response was not read to its end

    def _leaves_at_once(self, talk: Conversation) -> bool:
        """Whether the request may leave over this connection now, as most do; its slot is taken if so."""
        return talk.is_silent() and (self._turn is None or self._turn.take())

    async def _ready(self, post: Post, limits: Deadlines, connection: Connection | None) -> Connection:
        """A connection that is open and silent at this moment; the slot is taken.

        A kept connection that the server closed is replaced at no cost: nothing was sent over it.
        """
        lost = 0
        while True:
            if connection is None:
                connection = await self._connected(post, limits)
            talk = conversation(connection)
            if await self._clear(connection, talk):
                return connection
            connection.close()
            lost += talk.is_fresh
            if lost >= LOST_MAX or (talk.is_fresh and self._turn is None):
                raise aiohttp.ClientConnectionError("nothing was written")
            connection = await post.idle()

    async def _connected(self, post: Post, limits: Deadlines) -> Connection:
        if self._turn is not None:
            await self._turn.connects()
        with limits():
            return await post.connect()

    async def _clear(self, connection: Connection, talk: Conversation) -> bool:
        """Whether the request may leave over this connection now; False where the connection is of no use."""
        try:
            if not await _settled(talk):
                return False
            return self._turn is None or self._turn.take() or await self._turn.wait(talk.is_silent)
        except BaseException:
            connection.release()  # nothing was written: it is as good as before
            raise

    def _write(self, talk: Conversation, request: bytes) -> None:
        """Let the request leave, unless it is called off."""
        try:
            if self._on_start is not None:
                self._on_start()
        except BaseException as error:
            self.veto = error
            raise
        self.started = True
        talk.ask(request)

    async def _hear(self, talk: Conversation) -> None:
        """Take the response in. Its status line decides, whatever follows."""
        try:
            message, payload = await talk.read()
        except HttpProcessingError:
            if not talk.status_alone:
                raise
            self.status = talk.status_alone
            return
        self.status, self.headers = message.code, message.headers
        if payload.is_eof():
            self.raw = payload.read_nowait(-1)
        else:
            await self._read(payload)

    async def _read(self, payload: aiohttp.StreamReader) -> None:
        """What can be had of a response's body; it can no longer change what the status says."""
        try:
            async with asyncio.timeout(BODY_SECONDS):
                while len(self.raw) < BODY_READ_MAX and (more := await payload.readany()):
                    self.raw += more
        except FOREIGN:
            return


def conversation(connection: Connection) -> Conversation:
    """What is said over a connection."""
    protocol = connection.protocol
    if not isinstance(protocol, Conversation):
        raise aiohttp.ClientConnectionError("nothing was written")
    return protocol


async def _settled(talk: Conversation) -> bool:
    """Whether a connection is open and silent.

    Bytes that lie unread need not be a response: TLS hands out its tickets after the handshake. The loop
    reads them; what is left then was said to us, or is the end.
    """
    for _ in range(_TURNS):
        if talk.is_silent():
            return True
        await asyncio.sleep(0)
    return talk.is_silent()
