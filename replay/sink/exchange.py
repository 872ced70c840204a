"""One request and its answer, over a kept-alive connection of aiohttp's pool.

All requests of a run differ in nothing but their body. So the address, the headers and where a connection
leads are worked out once, by aiohttp's own request, and each exchange only writes and reads: aiohttp's
session would build all of it anew, and a task to write it, at half the cost of a row. Connecting, TLS,
tunnels through proxies, keeping connections and parsing answers are aiohttp's.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

import aiohttp
from aiohttp.hdrs import CONTENT_LENGTH
from aiohttp.http_exceptions import HttpProcessingError

if TYPE_CHECKING:
    from collections.abc import Callable

    from aiohttp.client_proto import ResponseHandler
    from aiohttp.connector import Connection
    from multidict import CIMultiDict, CIMultiDictProxy
    from yarl import URL

BODY_READ_MAX: Final = 65_536  # bytes of an answer's body that are looked at
BODY_SECONDS: Final = 2.0  # how long an answer's body may take once its status is here
FOREIGN: Final = (aiohttp.ClientError, HttpProcessingError, OSError, TimeoutError)
"""What ends an exchange that the network or the other side broke."""

_NO_LIMIT: Final = aiohttp.ClientTimeout(total=None)
_FINAL_FROM: Final = 200
_SWITCHING: Final = 101


class Post:
    """What all requests of a sink share: how to reach the destination, and their head up to the length."""

    def __init__(
        self,
        connector: aiohttp.TCPConnector,
        url: URL,
        headers: CIMultiDict[str],
        proxy: URL | None,
    ) -> None:
        loop = asyncio.get_running_loop()
        self._request = aiohttp.ClientRequest("POST", url, headers=headers, proxy=proxy, loop=loop)
        self._connector = connector
        named = ((name, value) for name, value in self._request.headers.items() if name != CONTENT_LENGTH)
        lines = (f"{name}: {value}\r\n" for name, value in named)
        head = f"POST {url.raw_path_qs} HTTP/1.1\r\n{''.join(lines)}Content-Length: "
        self._head = head.encode("ascii")

    async def connect(self) -> Connection:
        """A connection that nobody else uses until it is released; what goes wrong is one of FOREIGN."""
        return await self._connector.connect(self._request, [], _NO_LIMIT)

    def written(self, body: bytes) -> bytes:
        """A whole request."""
        return b"%b%d\r\n\r\n%b" % (self._head, len(body), body)


class Exchange:
    """One attempt: `started` once its request began to leave, `status` once its answer did come.

    `veto`: what kept the request from leaving at the last moment.
    """

    __slots__ = ("_on_start", "headers", "raw", "started", "status", "veto")

    def __init__(self, on_start: Callable[[], None] | None) -> None:
        self._on_start = on_start
        self.started = False
        self.veto: BaseException | None = None
        self.status = 0
        self.headers: CIMultiDictProxy[str] | None = None
        self.raw = b""

    async def run(self, post: Post, body: bytes) -> None:
        """Send the request and take its answer in; the answer's body is cut off at a size and a time.

        Raises one of FOREIGN where no answer came, and `veto`. Cancelled, nothing leaves that had not begun
        to.
        """
        connection = await post.connect()
        try:
            protocol = self._write(connection, post.written(body))
            message, payload = await protocol.read()
            while message.code < _FINAL_FROM and message.code != _SWITCHING:
                message, payload = await protocol.read()
            self.status, self.headers = message.code, message.headers
            if payload.is_eof():
                self.raw = payload.read_nowait(-1)
            else:
                await self._read(payload)
            is_through = protocol.transport is None or not protocol.transport.get_write_buffer_size()
        except BaseException:
            connection.close()
            raise
        if is_through:
            connection.release()  # aiohttp closes it where the answer was not read to its end
        else:
            connection.close()

    def _write(self, connection: Connection, request: bytes) -> ResponseHandler:
        """Let the request leave, unless the connection is no longer open and silent, or it is called off.

        Bytes that came unasked would pass for the answer. Nothing is awaited between the look and the write.
        """
        protocol = connection.protocol
        if protocol is None or not protocol.is_connected() or protocol.should_close:
            raise aiohttp.ClientConnectionError("nothing was written")
        transport = protocol.transport
        assert transport is not None  # it is connected
        try:
            if self._on_start is not None:
                self._on_start()
        except BaseException as error:
            self.veto = error
            raise
        protocol.set_response_params(read_until_eof=True, auto_decompress=False)
        self.started = True
        transport.write(request)
        return protocol

    async def _read(self, payload: aiohttp.StreamReader) -> None:
        """What can be had of an answer's body; it can no longer change what the status says."""
        try:
            async with asyncio.timeout(BODY_SECONDS):
                while len(self.raw) < BODY_READ_MAX and (more := await payload.readany()):
                    self.raw += more
        except FOREIGN:
            return
