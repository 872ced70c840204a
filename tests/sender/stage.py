"""A destination and a watcher made by hand, for stories about sending."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any, cast

from replay.records import Chunk, Event, Outcome, Result
from replay.sender import Announce, Sender
from replay.settings import SendSettings
from replay.sink import Answer, Meaning, Throttle, Tries

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Sequence

    from replay.sink import Turn

OK = Answer(Meaning.ACCEPTED, "200", 200)
BAD = Answer(Meaning.ROW_REFUSED, "400 no", 400)
DENIED = Answer(Meaning.RUN_REFUSED, "401 no key", 401, stopped_by="auth")
BROKEN = Answer(Meaning.UNKNOWN, "the connection was reset")
BUSY = Answer(Meaning.NOT_ACCEPTED, "429", 429, retry_after=0.0, throttled=True)
REFUSED = Answer(Meaning.NOT_ACCEPTED, "no connection", started=False)


def event(row: int, *lanes: str) -> Event:
    """A row; its body is its number, and nothing here looks at the record it came from."""
    return Event(0, row, str(row).encode(), lanes, cast("Chunk", None), 0)


class Destination:
    """A sink that answers by row and attempt number, after its `gate` (if any) is open.

    `log` holds ("start" | "end", row); `deaf` never lets an attempt begin to leave.
    """

    def __init__(self, answers: Callable[[int, int], Answer] = lambda row, attempt: OK) -> None:
        self._answers = answers
        self.attempts: dict[int, int] = {}
        self.log: list[tuple[str, int]] = []
        self.in_flight = 0
        self.most_in_flight = 0
        self.gate: asyncio.Event | None = None
        self.deaf = False
        self.unheard = 0
        self.pauses: Callable[[], int] = lambda: 1
        self.crash: Exception | None = None

    async def attempt(
        self, body: bytes, on_start: Callable[[], None] | None = None, turn: Turn | None = None
    ) -> Answer:
        row = int(body)
        if self.deaf:
            self.unheard += 1
            await asyncio.Future()
        if turn is not None and not turn.take():
            await turn.wait(lambda: True)
        if on_start is not None:
            on_start()
        self.attempts[row] = self.attempts.get(row, 0) + 1
        self.log.append(("start", row))
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            await self._think()
        finally:
            self.in_flight -= 1
        self.log.append(("end", row))
        return self._answers(row, self.attempts[row])

    async def _think(self) -> None:
        for _ in range(self.pauses()):
            await asyncio.sleep(0)
        if self.gate is not None:
            await self.gate.wait()
        if self.crash is not None:
            raise self.crash

    @property
    def started(self) -> list[int]:
        return [row for what, row in self.log if what == "start"]


class Witness:
    """A watcher that remembers; `fails` names the calls that raise `error`."""

    def __init__(self, error: Exception | None = None, fails: Iterable[str] = ()) -> None:
        self.started: list[int] = []
        self.answers: list[tuple[int, Answer, Tries]] = []
        self.waits: list[int] = []
        self.results: dict[int, Result] = {}
        self.taken_back: list[int] = []
        self._error = error
        self._fails = set(fails)

    def _tell(self, call: str) -> None:
        if call in self._fails and self._error is not None:
            raise self._error

    def on_start(self, event: Event) -> None:
        self._tell("on_start")
        self.started.append(event.row)

    def on_answer(self, event: Event, answer: Answer, before: Tries) -> None:
        self._tell("on_answer")
        self.answers.append((event.row, answer, before))

    def on_wait(self, event: Event) -> None:
        self._tell("on_wait")
        self.waits.append(event.row)

    def on_end(self, event: Event, result: Result) -> None:
        self._tell("on_end")
        assert event.row not in self.results, "a row ends once"
        self.results[event.row] = result

    def on_take_back(self, event: Event, result: Result) -> None:
        self._tell("on_take_back")
        assert self.results.pop(event.row) == result
        self.taken_back.append(event.row)

    def outcomes(self) -> dict[int, Outcome]:
        return {row: result.outcome for row, result in self.results.items()}


class Stage:
    """A sender with its destination and its witness."""

    def __init__(
        self,
        destination: Destination | None = None,
        witness: Witness | None = None,
        throttle: Throttle | None = None,
        announce: Announce | None = None,
        random: Callable[[], float] = lambda: 0.0,
        **settings: Any,
    ) -> None:
        self.destination = destination or Destination()
        self.witness = witness or Witness()
        self.throttle = throttle or Throttle(None, time.monotonic)
        chosen = SendSettings(**{"rate": None, "concurrency": 4, **settings})
        self.sender = Sender(self.destination, self.throttle, chosen, self.witness, random, announce)

    async def send(self, *batches: Sequence[Event]) -> None:
        """Run to the end; no task of the run is left behind."""
        before = asyncio.all_tasks()
        await self.sender.run(these(*batches))
        left = asyncio.all_tasks() - before
        assert not left, f"left behind: {left}"

    async def until(self, condition: Callable[[], bool]) -> None:
        """Let the loop turn until something holds."""
        for _ in range(10_000):
            if condition():
                return
            await asyncio.sleep(0)
        raise AssertionError("it never came to that")


async def these(*batches: Sequence[Event]) -> AsyncIterator[Sequence[Event]]:
    """Batches as they come."""
    for batch in batches:
        yield batch
