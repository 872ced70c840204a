"""What waits while connecting stalls does not leave all at once when it goes on."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from sender.stage import Witness, event, these
from sink.blunt import OK, Blunt, answering
from sink.test_http import CERTIFICATE
from sink.test_throttle import Sleepers, most_in_a_second

from replay.records import Outcome
from replay.sender import Sender
from replay.settings import SendSettings, SinkSettings
from replay.sink import HttpSink, Throttle

if TYPE_CHECKING:
    from collections.abc import Iterator

    from replay.records import Event

RATE = 20.0
ROWS = 80
TICKS = 20 * ROWS


class Timed(Witness):
    """Notes by the run's clock when each request left."""

    def __init__(self, clock: Sleepers) -> None:
        super().__init__()
        self.instants: list[float] = []
        self._clock = clock

    def on_start(self, event: Event) -> None:
        super().on_start(event)
        self.instants.append(self._clock.now)


@contextmanager
def slow_dns(goes_on: threading.Event, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A destination whose name is looked up for as long as the test wants."""

    async def lookup(loop: Any, host: str, port: int, **_: Any) -> list[Any]:
        await asyncio.to_thread(goes_on.wait, 60)
        return [(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", ("127.0.0.1", port))]

    monkeypatch.setattr(asyncio.get_running_loop().__class__, "getaddrinfo", lookup, raising=True)
    with Blunt(answering(OK)) as server:
        yield server.url.replace("127.0.0.1", "localhost")


@contextmanager
def slow_tls(goes_on: threading.Event, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A destination whose handshakes take as long as the test wants."""
    monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE)

    def talk(connection: socket.socket, server: Blunt) -> None:
        goes_on.wait(60)
        with context.wrap_socket(connection, server_side=True) as secure:
            answering(OK)(secure, server)

    with Blunt(talk) as server:
        yield server.url.replace("http:", "https:")


async def turn(seconds: float) -> None:
    """Let the network do what it has to."""
    await asyncio.sleep(seconds)


@pytest.mark.parametrize("stalls", [slow_dns, slow_tls])
@pytest.mark.parametrize("concurrency", [8, 64])
def test_after_a_stall_the_fullest_second_holds_no_more_than_the_rate(
    stalls: Any, concurrency: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story() -> Timed:
        clock, goes_on = Sleepers(), threading.Event()
        witness = Timed(clock)
        with stalls(goes_on, monkeypatch) as url:
            sink = SinkSettings(url=url, api_key="k", concurrency=concurrency)
            sending = SendSettings(rate=RATE, concurrency=concurrency)
            async with HttpSink(sink) as http:
                sender = Sender(http, Throttle(RATE, clock.time, clock.sleep), sending, witness)
                running = asyncio.create_task(sender.run(these([event(row) for row in range(ROWS)])))
                for tick in range(100):  # five seconds in which nothing can leave
                    await clock.until(tick / RATE)
                assert witness.started == []
                goes_on.set()
                await turn(0.5)  # what wants to leave at this moment does
                for tick in range(100, TICKS):
                    await clock.until(tick / RATE)
                    await turn(0.002)
                    if running.done():
                        break
                assert running.done(), f"{len(witness.results)} rows ended"
                await running
        return witness

    witness = asyncio.run(story())
    assert witness.outcomes() == dict.fromkeys(range(ROWS), Outcome.DELIVERED)
    assert most_in_a_second(witness.instants) <= 1.02 * RATE + 1
