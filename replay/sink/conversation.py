"""One connection to the destination, as aiohttp's protocol with stricter manners.

aiohttp hands a connection on as soon as it looks open, parses head and body in one go, and reads any number
of interim responses. A `Conversation` is stricter: it asks the system whether the connection is still open
and silent; it parses a head by itself, so that nothing behind it can spoil it; and what arrives before the
other side has received a byte of the request is no response to it.
"""

from __future__ import annotations

import fcntl
import os
import re
import select
import socket
import struct
import sys
import termios
from typing import TYPE_CHECKING, Any, Final

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.http_exceptions import HttpProcessingError

if TYPE_CHECKING:
    import asyncio

HEAD_BYTES_MAX: Final = 65_536
HEAD_LINES_MAX: Final = 1_000
INTERIM_MAX: Final = 100  # interim (1xx) responses before a response

_NO_LINGER: Final = struct.pack("ii", 1, 0)
_INT: Final = bytes(struct.calcsize("i"))
_END_OF_HEAD: Final = re.compile(rb"\n\r?\n")
_STATUS_LINE: Final = re.compile(rb"HTTP/1\.[01] ([2-5]\d\d)[ \r\n]")
_STATUS_BYTES: Final = 13  # of a status line, up to what follows the number
_SO_NWRITE: Final = 0x1024  # macOS: bytes that the other side has not acknowledged
_FINAL_FROM: Final = 200
_SWITCHING: Final = 101


class Conversation(ResponseHandler):
    """Requests and responses over one connection, one after the other.

    `is_fresh`: no request was written yet. `status_alone`: the status of a response whose head broke off into
    nonsense after its status line; 0 for none. `timeout`: seconds after which the system drops the connection
    if what was written is not acknowledged, 0 for its own choice.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, timeout: float = 0.0) -> None:
        super().__init__(loop)
        self._patience = max(1, round(timeout * 1000)) if timeout else 0
        self._file = -1
        self._poll = select.poll()
        self._sends_itself = False
        self._reads_head = False
        self._head_bytes = 0
        self._start = b""
        self._carried = b""
        self._interim = 0
        self._unproven = 0
        self.is_fresh = True
        self.status_alone = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the connection; the system is not to go on sending when the attempt is given up."""
        super().connection_made(transport)
        connection = transport.get_extra_info("socket")
        if connection is None:
            return
        self._file = connection.fileno()
        self._poll.register(self._file, select.POLLIN)
        self._sends_itself = transport.get_extra_info("sslcontext") is None
        if self._patience and hasattr(socket, "TCP_USER_TIMEOUT"):
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, self._patience)

    def is_silent(self) -> bool:
        """Whether it is open and nothing lies there unasked: what comes next answers what is asked."""
        if not self.is_connected() or self.should_close:
            return False
        return self._file < 0 or not self._poll.poll(0)

    def ask(self, request: bytes) -> None:
        """Write a request; `read` gives its response."""
        if (
            self.is_fresh
        ):  # one parser for all responses: what is left in it of an earlier one ends the connection
            self.set_response_params(
                read_until_eof=True,
                auto_decompress=False,
                max_line_size=HEAD_BYTES_MAX,
                max_field_size=HEAD_BYTES_MAX,
                max_headers=HEAD_LINES_MAX,
            )
        self._reads_head = True
        self._head_bytes = self._interim = 0
        self._start = self._carried = b""
        self._unproven = 0 if self.is_fresh else len(request)
        self.is_fresh = False
        assert self.transport is not None  # it is connected
        sent = self._send(request) if self._sends_itself and not self.transport.get_write_buffer_size() else 0
        if sent < len(request):
            self.transport.write(request[sent:])

    def _send(self, request: bytes) -> int:
        """Hand over to the system at once what it takes; an event loop may wait to the end of its turn.

        Meanwhile the server may close a connection that it still takes for idle.
        """
        try:
            return os.write(self._file, request)
        except OSError:
            return 0  # the transport meets the same, and reports it

    def reset(self) -> None:
        """End the connection, and drop what was written and not received: closed, it would still be sent."""
        transport = self.transport
        if transport is None:
            return
        connection = transport.get_extra_info("socket")
        if connection is not None:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
        self.abort()

    def eof_received(self) -> None:
        """The server says no more: TLS may take a while to close what is of no use any more."""
        super().eof_received()
        self.force_close()

    def data_received(self, data: bytes) -> None:
        """Take in what came: heads by themselves, then the rest."""
        if self._unproven and data and self._comes_too_early():
            self._refuse("bytes came before the request was received")
        elif self._reads_head and data:
            self._take_heads(data)
        elif data and self._is_answered():
            self.force_close()  # said unasked, on a connection that is now of no use
        else:
            _take_in(self, data)
            self._pass_error_on()

    def feed_data(self, data: Any, size: int = 0) -> None:
        """A response is here, parsed up to its body; interim ones are only counted."""
        if self._exception is not None:
            return
        code = data[0].code
        if code >= _FINAL_FROM or code == _SWITCHING:
            self._reads_head = False
            _queue(self, data, size)
            return
        self._head_bytes, self._start = 0, b""
        self._interim += 1
        if self._interim > INTERIM_MAX:
            self._refuse(f"more than {INTERIM_MAX} interim responses")

    def _comes_too_early(self) -> bool:
        """Whether not a byte of the request has been acknowledged: then this was said before it.

        A response travels with the acknowledgement of what it answers, or behind it.
        """
        size, self._unproven = self._unproven, 0
        transport = self.transport
        if transport is None or transport.is_closing():
            return False
        return transport.get_write_buffer_size() + self._unacknowledged(transport) >= size

    def _unacknowledged(self, transport: asyncio.Transport) -> int:
        """Bytes that the system was given and the other side's has not confirmed."""
        if self._file < 0:
            return 0
        if sys.platform == "darwin":
            count: int = transport.get_extra_info("socket").getsockopt(socket.SOL_SOCKET, _SO_NWRITE)
            return count
        return int.from_bytes(fcntl.ioctl(self._file, termios.TIOCOUTQ, _INT), sys.byteorder)

    def _of_head(self, data: bytes) -> int:
        """How many of these bytes belong to the head that is being read."""
        carried = self._carried
        found = _END_OF_HEAD.search(carried + data)
        if found is None:
            self._carried = (carried + data)[-2:]
            return len(data)
        self._carried = b""
        return found.end() - len(carried)

    def _is_answered(self) -> bool:
        """Whether the response to the last request is here, to its end."""
        if self.is_fresh or self._reads_head:
            return False
        return self._payload is None or self._payload.is_eof()

    def _take_heads(self, data: bytes) -> None:
        """Parse the heads that these bytes begin with, each by itself, and then what follows them."""
        while data and self._reads_head:
            end = self._of_head(data)
            self._take_head(data[:end])
            if self._exception is not None:
                return
            data = data[end:]
        if data:
            self.data_received(data)

    def _take_head(self, piece: bytes) -> None:
        self._head_bytes += len(piece)
        if len(self._start) < _STATUS_BYTES:
            self._start = (self._start + piece).lstrip(b"\r\n")[:_STATUS_BYTES]
        if self._head_bytes > HEAD_BYTES_MAX:
            self._refuse("the head is too long")
        else:
            _take_in(self, piece)
        if self._exception is not None and (found := _STATUS_LINE.match(self._start)):
            self.status_alone = int(found[1])

    def _pass_error_on(self) -> None:
        """Let who reads a body know that it broke: aiohttp tells only who waits for a response."""
        payload = self._payload
        if self._exception is not None and payload is not None and not payload.is_eof():
            payload.set_exception(aiohttp.ClientPayloadError("the body is not HTTP"))

    def _refuse(self, why: str) -> None:
        self.set_exception(HttpProcessingError(message=why))
        if self.transport is not None:
            self.transport.abort()


_take_in: Final = ResponseHandler.data_received  # what runs for each response does without super()
_queue: Final = ResponseHandler.feed_data
