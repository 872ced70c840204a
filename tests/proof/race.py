"""A server that closes idle connections after 0 to 20 ms, against the client: `python tests/proof/race.py`.

It prints the rate that the client reaches with the race and without it, and what became of the rows.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import uvloop
from sender.stage import Witness, event, these

from replay.records import Outcome
from replay.sender import Sender
from replay.settings import SendSettings, SinkSettings
from replay.sink import HttpSink, Throttle

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
IDLE_MAX = 0.02  # seconds
CONCURRENCY = 32
TURNS = 4  # of the server's loop, in which it reads what has arrived


class Closing(asyncio.Protocol):
    """Answers each request, and closes a connection on which no other follows for a random time."""

    def __init__(self, bodies: list[bytes], idle_max: float | None) -> None:
        self._bodies = bodies
        self._idle_max = idle_max
        self._rest = b""
        self._timer: asyncio.Handle | None = None

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        self._wait_no_more()

    def data_received(self, data: bytes) -> None:
        self._wait_no_more()
        data = self._rest + data
        while (end := data.find(b"\r\n\r\n")) >= 0:
            length = int(data[:end].lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
            if len(data) < end + 4 + length:
                break
            self._bodies.append(data[end + 4 : end + 4 + length])
            data = data[end + 4 + length :]
            self._transport.write(ANSWER)
        self._rest = data
        if self._idle_max is not None and not data:
            idle = random.uniform(0.0, self._idle_max)
            self._timer = asyncio.get_running_loop().call_later(idle, self._close, TURNS)

    def _close(self, turns: int) -> None:
        """Close, but not on a request that is there already: a connection that has one is not idle."""
        if turns:
            self._timer = asyncio.get_running_loop().call_soon(self._close, turns - 1)
        else:
            self._transport.close()

    def _wait_no_more(self) -> None:
        if self._timer is not None:
            self._timer.cancel()


async def serve(idle_max: float | None) -> None:
    """Serve until standard input ends, then print which bodies came."""
    bodies: list[bytes] = []
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Closing(bodies, idle_max), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.to_thread(sys.stdin.read)
    server.close()
    print(json.dumps([body.decode() for body in bodies]))


class Server:
    """It runs in a process of its own, so that what it closes it closes while the client is at work."""

    def __init__(self, idle_max: float | None) -> None:
        self._idle_max = idle_max
        self.bodies: list[str] = []

    def __enter__(self) -> str:
        command = [sys.executable, __file__, "--serve", str(self._idle_max or 0.0)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        return f"http://127.0.0.1:{self._process.stdout.readline().strip()}/v1/track"

    def __exit__(self, *_: object) -> None:
        said, _ = self._process.communicate()
        self.bodies = json.loads(said)


async def send(url: str, rows: int, rate: float | None, witness: Witness) -> float:
    """Send so many rows; returns how many a second were sent."""
    sending = SendSettings(rate=rate, concurrency=CONCURRENCY)
    async with HttpSink(SinkSettings(url=url, api_key="k", concurrency=CONCURRENCY)) as sink:
        sender = Sender(sink, Throttle(rate, time.monotonic), sending, witness)
        began = time.monotonic()
        await sender.run(these([event(row) for row in range(rows)]))
        return rows / (time.monotonic() - began)


def judged(rows: int, rate: float | None, idle_max: float | None) -> dict[str, float]:
    """One run, by what the server saw and the client says."""
    witness, server = Witness(), Server(idle_max)
    with server as url:
        reached = uvloop.run(send(url, rows, rate, witness))
    outcomes, seen = witness.outcomes(), Counter(int(body) for body in server.bodies)
    delivered = {row for row, outcome in outcomes.items() if outcome is Outcome.DELIVERED}
    return {
        "rows_per_second": round(reached, 1),
        "delivered": len(delivered),
        "ambiguous": sum(outcome is Outcome.AMBIGUOUS for outcome in outcomes.values()),
        "lost": rows - len(outcomes) + len(delivered - set(seen)),
        "twice": sum(times > 1 for times in seen.values()),
        "attempts": len(witness.answers),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=4_000)
    parser.add_argument("--rate", type=float, default=400.0)
    parser.add_argument("--no-rate", action="store_true", help="as fast as it goes")
    parser.add_argument("--serve", type=float, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve is not None:
        uvloop.run(serve(options.serve or None))
        return
    rate = None if options.no_rate else options.rate
    calm, race = judged(options.rows, rate, None), judged(options.rows, rate, IDLE_MAX)
    print(
        json.dumps({"calm": calm, "race": race, "ratio": race["rows_per_second"] / calm["rows_per_second"]})
    )


if __name__ == "__main__":
    main()
