"""What a server says of its requests holds however late it reads them."""

from __future__ import annotations

import asyncio
import time

import pytest
from sink.arrivals import Arrival, Lookout, longest_silence, most_in_a_second, shortest_gap, span

STEADY = [Arrival(n / 100 - 0.01, n / 100) for n in range(300)]
HURRIED = [Arrival(n / 200 - 0.005, n / 200) for n in range(300)]
STALLED = [Arrival(0.99, 1.6) if 1.0 < one.read < 1.6 else one for one in STEADY]


def test_a_rate_that_is_not_kept_is_seen() -> None:
    assert most_in_a_second(STEADY) in (100, 101)
    assert most_in_a_second(HURRIED) in (200, 201)


def test_what_a_server_reads_late_at_once_is_no_crowd() -> None:
    reads = [arrival.read for arrival in STALLED]
    assert max(sum(one <= other <= one + 1 for other in reads) for one in reads) > 150
    assert most_in_a_second(STALLED) <= 101


def test_a_silence_is_one_only_where_the_server_looked() -> None:
    assert longest_silence(STEADY) < 0.01
    assert longest_silence(STALLED) < 0.01
    assert longest_silence([*STEADY, Arrival(3.99, 4.0)]) == pytest.approx(1.0)


def test_spans_and_gaps_are_the_longest_that_may_have_been() -> None:
    assert span(STEADY) == pytest.approx(3.0)
    assert shortest_gap([Arrival(0.0, 0.1), Arrival(0.9, 1.5), Arrival(2.0, 2.1)]) == pytest.approx(1.2)


def test_a_request_that_a_busy_server_reads_late_may_have_arrived_at_any_time_before() -> None:
    async def story() -> tuple[float, Arrival, bytes]:
        ours, theirs = asyncio.Queue[Arrival](), b"early"
        async with Lookout() as lookout:

            async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                read = await reader.readexactly(len(theirs))
                assert read == theirs
                ours.put_nowait(lookout.arrival())
                writer.close()

            server = await asyncio.start_server(accept, "127.0.0.1", 0)
            async with server:
                _, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
                await asyncio.sleep(0.05)
                writer.write(theirs)
                written = time.monotonic()
                end = written + 0.2
                while time.monotonic() < end:  # nothing is read meanwhile
                    pass
                arrival = await ours.get()
                writer.close()
        return written, arrival, theirs

    written, arrival, _ = asyncio.run(story())
    assert arrival.after <= written
    assert arrival.read >= written + 0.2
