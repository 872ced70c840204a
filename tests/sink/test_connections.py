"""What becomes of kept connections, of heads, and of attempts that are given up: over real sockets."""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any

import pytest
import uvloop
from sink.blunt import BAD, OK, Blunt, answering
from sink.origin import Origin, Raw, Reply
from sink.test_http import BODY, CERTIFICATE, EMPTY, HEAD, LONG, SHORT, Wire, answers_of, sink_to

from replay.sink import Answer, HttpSink, Meaning
from replay.sink.conversation import HEAD_BYTES_MAX, HEAD_LINES_MAX, INTERIM_MAX, Conversation

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine

A, N, U, ROW = Meaning.ACCEPTED, Meaning.NOT_ACCEPTED, Meaning.UNKNOWN, Meaning.ROW_REFUSED


@pytest.fixture(params=["asyncio", "uvloop"])
def play(request: pytest.FixtureRequest) -> Callable[[Coroutine[Any, Any, Any]], Any]:
    factory = uvloop.new_event_loop if request.param == "uvloop" else asyncio.new_event_loop

    def run(story: Coroutine[Any, Any, Any]) -> Any:
        with asyncio.Runner(loop_factory=factory) as runner:
            return runner.run(story)

    return run


# Kept connections


def closing(how: Callable[[socket.socket], None]) -> Callable[[socket.socket, Blunt], None]:
    """Answer one request, and when the test says so do this to the connection."""

    def talk(connection: socket.socket, server: Blunt) -> None:
        server.read(connection)
        connection.sendall(OK)
        server.goes_on.wait()
        how(connection)
        server.done.set()

    return talk


def reset(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, bytes([1, 0, 0, 0, 0, 0, 0, 0]))
    connection.close()


@pytest.mark.parametrize("how", [socket.socket.close, reset], ids=["end", "reset"])
def test_a_kept_connection_that_the_server_closed_costs_the_row_nothing(
    play: Callable[..., Any], how: Callable[[socket.socket], None]
) -> None:
    """The server acts while the loop stands still, so that nothing but a look at the socket can tell."""

    async def story() -> tuple[list[Answer], int]:
        with Blunt(closing(how), answering(OK)) as server:
            async with sink_to(server.url) as sink:
                first = await sink.attempt(BODY)
                server.goes_on.set()
                assert server.done.wait(60)
                second = await sink.attempt(b"second")
            return [first, second], server.bodies.count(b"second")

    answers, arrived = play(story())
    assert [answer.meaning for answer in answers] == [A, A]
    assert arrived == 1


def test_late_bytes_of_an_earlier_response_are_not_the_next_rows(play: Callable[..., Any]) -> None:
    async def story() -> Answer:
        late = closing(lambda connection: connection.sendall(OK))
        with Blunt(late, answering(BAD)) as server:
            async with sink_to(server.url) as sink:
                assert (await sink.attempt(BODY)).meaning is A
                server.goes_on.set()
                assert server.done.wait(60)
                second = await sink.attempt(b"second")
            assert server.bodies == [BODY, b"second"]
            return second

    assert play(story()).meaning is ROW


@pytest.mark.parametrize("unsent", [True, False])
def test_bytes_that_come_before_the_request_was_received_are_no_response_to_it(unsent: bool) -> None:
    class Slow(Wire):
        """A wire on which what is written stays for a while."""

        def get_write_buffer_size(self) -> int:
            return len(BODY) if unsent and BODY in self.written else 0

    async def story() -> Meaning:
        talk, wire = Conversation(asyncio.get_running_loop()), Slow()
        talk.connection_made(wire)
        talk.ask(b"first")
        talk.data_received(EMPTY)
        await talk.read()
        assert talk.is_silent()
        talk.ask(BODY)
        talk.data_received(EMPTY)
        try:
            message, _ = await talk.read()
        except Exception:
            return U
        assert message.code == 200
        return A

    assert asyncio.run(story()) is (U if unsent else A)


def test_a_server_that_speaks_before_it_is_asked_is_not_sent_anything(play: Callable[..., Any]) -> None:
    spoken: list[bytes] = []

    def talk(connection: socket.socket, server: Blunt) -> None:
        connection.sendall(OK)
        server.done.set()
        spoken.append(connection.recv(1))

    async def story() -> Answer:
        with Blunt(talk) as server:
            async with sink_to(server.url) as sink:
                connecting = asyncio.ensure_future(sink.attempt(BODY, lambda: None, Late(server)))
                return await connecting

    answer = play(story())
    assert (answer.meaning, answer.started) == (N, False)
    assert set(spoken) == {b""}


class Late:
    """A turn that comes when the server has said something."""

    def __init__(self, server: Blunt) -> None:
        self._server = server

    async def connects(self) -> None:
        self._server.done.clear()

    def take(self) -> bool:
        return False

    async def wait(self, still: Callable[[], bool]) -> bool:
        await asyncio.to_thread(self._server.done.wait, 60)
        return still()


@asynccontextmanager
async def tls_origin(count: list[int]) -> AsyncIterator[str]:
    """A TLS server that answers every request, and counts connections."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        count[0] += 1
        try:
            while await reader.readuntil(b"}}"):
                writer.write(EMPTY)
        except asyncio.IncompleteReadError:
            pass
        finally:
            writer.close()

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE)
    async with await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context) as server:
        yield f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1/track"


def test_connections_are_kept_over_tls_too(play: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))

    async def story() -> int:
        count = [0]
        async with tls_origin(count) as url, sink_to(url) as sink:
            for _ in range(20):
                assert (await sink.attempt(BODY)).meaning is A
        return count[0]

    assert play(story()) == 1


def test_a_kept_tls_connection_whose_end_lies_unread_costs_the_row_nothing(
    play: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE)

    def talk(connection: socket.socket, server: Blunt) -> None:
        with context.wrap_socket(connection, server_side=True) as secure:
            server.read(secure)
            secure.sendall(OK)
            if server.connections > 1:
                secure.recv(1)
                return
            server.goes_on.wait()
            secure.setblocking(False)
            with suppress(ssl.SSLError):
                secure.unwrap()  # sends close_notify, and does not wait for the other one
            server.done.set()

    async def story() -> list[Meaning]:
        with Blunt(talk) as server:
            async with sink_to(server.url.replace("http:", "https:")) as sink:
                first = await sink.attempt(BODY)
                server.goes_on.set()
                assert server.done.wait(60)
                second = await sink.attempt(BODY)
            return [first.meaning, second.meaning]

    assert play(story()) == [A, A]


# Heads


def head_of(lines: int, size: int) -> bytes:
    """A response's head of so many header lines and bytes."""
    start = HEAD + b"Content-Length: 0\r\n"
    fill = size - len(start) - len(b"\r\n")
    each, rest = divmod(fill, lines - 1)
    assert each > len(b"A: \r\n")
    names = [b"A: " + b"x" * (each + (rest if at == 0 else 0) - 5) + b"\r\n" for at in range(lines - 1)]
    return start + b"".join(names) + b"\r\n"


@pytest.mark.parametrize(
    ("head", "meaning"),
    [
        pytest.param(head_of(2, HEAD_BYTES_MAX), A, id="one line of almost 64 KiB"),
        pytest.param(head_of(HEAD_LINES_MAX, 20_000), A, id="1,000 lines"),
        pytest.param(head_of(HEAD_LINES_MAX, HEAD_BYTES_MAX), A, id="1,000 lines of 64 KiB"),
        pytest.param(head_of(500, HEAD_BYTES_MAX + 1), A, id="more than 64 KiB"),
        pytest.param(head_of(30, 10 * HEAD_BYTES_MAX), A, id="far more than 64 KiB"),
    ],
)
def test_heads_up_to_64_kib_and_1000_lines_are_read_and_of_longer_ones_the_status_line(
    play: Callable[..., Any], head: bytes, meaning: Meaning
) -> None:
    (answer,) = play(answers_of(Origin([Raw(head)])))
    assert answer.meaning is meaning


@pytest.mark.parametrize("pieces", [1, 2, 3, 7, 1000])
def test_a_head_is_read_in_whatever_pieces_it_comes(pieces: int) -> None:
    said = b"HTTP/1.1 100 Continue\r\n\r\n" + HEAD + b"Content-Length: 5\r\n\r\nhello"

    async def story() -> None:
        talk = Conversation(asyncio.get_running_loop())
        talk.connection_made(Wire())
        talk.ask(BODY)
        step = max(1, len(said) // pieces)
        for at in range(0, len(said), step):
            talk.data_received(said[at : at + step])
        message, payload = await talk.read()
        assert (message.code, payload.read_nowait(-1)) == (200, b"hello")
        assert not talk.should_close

    asyncio.run(story())


@pytest.mark.parametrize(
    "follows",
    [
        pytest.param(b"Transfer-Encoding: chunked\r\n\r\nnonsense\r\n", id="no chunks"),
        pytest.param(b"Content-Length: 0\r\n\r\n\x00\x01 garbage", id="garbage behind it"),
        pytest.param(b"Content-Length: 2\r\n\r\nokHTTP/9 000\r\n\r\n", id="more than its length"),
        pytest.param(b"no header at all\r\n\r\n", id="no header"),
        pytest.param(b"Content-Length: many\r\n\r\n", id="no length"),
    ],
)
@pytest.mark.parametrize(("status", "meaning"), [(b"200 OK", A), (b"400 No", ROW), (b"500 No", U)])
def test_a_status_line_that_arrived_decides_whatever_follows_in_the_same_segment(
    play: Callable[..., Any], follows: bytes, status: bytes, meaning: Meaning
) -> None:
    raw = Raw(b"HTTP/1.1 " + status + b"\r\n" + follows)
    first, second = play(answers_of(Origin([raw, Reply()]), attempts=2))
    assert (first.meaning, first.status) == (meaning, int(status[:3]))
    assert second.meaning is A


@pytest.mark.parametrize(("interim", "meaning"), [(INTERIM_MAX, A), (INTERIM_MAX + 1, U)])
def test_at_most_a_hundred_interim_responses_come_before_a_response(
    play: Callable[..., Any], interim: int, meaning: Meaning
) -> None:
    said = b"HTTP/1.1 102 Processing\r\nX: y\r\n\r\n" * interim + EMPTY
    (answer,) = play(answers_of(Origin([Raw(said)])))
    assert answer.meaning is meaning


def test_endless_interim_responses_end_the_attempt(play: Callable[..., Any]) -> None:
    def talk(connection: socket.socket, server: Blunt) -> None:
        server.read(connection)
        while True:
            connection.sendall(b"HTTP/1.1 102 Processing\r\n\r\n" * 1000)

    async def story() -> Answer:
        with Blunt(talk) as server:
            async with sink_to(server.url) as sink:
                return await sink.attempt(BODY)

    answer = play(story())
    assert (answer.meaning, answer.reason) == (U, "the answer was not HTTP")


# Attempts that are given up


@pytest.mark.parametrize("way", ["timeout", "cancel"])
def test_a_request_that_is_given_up_does_not_arrive_later(play: Callable[..., Any], way: str) -> None:
    body = b"x" * 20_000_000
    arrived: list[int] = []

    def talk(connection: socket.socket, server: Blunt) -> None:
        server.goes_on.wait()
        size = 0
        try:
            while data := connection.recv(1_000_000):
                size += len(data)
        except ConnectionResetError:
            size = -1
        arrived.append(size)
        server.done.set()

    async def story() -> None:
        with Blunt(talk) as server:
            started = asyncio.Event()
            async with sink_to(server.url, SHORT if way == "timeout" else LONG) as sink:
                attempt = asyncio.ensure_future(sink.attempt(body, started.set))
                await started.wait()
                if way == "cancel":
                    attempt.cancel()
                (ended,) = await asyncio.gather(attempt, return_exceptions=True)
                assert isinstance(ended, asyncio.CancelledError) or ended.meaning is U
                await asyncio.sleep(0)
                server.goes_on.set()
                assert await asyncio.to_thread(server.done.wait, 60)

    play(story())
    assert arrived == [-1]


@pytest.mark.skipif(not hasattr(socket, "TCP_USER_TIMEOUT"), reason="the system knows no such limit")
def test_the_system_gives_up_what_is_not_received_when_the_attempt_does(play: Callable[..., Any]) -> None:
    async def story() -> None:
        async with Origin() as origin, sink_to(origin.url, LONG) as sink:
            await sink.attempt(BODY)
            limits = [
                talk.transport.get_extra_info("socket").getsockopt(
                    socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT
                )
                for talk in kept(sink)
            ]
            assert limits == [LONG * 1000]

    play(story())


def kept(sink: HttpSink) -> list[Any]:
    assert sink._connector is not None
    return [talk for pool in sink._connector._conns.values() for talk, _ in pool]


@pytest.mark.parametrize("answer", [OK, b"HTTP/1.1 400 No\r\nContent-Length: 70000\r\n\r\n" + b"x" * 70_000])
def test_a_process_that_stood_still_reads_what_arrived_before_it_gives_up(
    play: Callable[..., Any], answer: bytes
) -> None:
    sent: list[None] = []

    def talk(connection: socket.socket, server: Blunt) -> None:
        server.read(connection)
        server.goes_on.wait()
        connection.sendall(answer)
        sent.append(None)
        server.read(connection)

    async def story() -> list[Meaning]:
        with Blunt(talk) as server:
            async with sink_to(server.url, SHORT, concurrency=8) as sink:
                starts = asyncio.Queue[None]()
                attempts = [
                    asyncio.ensure_future(sink.attempt(BODY, lambda: starts.put_nowait(None)))
                    for _ in range(8)
                ]
                for _ in attempts:
                    await starts.get()
                await asyncio.sleep(0)  # by now all were written
                server.goes_on.set()
                time.sleep(2 * SHORT)  # noqa: ASYNC251 - the process stands still, past its limits
                while len(sent) < 8:
                    time.sleep(0.01)  # noqa: ASYNC251
                return [(await attempt).meaning for attempt in attempts]

    assert set(play(story())) == {A if answer is OK else ROW}
