"""The misbehaving server does what it is told, so that a test can believe it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
from sink.origin import Answer, Drip, Eof, Hang, Origin, Raw, Reply, Request, Reset

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


class Client:
    """One connection to an origin, a request at a time."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @classmethod
    async def to(cls, origin: Origin) -> Client:
        address = urlsplit(origin.url)
        return cls(*await asyncio.open_connection(address.hostname, address.port))

    def send(self, body: bytes, head: str = "") -> None:
        lines = f"POST /v1/track HTTP/1.1\r\nX-Key: abc\r\nContent-Length: {len(body)}\r\n{head}\r\n"
        self.writer.write(lines.encode() + body)

    async def head(self) -> bytes:
        return await self.reader.readuntil(b"\r\n\r\n")

    async def rest(self) -> bytes:
        return await self.reader.read()

    def close(self) -> None:
        self.writer.close()


def run(origin: Origin, story: Callable[[Client], Awaitable[None]]) -> None:
    async def play() -> None:
        async with origin:
            client = await Client.to(origin)
            await story(client)
            client.close()

    asyncio.run(play())


async def ask_and_read_all(client: Client) -> None:
    client.send(b"one")
    assert await client.rest() == b""


def test_a_request_is_recorded_as_it_arrived() -> None:
    async def story(client: Client) -> None:
        client.send(b'{"a": 1}')
        assert await client.head() == OK

    origin = Origin()
    run(origin, story)
    (request,) = origin.requests
    assert (request.method, request.path, request.body) == ("POST", "/v1/track", b'{"a": 1}')
    assert request.headers == {"x-key": "abc", "content-length": "8"}
    assert origin.delivered == [b'{"a": 1}']


def test_a_list_of_answers_is_given_in_order_on_one_connection_and_the_last_repeats() -> None:
    statuses: list[bytes] = []

    async def story(client: Client) -> None:
        for body in (b"a", b"b", b"c"):
            client.send(body)
            statuses.append((await client.head()).split(b"\r\n")[0])

    origin = Origin([Reply(503, {"Retry-After": "2"}), Reply(200)])
    run(origin, story)
    assert statuses == [b"HTTP/1.1 503 Service Unavailable", b"HTTP/1.1 200 OK", b"HTTP/1.1 200 OK"]
    assert origin.delivered == [b"b", b"c"]
    assert origin.connections == 1


def test_a_callable_answers_by_what_was_asked_and_its_number() -> None:
    seen: list[tuple[bytes, int]] = []

    def answer(request: Request, number: int) -> Answer:
        seen.append((request.body, number))
        return Reply(400, body=b"no") if request.body == b"bad" else Reply()

    async def story(client: Client) -> None:
        client.send(b"good")
        assert await client.head() == OK
        client.send(b"bad")
        assert b"Content-Length: 2" in await client.head()
        assert await client.reader.readexactly(2) == b"no"

    origin = Origin(answer)
    run(origin, story)
    assert seen == [(b"good", 0), (b"bad", 1)]
    assert origin.delivered == [b"good"]


@pytest.mark.parametrize("after_read", [True, False])
def test_a_reset_reaches_the_client_and_is_recorded_only_after_the_read(after_read: bool) -> None:
    async def story(client: Client) -> None:
        client.send(b"one")
        with pytest.raises(ConnectionResetError):
            await client.rest()

    origin = Origin([Reset(after_read)])
    run(origin, story)
    assert len(origin.requests) == after_read
    assert origin.delivered == []


@pytest.mark.parametrize("after_read", [True, False])
@pytest.mark.parametrize("fault", [Eof, lambda after_read: Hang(0.0, after_read)])
def test_an_end_without_an_answer_is_recorded_only_after_the_read(
    fault: Callable[[bool], Answer], after_read: bool
) -> None:
    origin = Origin([fault(after_read)])
    run(origin, ask_and_read_all)
    assert len(origin.requests) == after_read


def test_leaving_the_server_ends_what_hangs() -> None:
    async def play() -> None:
        async with Origin([Hang(3600)]) as origin:
            client = await Client.to(origin)
            client.send(b"one")
            await origin.until_in_flight(1)
        assert await client.rest() == b""
        client.close()
        assert origin.in_flight == 0

    asyncio.run(play())


@pytest.mark.parametrize(
    ("data", "accepted"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\ncut", True),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nnonsense\r\n", True),
        (b"HTTP/1.1 100 Continue\r\n\r\n" + OK, True),
        (b"HTTP/1.1 503 Busy\r\n\r\n", False),
        (b"HTTP/1.1 2OO garbage\r\n\r\n", False),
        (b"SSH-2.0-OpenSSH\r\n", False),
        (OK[:-2] + b"X-Big: " + b"x" * 100_000 + b"\r\n\r\n", True),
    ],
)
def test_raw_bytes_go_out_as_they_are_and_count_as_delivered_by_their_status_line(
    data: bytes, accepted: bool
) -> None:
    async def story(client: Client) -> None:
        client.send(b"one")
        assert await client.rest() == data

    origin = Origin([Raw(data)])
    run(origin, story)
    assert origin.delivered == [b"one"] * accepted


def test_dripped_bytes_all_arrive() -> None:
    async def story(client: Client) -> None:
        client.send(b"one")
        assert await client.rest() == OK

    origin = Origin([Drip(OK, 0.0)])
    run(origin, story)
    assert origin.delivered == [b"one"]


def test_an_answer_of_204_has_no_body_and_no_length() -> None:
    async def story(client: Client) -> None:
        client.send(b"one")
        assert await client.head() == b"HTTP/1.1 204 No Content\r\n\r\n"

    run(Origin([Reply(204)]), story)


def test_the_most_requests_in_flight_are_counted() -> None:
    async def play() -> None:
        async with Origin([Hang(3600)]) as origin:
            clients = [await Client.to(origin) for _ in range(3)]
            for client in clients:
                client.send(b"one")
            await origin.until_in_flight(3)
        assert origin.most_in_flight == 3
        assert origin.in_flight == 0
        for client in clients:
            client.close()

    asyncio.run(play())


def test_a_client_that_asks_to_close_is_let_go() -> None:
    async def story(client: Client) -> None:
        client.send(b"one", "Connection: close\r\n")
        assert await client.rest() == OK

    run(Origin(), story)


def test_a_server_that_restarts_listens_on_the_same_port() -> None:
    async def play() -> None:
        origin = Origin()
        async with origin:
            before = origin.url
        async with origin:
            assert origin.url == before
            client = await Client.to(origin)
            client.send(b"again")
            assert await client.head() == OK
            client.close()
        assert origin.delivered == [b"again"]

    asyncio.run(play())
