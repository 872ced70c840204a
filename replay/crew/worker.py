"""A sender process: `python -m replay.crew.worker SOCKET` sends the rows that its run gives it.

When the run's process is gone it ends at once: what its rows had come to stands in the window.
"""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import socket
import sys
import time
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from replay.crew.messages import (
    STOP_SIGNALS,
    Announce,
    Bye,
    Ended,
    Halt,
    News,
    NoMore,
    Pulse,
    Rows,
    Setup,
    Slots,
    Stopped,
    frame,
    read_frame,
    to_process,
)
from replay.ledger import Marks
from replay.records import Event, Outcome
from replay.sender import Attempts, Limits, Sender
from replay.sink import HttpSink, SharedState, Throttle, masked

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence

    from replay.crew.messages import FromProcess
    from replay.records import Result
    from replay.sink import Answer, State, Tries

NEWS_SECONDS: Final = 0.025
NEWS_ROWS: Final = 512
PULSE_SECONDS: Final = 0.2
READ_BYTES: Final = 65_536
GARBAGE_AT: Final = 50_000  # objects more than before, at which garbage is looked for


class Voice:
    """Says to the run what happens: marks in the window at once, words in groups."""

    def __init__(self, writer: asyncio.StreamWriter, marks: Marks, state: State) -> None:
        self._writer = writer
        self._marks = marks
        self._state = state
        self._attempts = Attempts()
        self._news = News([], [], [])
        self._timer: asyncio.TimerHandle | None = None

    def say(self, message: FromProcess) -> None:
        """Send a message after all news."""
        self.flush()
        self._writer.write(frame(message))

    def flush(self) -> None:
        """Send the news that there are."""
        if self._timer is None:
            return
        self._timer.cancel()
        self._timer = None
        news, attempts = self._news, self._attempts
        news.requests, news.retries = attempts.requests, attempts.retries
        news.duplicates = attempts.duplicates
        news.first, news.last = attempts.first, attempts.last
        news.answers = attempts.answers
        self._writer.write(frame(news))
        self._news = News([], [], [])

    def on_start(self, event: Event) -> None:
        """Mark that a request of this row is about to leave, unless a process has stopped the run."""
        if self._state.halted:
            raise asyncio.CancelledError  # the run's own word of it is on its way
        self._marks.start(event.slot)
        self._attempts.start(event)
        if event.is_doubtful:
            self._count()

    def on_answer(self, event: Event, answer: Answer, before: Tries) -> None:
        """Count an attempt."""
        if self._attempts.add(event, answer, before):
            self._news.extra.append(event.number)
        self._count()
        self._soon()

    def on_wait(self, event: Event) -> None:
        """Mark that the row waits for another try."""
        self._marks.wait(event.slot)

    def on_end(self, event: Event, result: Result) -> None:
        """Mark how a row ended, and tell it."""
        self._marks.end(event.slot, result.outcome)
        if result.outcome is Outcome.DELIVERED and not result.reports_failure:
            self._news.delivered.append(event.number)
        else:
            said = result.outcome, result.status, result.attempts, result.reason, result.group
            self._news.ended.append(Ended(event.number, *said))
        self._soon()
        if len(self._news.delivered) >= NEWS_ROWS:
            self.flush()

    def on_take_back(self, event: Event, result: Result) -> None:
        """Only whoever sees all rows of a run takes back how one ended."""
        raise RuntimeError(f"row {event.row} was taken back by a part of its run")

    def _count(self) -> None:
        attempts = self._attempts
        self._marks.count(attempts.requests, attempts.retries, attempts.duplicates)

    def _soon(self) -> None:
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(NEWS_SECONDS, self.flush)


class Worker:
    """One sender process; its events carry their serial as their `number`."""

    def __init__(self, setup: Setup, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._setup = setup
        self._reader = reader
        self._writer = writer
        self._state = SharedState(setup.counts)
        self._voice = Voice(writer, Marks(setup.window, setup.part), self._state)
        self._batches: asyncio.Queue[list[Event] | None] = asyncio.Queue()
        self._asked: deque[asyncio.Future[list[int]]] = deque()

    async def run(self) -> None:
        """Send what comes until there is no more, or the run stops."""
        error: str | None = None
        async with HttpSink(self._setup.sink) as http:
            sink = masked(http, self._setup.sink.mask)
            state, settings = self._state, self._setup.send
            throttle = Throttle(settings.rate, time.monotonic, state=SharedState(self._setup.pace))
            limits = Limits(settings.max_failures, state, sees_all=False)
            sender = Sender(sink, throttle, settings, self._voice, announce=self._announce, limits=limits)
            helpers = [
                asyncio.create_task(work)
                for work in (self._listen(sender), self._beat(sender), self._tell_stop(sender))
            ]
            try:
                await sender.run(self._events())
            except Exception as fault:
                error = f"{type(fault).__name__}: {fault}"
            for helper in helpers:
                helper.cancel()
            await asyncio.gather(*helpers, return_exceptions=True)
        if sender.stopped_by is not None:
            self._voice.say(Stopped(sender.stopped_by, sender.stop_reason))
        self._voice.say(Bye(error))
        await self._hang_up()

    async def _hang_up(self) -> None:
        """Wait for the run to hang up: a socket closed with words unread takes its own last ones along."""
        with suppress(OSError):
            await self._writer.drain()
            while await self._reader.read(READ_BYTES):
                pass
        self._writer.close()
        with suppress(OSError):
            await self._writer.wait_closed()

    async def _listen(self, sender: Sender) -> None:
        try:
            while True:
                self._hear(to_process.decode(await read_frame(self._reader)), sender)
        except (asyncio.IncompleteReadError, OSError):
            os._exit(1)  # nobody is left to tell; the window says how far every row came
        except Exception as fault:
            sender.stop("error", f"{type(fault).__name__}: {fault}")

    def _hear(self, message: Setup | Rows | Slots | NoMore | Halt, sender: Sender) -> None:
        match message:
            case Rows():
                self._batches.put_nowait(_events_of(message))
            case Slots(slots):
                answer = self._asked.popleft()
                if not answer.done():
                    answer.set_result(slots)
            case NoMore():
                self._batches.put_nowait(None)
            case Halt(stopped_by, reason, at_once):
                sender.stop(stopped_by, reason)
                for answer in self._asked:  # it does not come any more
                    answer.cancel()
                if at_once:
                    sender.abort()

    async def _events(self) -> AsyncGenerator[Sequence[Event], None]:
        while (batch := await self._batches.get()) is not None:
            yield batch

    async def _announce(self, events: Sequence[Event]) -> None:
        answer: asyncio.Future[list[int]] = asyncio.get_running_loop().create_future()
        self._asked.append(answer)
        self._voice.say(Announce([event.number for event in events]))
        for event, slot in zip(events, await answer, strict=True):
            event.slot = slot

    async def _beat(self, sender: Sender) -> None:
        while True:
            self._voice.say(Pulse(sender.in_flight, sender.rate_now, sender.waiting_for))
            await asyncio.sleep(PULSE_SECONDS)

    async def _tell_stop(self, sender: Sender) -> None:
        await sender.stopped.wait()
        self._state.halted = 1.0
        self._voice.say(Stopped(sender.stopped_by or "", sender.stop_reason))


def _events_of(rows: Rows) -> list[Event]:
    doubtful = frozenset(rows.doubtful)
    return [
        Event(rows.source, row, body, lanes, None, 0, number=serial, is_doubtful=serial in doubtful)
        for serial, row, body, lanes in zip(rows.serials, rows.rows, rows.bodies, rows.lanes, strict=True)
    ]


async def work(control: socket.socket) -> None:
    """Be a sender process at the other end of this socket."""
    reader, writer = await asyncio.open_unix_connection(sock=control)
    setup = to_process.decode(await read_frame(reader))
    if not isinstance(setup, Setup):
        raise TypeError("the first message says how to send")
    await Worker(setup, reader, writer).run()


def main() -> None:
    """Run until the work is done; the signals that stop a run are the run's to hear."""
    for number in STOP_SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)
    gc.freeze()  # what is here now stays; and what comes and goes with rows is hardly ever a cycle
    gc.set_threshold(GARBAGE_AT)
    control = socket.socket(fileno=int(sys.argv[1]))
    try:
        import uvloop  # noqa: PLC0415 - where it runs
    except ImportError:
        asyncio.run(work(control))
    else:
        uvloop.run(work(control))


if __name__ == "__main__":
    main()
