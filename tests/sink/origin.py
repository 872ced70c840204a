"""A server that misbehaves as it is told: what the sink meets on a bad day, on loopback.

A raw socket server, because no proper one can send garbage. It keeps the record that a test judges
by: `requests` (all that it took in), `delivered` (the bodies it answered with a 2xx status line).
Bodies are read by their Content-Length.
"""

from __future__ import annotations

import asyncio
import re
import socket
import struct
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Self

from sink.arrivals import Arrival, Lookout

RST_ON_CLOSE = struct.pack("ii", 1, 0)  # SO_LINGER: on, for no time


@dataclass(frozen=True, slots=True)
class Request:
    """One request as it arrived; header names in lower case."""

    arrival: Arrival
    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def at(self) -> float:
        """When it was read, in monotonic seconds."""
        return self.arrival.read


@dataclass(frozen=True, slots=True)
class Reply:
    """A proper answer, `delay` seconds after the request; the connection stays open."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    delay: float = 0.0


@dataclass(frozen=True, slots=True)
class Held:
    """A reply as soon as `go` is set."""

    go: threading.Event
    reply: Reply = field(default_factory=Reply)


@dataclass(frozen=True, slots=True)
class Reset:
    """The connection is reset (RST)."""

    after_read: bool = True


@dataclass(frozen=True, slots=True)
class Eof:
    """The connection is closed (FIN) without an answer."""

    after_read: bool = True


@dataclass(frozen=True, slots=True)
class Hang:
    """Nothing for so many seconds, then the connection is closed."""

    seconds: float
    after_read: bool = True


@dataclass(frozen=True, slots=True)
class Raw:
    """These bytes, whatever they are, then the connection is closed without having said so."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Drip:
    """These bytes, one every `interval` seconds, then the connection is closed."""

    data: bytes
    interval: float


Answer = Reply | Held | Reset | Eof | Hang | Raw | Drip
Answers = Sequence[Answer] | Callable[[Request, int], Answer]


class Origin:
    """The server, from `async with` to its end.

    `answers`: a sequence consumed in order, whose last repeats; or a callable of the request and its
    number, from 0. Faults with `after_read=False` stand for a server that never took the request in:
    it leaves no trace in `requests`, though its bytes had to be drained to know which one it was.
    `port` 0 takes a free one; entering again listens on the same port, as a server that restarts.
    """

    def __init__(self, answers: Answers = (Reply(),), *, port: int = 0) -> None:
        self.answers = answers
        self.requests: list[Request] = []
        self.delivered: list[bytes] = []
        self.in_flight = 0
        self.most_in_flight = 0
        self.connections = 0
        self._port = port
        self._asked = 0
        self._open: set[asyncio.Task[None]] = set()
        self._arrived = asyncio.Condition()
        self._lookout = Lookout()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}/v1/track"

    async def until_in_flight(self, number: int) -> None:
        """Wait until so many requests have been read and not yet answered."""
        async with self._arrived:
            await self._arrived.wait_for(lambda: self.in_flight >= number)

    async def until_delivered(self, number: int) -> None:
        """Wait until so many have been delivered; it is seen when the next request arrives."""
        async with self._arrived:
            await self._arrived.wait_for(lambda: len(self.delivered) >= number)

    async def __aenter__(self) -> Self:
        await self._lookout.__aenter__()
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self._port, backlog=1024)
        self._port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in self._open:
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)
        await self._server.wait_closed()
        await self._lookout.__aexit__()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.create_task(self._converse(reader, writer))
        self._open.add(task)
        task.add_done_callback(self._open.discard)

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            # A client that goes away ends the conversation: that is no fault of this server.
            with suppress(ConnectionError, asyncio.IncompleteReadError):
                while await self._exchange(await self._read(reader), writer):
                    pass
        finally:
            writer.close()

    async def _read(self, reader: asyncio.StreamReader) -> Request:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *lines = head.rstrip("\r\n").split("\r\n")
        method, path, _ = first.split(" ")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        return Request(self._lookout.arrival(), method, path, headers, body)

    async def _exchange(self, request: Request, writer: asyncio.StreamWriter) -> bool:
        """Answer one request; whether the connection stays open."""
        answer = self._choose(request)
        if getattr(answer, "after_read", True):
            self.requests.append(request)
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            async with self._arrived:
                self._arrived.notify_all()
            await _give(answer, writer)
        finally:
            self.in_flight -= 1
        if _accepts(answer):
            self.delivered.append(request.body)
        return isinstance(answer, Reply | Held) and request.headers.get("connection", "").lower() != "close"

    def _choose(self, request: Request) -> Answer:
        number, self._asked = self._asked, self._asked + 1
        if callable(self.answers):
            return self.answers(request, number)
        return self.answers[min(number, len(self.answers) - 1)]


async def _give(answer: Answer, writer: asyncio.StreamWriter) -> None:
    match answer:
        case Reply():
            await asyncio.sleep(answer.delay)
            writer.write(_spelled(answer))
            await writer.drain()
        case Held():
            while not answer.go.is_set():  # noqa: ASYNC110 - it is set in another thread
                await asyncio.sleep(0.01)
            writer.write(_spelled(answer.reply))
            await writer.drain()
        case Raw():
            writer.write(answer.data)
            await writer.drain()
        case Drip():
            for at in range(len(answer.data)):
                await asyncio.sleep(answer.interval)
                writer.write(answer.data[at : at + 1])
                await writer.drain()
        case Hang():
            await asyncio.sleep(answer.seconds)
        case Reset():
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RST_ON_CLOSE)
            writer.transport.abort()
        case Eof():
            pass  # the conversation ends, and that closes the connection


def _spelled(reply: Reply) -> bytes:
    names = {status.value: status.phrase for status in HTTPStatus}
    headers = {"Content-Length": str(len(reply.body))} | reply.headers
    if reply.status in (204, 304):  # these never have a body, nor a length of one
        headers.pop("Content-Length")
    lines = [f"HTTP/1.1 {reply.status} {names.get(reply.status, 'Unnamed')}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + reply.body


def _accepts(answer: Answer) -> bool:
    """Whether the final status line of an answer is a 2xx; what follows it does not matter."""
    if isinstance(answer, Reply):
        return 200 <= answer.status < 300
    if isinstance(answer, Held):
        return _accepts(answer.reply)
    if isinstance(answer, Raw | Drip):
        statuses = re.findall(rb"^HTTP/1\.[01] (\d{3})(?= |\r)", answer.data, re.MULTILINE)
        return next((int(status) for status in statuses if int(status) >= 200), 0) // 100 == 2
    return False
