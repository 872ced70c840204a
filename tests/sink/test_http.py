"""Every fault alone, over real sockets: what it means, and how often the server saw the request."""

from __future__ import annotations

import asyncio
import socket
import ssl
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
import uvloop
from aiohttp.connector import Connection
from multidict import CIMultiDict
from sink.origin import Drip, Eof, Hang, Origin, Raw, Reply, Request, Reset
from yarl import URL

from replay.errors import AuthError, StorageError
from replay.settings import SinkSettings
from replay.sink import Answer, HttpSink, Meaning
from replay.sink.conversation import Conversation
from replay.sink.deadlines import Deadlines
from replay.sink.exchange import Exchange, Post

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine

    from sink.origin import Answer as Fault

KEY = "s3cret-key"
BODY = '{"event": {"key": "구매"}, "user": {"userId": "\\u0001"}}'.encode()
SHORT = 0.25  # seconds for one attempt where it is meant to run out
LONG = 300.0  # seconds for one attempt where it is not
HEAD = b"HTTP/1.1 200 OK\r\n"
EMPTY = HEAD + b"Content-Length: 0\r\n\r\n"
OTHER = {"Location": "http://127.0.0.1:9/elsewhere"}


@pytest.fixture(params=["asyncio", "uvloop"])
def play(request: pytest.FixtureRequest) -> Callable[[Coroutine[Any, Any, Any]], Any]:
    factory = uvloop.new_event_loop if request.param == "uvloop" else asyncio.new_event_loop

    def run(story: Coroutine[Any, Any, Any]) -> Any:
        with asyncio.Runner(loop_factory=factory) as runner:
            return runner.run(story)

    return run


def sink_to(url: str, timeout: float = LONG, concurrency: int = 4) -> HttpSink:
    return HttpSink(SinkSettings(url=url, api_key=KEY, timeout=timeout, concurrency=concurrency))


async def answers_of(origin: Origin, attempts: int = 1, seconds: float = LONG) -> list[Answer]:
    async with origin, sink_to(origin.url, seconds) as sink:
        return [await sink.attempt(BODY) for _ in range(attempts)]


@asynccontextmanager
async def listening(
    serve: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Coroutine[Any, Any, None]],
    context: ssl.SSLContext | None = None,
) -> AsyncIterator[int]:
    """A server of our own on a free port; at its end every conversation has ended."""
    talks: list[asyncio.Task[None]] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await serve(reader, writer)
            with suppress(ConnectionError):  # the client may be gone by now
                await writer.drain()
        finally:
            writer.close()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        talks.append(asyncio.ensure_future(talk(reader, writer)))

    server = await asyncio.start_server(accept, "127.0.0.1", 0, ssl=context)
    async with server:
        yield server.sockets[0].getsockname()[1]
        await asyncio.gather(*talks)


A, N, U, ROW, RUN = (
    Meaning.ACCEPTED,
    Meaning.NOT_ACCEPTED,
    Meaning.UNKNOWN,
    Meaning.ROW_REFUSED,
    Meaning.RUN_REFUSED,
)
DATE = "Fri, 31 Dec 2100 23:59:59 GMT"


@pytest.mark.parametrize(
    ("fault", "timeout", "meaning", "status"),
    [
        pytest.param(Reset(after_read=False), LONG, U, None, id="reset before it was read"),
        pytest.param(Reset(), LONG, U, None, id="reset after it was read"),
        pytest.param(Eof(after_read=False), LONG, U, None, id="end before it was read"),
        pytest.param(Eof(), LONG, U, None, id="end after it was read"),
        pytest.param(Hang(60, after_read=False), SHORT, U, None, id="hang before it was read"),
        pytest.param(Hang(60), SHORT, U, None, id="hang after it was read"),
        pytest.param(Drip(EMPTY, 0.2), SHORT, U, None, id="status line too slow"),
        pytest.param(Drip(EMPTY, 0.001), LONG, A, 200, id="slow drip in time"),
        pytest.param(Raw(b"SSH-2.0-OpenSSH_9.6\r\n"), LONG, U, None, id="another protocol"),
        pytest.param(Raw(b"HTTP/1.1 2OO OK\r\n\r\n"), LONG, U, None, id="garbage status line"),
        pytest.param(Raw(b"HTTP/1.1 20"), LONG, U, None, id="status line cut"),
        pytest.param(Raw(HEAD + b"Content-Le"), LONG, U, None, id="header cut"),
        pytest.param(
            Raw(HEAD + b"X-Big: " + b"x" * 100_000 + b"\r\n\r\n"), LONG, A, 200, id="oversized header"
        ),
        pytest.param(Raw(HEAD + b"Content-Length: 9\r\n\r\ncut"), LONG, A, 200, id="body cut after 200"),
        pytest.param(
            Raw(HEAD + b"Transfer-Encoding: chunked\r\n\r\n9\r\ncut"), LONG, A, 200, id="chunk cut after 200"
        ),
        pytest.param(
            Raw(
                HEAD[:-2].replace(b"200 OK", b"400 No") + b"\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nworse"
            ),
            LONG,
            ROW,
            400,
            id="body cut after 400",
        ),
        pytest.param(Raw(b"HTTP/1.1 100 Continue\r\n\r\n" + EMPTY), LONG, A, 200, id="100 before 200"),
        pytest.param(Raw(b"HTTP/1.0 200 OK\r\n\r\nuntil the end"), LONG, A, 200, id="HTTP/1.0"),
        pytest.param(Reply(204), LONG, A, 204, id="204"),
        pytest.param(Reply(301, OTHER), LONG, RUN, 301, id="301"),
        pytest.param(Reply(302, OTHER), LONG, RUN, 302, id="302"),
        pytest.param(Reply(307, OTHER), LONG, RUN, 307, id="307"),
        pytest.param(Reply(308, OTHER), LONG, RUN, 308, id="308"),
        pytest.param(Reply(400), LONG, ROW, 400, id="400"),
        pytest.param(Reply(401), LONG, RUN, 401, id="401"),
        pytest.param(Reply(408), LONG, N, 408, id="408"),
        pytest.param(Reply(413), LONG, ROW, 413, id="413"),
        pytest.param(Reply(429), LONG, N, 429, id="429"),
        pytest.param(Reply(429, {"Retry-After": "soon"}), LONG, N, 429, id="429 with nonsense"),
        pytest.param(Reply(500), LONG, U, 500, id="500"),
        pytest.param(Reply(502), LONG, U, 502, id="502"),
        pytest.param(Reply(503), LONG, U, 503, id="503"),
        pytest.param(Reply(503, {"Retry-After": "3"}), LONG, N, 503, id="503 with a wait"),
        pytest.param(Reply(503, {"Retry-After": DATE}), LONG, N, 503, id="503 with a date"),
        pytest.param(Reply(504), LONG, U, 504, id="504"),
        pytest.param(
            Reply(200, {"Content-Encoding": "gzip"}, b"no gzip"), LONG, A, 200, id="a false content encoding"
        ),
        pytest.param(
            Reply(200, {"Set-Cookie": "sid=1; Path=/", "Connection": "close"}), LONG, A, 200, id="a cookie"
        ),
    ],
)
def test_each_fault_has_its_meaning_and_the_request_goes_out_once(
    play: Callable[..., Any], fault: Fault, timeout: float, meaning: Meaning, status: int | None
) -> None:
    asked: list[bytes] = []

    def answer(request: Request, number: int) -> Fault:
        asked.append(request.body)
        return fault

    (answered,) = play(answers_of(Origin(answer), seconds=timeout))
    assert (answered.meaning, answered.status, answered.started) == (meaning, status, True)
    assert asked == [BODY]
    assert KEY not in answered.reason
    assert "127.0.0.1" not in answered.reason


def test_chunked_nonsense_is_decided_by_the_status_line_if_that_came_through(
    play: Callable[..., Any],
) -> None:
    origin = Origin([Raw(HEAD + b"Transfer-Encoding: chunked\r\n\r\nnonsense\r\n")])
    (answered,) = play(answers_of(origin))
    # Parsed in one piece with its body, the whole answer may be refused: then nothing is known of it.
    assert answered.meaning in (Meaning.ACCEPTED, Meaning.UNKNOWN)
    assert len(origin.requests) == 1


def test_a_400_brings_its_message_and_a_429_its_wait() -> None:
    replies = [
        Reply(400, body=b'{"code": 3, "message": "event is required"}'),
        Reply(429, {"Retry-After": "2"}),
        Reply(401, body=f"no such key: {KEY}".encode()),
    ]
    bad, busy, denied = asyncio.run(answers_of(Origin(replies), attempts=3))
    assert bad.reason == "400 event is required"
    assert (busy.retry_after, busy.throttled) == (2.0, True)
    assert denied.reason == "401 no such key: ***"


def test_an_endless_body_is_cut_off_and_the_status_stands() -> None:
    reply = Reply(400, {"Content-Length": str(10**9)}, b"x" * 200_000)
    first, second = asyncio.run(answers_of(Origin([reply, Reply()]), attempts=2))
    assert first.meaning is Meaning.ROW_REFUSED
    assert second.meaning is Meaning.ACCEPTED


def test_a_body_that_never_comes_does_not_hold_the_row(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("replay.sink.exchange.BODY_SECONDS", 0.05)
    stuck = Reply(400, {"Content-Length": "9"}, b"half")
    first, second = asyncio.run(answers_of(Origin([stuck, Reply()]), attempts=2))
    assert (first.meaning, first.reason) == (Meaning.ROW_REFUSED, "400 half")
    assert second.meaning is Meaning.ACCEPTED


# Redirects, connections, restarts


def test_a_redirect_is_not_followed_and_the_key_is_not_carried() -> None:
    async def story(status: int) -> None:
        async with Origin() as other:
            here = Origin([Reply(status, {"Location": other.url})])
            (answered,) = await answers_of(here)
            assert (answered.meaning, answered.stopped_by) == (Meaning.RUN_REFUSED, "destination")
            assert other.connections == 0

    for status in (301, 302, 303, 307, 308):
        asyncio.run(story(status))


def test_connections_are_kept_and_used_again(play: Callable[..., Any]) -> None:
    origin = Origin()
    play(answers_of(origin, attempts=20))
    assert origin.connections == 1
    assert origin.delivered == [BODY] * 20


def test_a_server_that_restarts_while_a_connection_lies_idle_costs_no_row(play: Callable[..., Any]) -> None:
    async def story() -> None:
        origin = Origin()
        async with origin:
            url = origin.url
        async with sink_to(url) as sink:
            async with origin:
                first = await sink.attempt(BODY)
            async with origin:
                second = await sink.attempt(BODY)
        assert (first.meaning, second.meaning) == (Meaning.ACCEPTED, Meaning.ACCEPTED)
        assert origin.delivered == [BODY, BODY]

    play(story())


def test_a_stale_connection_that_ends_at_the_next_request_leaves_it_unknown(play: Callable[..., Any]) -> None:
    origin = Origin([Reply(), Eof(after_read=False), Reply()])
    first, second, third = play(answers_of(origin, attempts=3))
    assert [first.meaning, second.meaning, third.meaning] == [A, U, A]
    assert len(origin.requests) == 2


def test_an_answer_that_nobody_asked_for_is_not_taken_for_the_next_rows(play: Callable[..., Any]) -> None:
    async def story() -> None:
        released = asyncio.Event()
        seen: list[bytes] = []

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"}}")
            writer.write(EMPTY)
            await released.wait()
            writer.write(EMPTY)  # one too many, on a connection that lies idle
            seen.append(await reader.read())

        async with listening(serve) as port, sink_to(f"http://127.0.0.1:{port}/v1/track") as sink:
            first = await sink.attempt(BODY)
            released.set()
            while not _unasked(sink):  # noqa: ASYNC110  (the client says nothing of what came unasked)
                await asyncio.sleep(0)
            second = await sink.attempt(BODY)
            third = await sink.attempt(BODY)
        assert first.meaning is Meaning.ACCEPTED
        assert (second.meaning, third.meaning) == (Meaning.ACCEPTED, Meaning.ACCEPTED)
        assert seen[0] == b""

    play(story())


def _unasked(sink: HttpSink) -> bool:
    """Whether bytes have arrived on an idle connection."""
    assert sink._connector is not None
    pools = sink._connector._conns.values()
    return any(protocol.should_close for pool in pools for protocol, _ in pool)


# No connection


def test_a_refused_connection_is_known_not_to_have_sent_anything(play: Callable[..., Any]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, not listening
        port = taken.getsockname()[1]

        async def story() -> Answer:
            async with sink_to(f"http://127.0.0.1:{port}/v1/track") as sink:
                return await sink.attempt(BODY)

        answered = play(story())
    assert (answered.meaning, answered.started) == (Meaning.NOT_ACCEPTED, False)
    assert answered.reason == "no connection: Connection refused"


def test_a_connect_that_hangs_is_known_not_to_have_sent_anything(play: Callable[..., Any]) -> None:
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        port = full.getsockname()[1]
        waiting = [socket.socket() for _ in range(4)]  # more than the backlog takes
        for connection in waiting:
            connection.setblocking(False)
            connection.connect_ex(("127.0.0.1", port))

        async def story() -> Answer:
            async with sink_to(f"http://127.0.0.1:{port}/v1/track", SHORT) as sink:
                return await sink.attempt(BODY)

        answered = play(story())
        for connection in waiting:
            connection.close()
    assert (answered.meaning, answered.started) == (Meaning.NOT_ACCEPTED, False)
    assert answered.reason == "no answer in time"


def test_a_host_that_has_no_address_is_known_not_to_have_taken_anything(
    play: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def lookup(*_: Any, **__: Any) -> Any:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    async def story() -> Answer:
        async with sink_to("https://nowhere.invalid/v1/track") as sink:
            monkeypatch.setattr(asyncio.get_running_loop().__class__, "getaddrinfo", lookup, raising=True)
            return await sink.attempt(BODY)

    answered = asyncio.run(story())
    assert (answered.meaning, answered.started) == (Meaning.NOT_ACCEPTED, False)
    assert answered.reason == "the host name was not found: Name or service not known"


@asynccontextmanager
async def tls_server() -> AsyncIterator[tuple[str, list[bytes]]]:
    """A server with the certificate of `localhost.pem`, which nobody trusts unless told to."""
    seen: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await reader.readuntil(b"}}"))
        writer.write(EMPTY)

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE)
    async with listening(serve, context) as port:
        yield f"https://127.0.0.1:{port}/v1/track", seen


CERTIFICATE = Path(__file__).with_name("localhost.pem")


@pytest.mark.parametrize("reply", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b""])
def test_tls_to_a_server_that_speaks_none_sends_nothing(play: Callable[..., Any], reply: bytes) -> None:
    async def story() -> Answer:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            seen.append(await reader.read(65_536))
            writer.write(reply)

        seen: list[bytes] = []
        async with listening(serve) as port, sink_to(f"https://127.0.0.1:{port}/v1/track") as sink:
            answered = await sink.attempt(BODY)
        assert KEY.encode() not in seen[0]
        return answered

    answered = play(story())
    expected = Meaning.RUN_REFUSED if reply else Meaning.NOT_ACCEPTED  # what is cut off may be an outage
    assert (answered.meaning, answered.started) == (expected, False)


def test_a_tls_handshake_that_hangs_sends_nothing(play: Callable[..., Any]) -> None:
    async def story() -> Answer:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read()

        async with listening(serve) as port, sink_to(f"https://127.0.0.1:{port}/v1/track", SHORT) as sink:
            return await sink.attempt(BODY)

    answered = play(story())
    assert (answered.meaning, answered.started) == (Meaning.NOT_ACCEPTED, False)
    assert answered.reason == "no answer in time"


def test_a_certificate_that_does_not_hold_stops_the_run_before_anything_is_sent(
    play: Callable[..., Any],
) -> None:
    async def story() -> Answer:
        async with tls_server() as (url, seen), sink_to(url) as sink:
            answered = await sink.attempt(BODY)
            assert seen == []
            return answered

    answered = play(story())
    assert (answered.meaning, answered.stopped_by) == (Meaning.RUN_REFUSED, "destination")
    assert answered.reason.startswith("the certificate does not hold: self")
    assert not answered.started


def test_a_certificate_that_the_environment_trusts_holds(
    play: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))

    async def story() -> None:
        async with tls_server() as (url, seen), sink_to(url) as sink:
            assert (await sink.attempt(BODY)).meaning is Meaning.ACCEPTED
            assert seen[0].endswith(BODY)

    play(story())


# What a request is, and is not


def test_a_request_carries_the_body_as_it_is_and_the_key_once() -> None:
    origin = Origin()
    asyncio.run(answers_of(origin, attempts=2))
    for request in origin.requests:
        assert (request.method, request.path, request.body) == ("POST", "/v1/track", BODY)
        assert request.headers == {
            "host": origin.url.split("/")[2],
            "x-hackle-api-key": KEY,
            "content-type": "application/json",
            "content-length": str(len(BODY)),
            "user-agent": "hackle-replay",
            "accept": "*/*",
            "accept-encoding": "identity",
        }


@pytest.mark.parametrize("size", [0, 1, 100_000, 3_000_000])
def test_bodies_of_any_size_arrive_whole(size: int) -> None:
    async def story() -> None:
        async with Origin() as origin, sink_to(origin.url) as sink:
            body = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
            assert (await sink.attempt(body)).meaning is Meaning.ACCEPTED
            assert origin.delivered == [body]

    asyncio.run(story())


def test_no_cookie_is_kept() -> None:
    origin = Origin([Reply(200, {"Set-Cookie": "sid=1; Path=/"})])
    asyncio.run(answers_of(origin, attempts=2))
    assert all("cookie" not in request.headers for request in origin.requests)


def test_netrc_is_never_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    netrc = tmp_path / ".netrc"
    netrc.write_text("machine 127.0.0.1 login jane password hush\ndefault login jane password hush\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(netrc))
    origin = Origin()
    asyncio.run(answers_of(origin))
    assert "authorization" not in origin.requests[0].headers


def test_plain_http_to_loopback_never_takes_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    origin = Origin()
    (answered,) = asyncio.run(answers_of(origin))
    assert answered.meaning is Meaning.ACCEPTED


def test_a_proxy_is_asked_for_a_tunnel_and_never_sees_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story() -> list[bytes]:
        heads: list[bytes] = []

        async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            heads.append(await reader.readuntil(b"\r\n\r\n"))
            writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")

        async with listening(refuse) as port:
            monkeypatch.setenv("https_proxy", f"http://jane:hush@127.0.0.1:{port}")
            monkeypatch.delenv("no_proxy", raising=False)
            monkeypatch.delenv("NO_PROXY", raising=False)
            async with sink_to("https://api.hackle.io/v1/track") as sink:
                answered = await sink.attempt(BODY)
        assert (answered.meaning, answered.stopped_by) == (Meaning.RUN_REFUSED, "auth")
        assert (answered.reason, answered.started) == ("the proxy answered 407", False)
        return heads

    (head,) = asyncio.run(story())
    assert head.startswith(b"CONNECT api.hackle.io:443 HTTP/1.1\r\n")
    assert b"Proxy-Authorization: Basic" in head
    assert KEY.encode() not in head


async def tunnel(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Connect to where the head asks for, and carry bytes both ways until either side ends."""
    head = await reader.readuntil(b"\r\n\r\n")
    host, port = head.split(b" ")[1].decode().split(":")
    there, back = await asyncio.open_connection(host, int(port))
    writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")

    async def carry(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        while data := await source.read(65_536):
            sink.write(data)
        sink.close()

    await asyncio.gather(carry(reader, back), carry(there, writer))


def test_requests_go_through_the_tunnel_of_a_proxy(
    play: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)

    async def story() -> None:
        async with tls_server() as (url, seen), listening(tunnel) as port:
            monkeypatch.setenv("https_proxy", f"http://jane:hush@127.0.0.1:{port}")
            async with sink_to(url) as sink:
                assert (await sink.attempt(BODY)).meaning is Meaning.ACCEPTED
            assert seen[0].startswith(b"POST /v1/track HTTP/1.1\r\n")
            assert seen[0].endswith(BODY)
            assert b"hush" not in seen[0]
            assert b"Proxy" not in seen[0]

    play(story())


def test_the_key_is_in_no_repr() -> None:
    settings = SinkSettings(url="http://127.0.0.1:9/v1/track", api_key=KEY)
    sink = HttpSink(settings)
    assert all(KEY not in repr(thing) for thing in (settings, sink))
    assert all(KEY not in str(thing) for thing in (settings, sink))


@pytest.mark.parametrize("key", ["two\nlines", "nul\0", "열쇠", "tab\t"])
def test_a_key_that_no_header_carries_is_refused_before_the_first_row(key: str) -> None:
    with pytest.raises(AuthError) as caught:
        HttpSink(SinkSettings(api_key=key))
    assert key not in str(caught.value)


# When a request begins to leave


def test_what_on_start_raises_comes_out_and_nothing_leaves(play: Callable[..., Any]) -> None:
    async def story() -> None:
        def fail() -> None:
            raise StorageError("the disk is full")

        async with Origin() as origin, sink_to(origin.url) as sink:
            with pytest.raises(StorageError, match="the disk is full"):
                await sink.attempt(BODY, fail)
            assert (await sink.attempt(BODY)).meaning is Meaning.ACCEPTED
            assert origin.delivered == [BODY]

    play(story())


def test_an_attempt_called_off_at_the_last_moment_is_cancelled_and_nothing_leaves(
    play: Callable[..., Any],
) -> None:
    async def story() -> None:
        def call_off() -> None:
            raise asyncio.CancelledError

        async with Origin() as origin, sink_to(origin.url) as sink:
            with pytest.raises(asyncio.CancelledError):
                await sink.attempt(BODY, call_off)
            assert (await sink.attempt(BODY)).meaning is Meaning.ACCEPTED
            assert origin.delivered == [BODY]

    play(story())


def test_an_attempt_outside_the_sinks_life_is_a_mistake_of_ours() -> None:
    with pytest.raises(RuntimeError, match="not open"):
        asyncio.run(sink_to("http://127.0.0.1:9/").attempt(BODY))


class Wire(asyncio.Transport):
    """A transport that keeps what is written to it."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.closing = False
        self.ends: Callable[[None], None] = id

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += bytes(data)

    def is_closing(self) -> bool:
        return self.closing

    def get_write_buffer_size(self) -> int:
        return 0

    def close(self) -> None:
        self.closing = True
        self.ends(None)

    def abort(self) -> None:
        self.close()


class OneWire:
    """What leads to one connection over a wire of our own."""

    def __init__(self, post: Post, connection: Connection) -> None:
        self.written = post.written
        self._connection = connection

    async def idle(self) -> None:
        return None

    async def connect(self) -> Connection:
        return self._connection


@pytest.mark.parametrize("state", ["clean", "closing", "spoken on unasked", "gone"])
def test_a_request_is_written_only_to_an_open_and_silent_connection(state: str) -> None:
    async def story() -> None:
        loop = asyncio.get_running_loop()
        protocol, wire, starts = Conversation(loop), Wire(), []
        protocol.connection_made(wire)
        wire.ends = protocol.connection_lost
        wire.closing = state == "closing"
        if state == "spoken on unasked":
            protocol.data_received(EMPTY)
        if state == "gone":
            protocol.connection_lost(None)
        async with aiohttp.TCPConnector() as connector:
            post = Post(connector, URL("http://127.0.0.1:9/v1/track"), CIMultiDict(), None)
            lone = OneWire(post, Connection(connector, post._request.connection_key, protocol, loop))
            exchange = Exchange(lambda: starts.append(1))
            running = asyncio.ensure_future(exchange.run(lone, BODY, Deadlines(LONG)))
            await asyncio.sleep(0)
            if state == "clean":
                protocol.data_received(EMPTY)
            (ended,) = await asyncio.gather(running, return_exceptions=True)
        clean = state == "clean"
        assert isinstance(ended, aiohttp.ClientConnectionError) is not clean
        assert (exchange.started, bool(starts), wire.written.endswith(BODY)) == (clean, clean, clean)
        assert (exchange.status, bool(wire.written)) == (200 if clean else 0, clean)

    asyncio.run(story())


def test_a_request_that_is_answered_before_it_has_left_costs_its_connection(play: Callable[..., Any]) -> None:
    async def story() -> None:
        answered, heads = asyncio.Event(), []

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            heads.append(await reader.readuntil(b"\r\n\r\n"))
            writer.write(EMPTY if len(heads) > 1 else b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n")
            await answered.wait()

        async with listening(serve) as port, sink_to(f"http://127.0.0.1:{port}/v1/track") as sink:
            first = await sink.attempt(b"x" * 20_000_000)
            second = await sink.attempt(BODY)
            answered.set()
        assert (first.meaning, second.meaning) == (Meaning.ROW_REFUSED, Meaning.ACCEPTED)
        assert len(heads) == 2

    play(story())


class Counting(asyncio.Protocol):
    """A server that reads and never answers; it counts what it read on each connection."""

    def __init__(self, read: list[int]) -> None:
        self.read = read

    def data_received(self, data: bytes) -> None:
        self.read[0] += len(data)


@pytest.mark.parametrize("way", ["timeout", "cancel"])
def test_whenever_the_server_read_a_byte_the_attempt_knew_that_it_had_started(
    play: Callable[..., Any], way: str
) -> None:
    """Ended after ever more turns of the loop, an attempt passes through all its moments."""

    async def one(turns: int) -> tuple[bool, int]:
        read, starts = [0], []
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: Counting(read), "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        timeout = LONG if way == "cancel" else 1e-5 * 1.4**turns
        async with sink_to(f"http://127.0.0.1:{port}/v1/track", timeout) as sink:
            attempt = asyncio.ensure_future(sink.attempt(BODY, lambda: starts.append(1)))
            if way == "cancel":
                for _ in range(turns):
                    await asyncio.sleep(0)
                attempt.cancel()
            (ended,) = await asyncio.gather(attempt, return_exceptions=True)
            if isinstance(ended, Answer):
                assert ended.started is bool(starts)
        for _ in range(20):  # whatever was written has arrived by now
            await asyncio.sleep(0.0005)
        server.close()
        await server.wait_closed()
        return bool(starts), read[0]

    async def story() -> None:
        seen: list[tuple[bool, int]] = []
        while len(seen) < 30 or not any(started for started, _ in seen):  # on a busy machine, longer ones
            seen.append(await one(len(seen)))
        assert all(started for started, bytes_read in seen if bytes_read)
        assert way == "timeout" or not all(started for started, _ in seen)  # the shortest may be enough

    play(story())
