"""The judge: a server in a process of its own, which knows what it read and what it answered.

Nothing of the product is in it. As a program it prints its two ports: one for the product, and one on
which it is asked (a JSON object a line, answered by one). Every path is a case of its own, so that
what a killed process left in the sockets is never counted for the next case.
"""

from __future__ import annotations

import asyncio
import json
import re
import socket
import struct
import time
from dataclasses import dataclass, field
from typing import Any, Final

from proof.faults import LATER_SECONDS, Fault, Plan, spelled
from sink.arrivals import Arrival, Lookout

RST_ON_CLOSE: Final = struct.pack("ii", 1, 0)  # SO_LINGER: on, for no time
BACKLOG: Final = 4_096
_ROW: Final = re.compile(rb'"row":\s*(\d+)')
_LENGTH: Final = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_LOOK_SECONDS: Final = 0.003
OPEN: Final = "open"


@dataclass(slots=True)
class Attempt:
    """A request that was read whole; `began` and `ended` count what happened in this case."""

    began: int
    ended: int | None = None
    word: str = OPEN


@dataclass(slots=True)
class Case:
    """What was seen at one path.

    `unread`: connections that were reset before anything was read from them, or closed after an answer,
    when the next request may have been on its way; `hurried`: of each request to wait, how many
    requests were read before that time was over.
    """

    plan: Plan
    attempts: dict[int, list[Attempt]] = field(default_factory=dict)
    twice: list[int] = field(default_factory=list)
    clock: int = 0
    connections: int = 0
    unread: int = 0
    in_flight: int = 0
    most_in_flight: int = 0
    asked_to_wait: list[tuple[float, float]] = field(default_factory=list)
    hurried: dict[int, int] = field(default_factory=dict)
    arrivals: list[Arrival] = field(default_factory=list)

    def tick(self) -> int:
        self.clock += 1
        return self.clock

    def read(self, row: int, arrival: Arrival) -> tuple[Attempt, int]:
        """A request of this row was read whole; says which of its attempts it is."""
        before = self.attempts.setdefault(row, [])
        if any(attempt.word != "busy" for attempt in before):
            self.twice.append(row)
        attempt = Attempt(self.tick())
        before.append(attempt)
        self.arrivals.append(arrival)
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        self._note_hurry()
        return attempt, len(before) - 1

    def end(self, attempt: Attempt, word: str, wait: float = 0.0) -> None:
        """The attempt was answered, or never will be."""
        if attempt.word == OPEN:
            attempt.word, attempt.ended = word, self.tick()
            self.in_flight -= 1
            if wait:
                self.asked_to_wait.append((time.monotonic(), wait))

    def _note_hurry(self) -> None:
        now = time.monotonic()
        for number, (since, wait) in enumerate(self.asked_to_wait):
            if now < since + wait:
                self.hurried[number] = self.hurried.get(number, 0) + 1

    def told(self) -> dict[str, Any]:
        """All that was seen, as JSON has it."""
        attempts = {
            row: [[attempt.began, attempt.ended, attempt.word] for attempt in tries]
            for row, tries in self.attempts.items()
        }
        return {
            "attempts": attempts,
            "twice": self.twice,
            "unread": self.unread,
            "arrivals": self.arrivals,
            "most_in_flight": self.most_in_flight,
            "hurried": max(self.hurried.values(), default=0),
        }


class Court:
    """The cases, and the door that can be shut and opened again."""

    def __init__(self) -> None:
        self.cases: dict[str, Case] = {}
        self.elsewhere: list[str] = []
        self.port = 0
        self.lookout = Lookout()
        self.talks: set[Talk] = set()
        self._server: asyncio.Server | None = None

    async def up(self) -> None:
        """Listen, always at the same port."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: Talk(self), "127.0.0.1", self.port, backlog=BACKLOG, reuse_address=True
        )
        self.port = self._server.sockets[0].getsockname()[1]

    async def down(self) -> None:
        """Stop listening, and reset whoever is connected."""
        if self._server is not None:
            self._server.close()
        for talk in [*self.talks]:
            talk.reset()

    async def obey(self, said: dict[str, Any]) -> dict[str, Any]:
        """Do what one line of the control connection asks."""
        match said["do"]:
            case "open":
                self.cases[said["case"]] = Case(Plan.of(said["plan"]))
            case "plan":
                self.cases[said["case"]].plan = Plan.of(said["plan"])
            case "tell":
                return self.cases[said["case"]].told()
            case "wait":
                return await self._wait(self.cases[said["case"]], said)
            case "down":
                await self.down()
            case "up":
                await self.up()
            case "elsewhere":
                return {"visits": self.elsewhere}
        return {}

    async def _wait(self, case: Case, said: dict[str, Any]) -> dict[str, Any]:
        """Until requests of so many rows were read, but no longer than so many seconds."""
        end = time.monotonic() + said["seconds"]
        while len(case.attempts) < said["rows"] and time.monotonic() < end:  # noqa: ASYNC110
            await asyncio.sleep(_LOOK_SECONDS)
        return {"rows": len(case.attempts)}


class Talk(asyncio.Protocol):
    """One connection of the product's."""

    def __init__(self, court: Court) -> None:
        self._court = court
        self._buffer = b""
        self._case: Case | None = None
        self._attempt: Attempt | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._court.talks.add(self)

    def connection_lost(self, error: Exception | None) -> None:
        self._court.talks.discard(self)
        if self._case is not None and self._attempt is not None:
            self._case.end(self._attempt, "unknown")

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, found, rest = self._buffer.partition(b"\r\n\r\n")
        if not found or not self._is_heard(head.split(b" ", 2)[1].decode()):
            return
        length = _LENGTH.search(head)
        if length is not None and len(rest) >= int(length[1]):
            self._buffer = b""
            self._read(rest)

    def _is_heard(self, path: str) -> bool:
        """Whether there is a case at a path that lets this connection speak."""
        if path not in self._court.cases:
            self._court.elsewhere.append(path)
            self._transport.abort()
            return False
        if self._case is None:
            self._case = case = self._court.cases[path]
            case.connections += 1
            if case.plan.resets(case.connections - 1):
                case.unread += 1
                self.reset()
                return False
        return True

    def _read(self, body: bytes) -> None:
        assert self._case is not None
        row = _ROW.search(body)
        assert row is not None, body
        self._attempt, number = self._case.read(int(row[1]), self._court.lookout.arrival())
        fault, pause = self._case.plan.fault(int(row[1]), number)
        elsewhere = f"http://127.0.0.1:{self._court.port}/elsewhere"
        loop = asyncio.get_running_loop()
        data = spelled(fault, elsewhere)
        if fault.interval:
            self._case.end(self._attempt, fault.word)
            self._drip(data, fault.interval)
        else:
            loop.call_later(pause + fault.delay, self._answer, data, fault, self._attempt)

    def _answer(self, data: bytes, fault: Fault, attempt: Attempt) -> None:
        if self._transport.is_closing():
            return
        assert self._case is not None
        self._case.end(attempt, fault.word, fault.wait)
        if data:
            self._transport.write(data)
        if fault.later:
            asyncio.get_running_loop().call_later(LATER_SECONDS, self._finish, fault)
        else:
            self._finish(fault)

    def _finish(self, fault: Fault) -> None:
        if fault.later and not self._transport.is_closing():
            self._transport.write(fault.later)
        if fault.then != "keep" and fault.word != "unknown" and self._case is not None:
            self._case.unread += 1  # the next request may be on its way
        if fault.then == "reset":
            self.reset()
        elif fault.then == "close":
            self._transport.close()

    def _drip(self, data: bytes, interval: float) -> None:
        if data and not self._transport.is_closing():
            self._transport.write(data[:1])
            asyncio.get_running_loop().call_later(interval, self._drip, data[1:], interval)

    def reset(self) -> None:
        """Break off, so that the other side gets a reset."""
        self._transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RST_ON_CLOSE)
        self._transport.abort()


async def _preside() -> None:
    court = Court()
    await court.up()
    asked = asyncio.Event()

    async def control(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            writer.write(json.dumps(await court.obey(json.loads(line))).encode() + b"\n")
            await writer.drain()
        asked.set()  # whoever asked has gone, and so do we

    server = await asyncio.start_server(control, "127.0.0.1", 0)
    print(court.port, server.sockets[0].getsockname()[1], flush=True)
    async with court.lookout:
        await asked.wait()


if __name__ == "__main__":
    asyncio.run(_preside())
