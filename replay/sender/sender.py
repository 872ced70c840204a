"""Sends rows and settles what becomes of them.

Rows are admitted in the order they come, into a window of bounded size. Workers, as many as requests
may be in flight, take those that are ready; a row that must wait for another try gives its worker back.

A stop cancels every task that leaves nothing in doubt, and waits for the others: those whose request
has begun to leave. After it nothing begins to leave, for `_start` is asked before each first byte.
"""

from __future__ import annotations

import asyncio
import random as _random
from collections.abc import AsyncGenerator
from contextlib import aclosing, contextmanager, nullcontext
from functools import partial
from typing import TYPE_CHECKING, Final, Protocol

from replay.errors import SourceError, StorageError
from replay.records import Event, Outcome, Result
from replay.sender.order import Order
from replay.sender.refusals import Refusals
from replay.sink import Again, Answer, End, Meaning, Stop, Throttle, Tries, judge

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Sequence

    from replay.settings import SendSettings

WINDOW_MIN: Final = 2_000
WINDOW_PER_SENDER: Final = 40
WINDOW_STEP: Final = 64  # rows that must have left a full window before more are admitted
_FIRST: Final = Tries()


class Sink(Protocol):
    """Where a body goes, once."""

    async def attempt(self, body: bytes, on_start: Callable[[], None] | None = None) -> Answer:
        """Send one body and say what the answer means; what `on_start` raises comes out here."""


class Watcher(Protocol):
    """Who is told what happens to rows; all calls come from the event loop and must not block.

    StorageError out of any of them stops the run.
    """

    def on_start(self, event: Event) -> None:
        """A request of this row is about to leave; it does not if this raises."""

    def on_answer(self, event: Event, answer: Answer, before: Tries) -> None:
        """An attempt ended; `before` is what the row had behind it."""

    def on_end(self, event: Event, result: Result) -> None:
        """The row ended so."""

    def on_take_back(self, event: Event, result: Result) -> None:
        """What was told of this row's end does not hold: it is pending."""


class Sender:
    """Sends events through a sink at the throttle's pace until they end or the run is stopped."""

    def __init__(
        self,
        sink: Sink,
        throttle: Throttle,
        settings: SendSettings,
        watcher: Watcher,
        random: Callable[[], float] = _random.random,
    ) -> None:
        self._sink = sink
        self._throttle = throttle
        self._settings = settings
        self._watcher = watcher
        self._random = random
        self._order = Order(by_user=settings.order == "user")
        self._window = max(WINDOW_MIN, WINDOW_PER_SENDER * settings.concurrency)
        self._room = asyncio.Event()
        self._most = 0
        self._tries: dict[Event, Tries] = {}
        self._timers: dict[Event, asyncio.TimerHandle] = {}
        self._refusals = Refusals()
        self._tried = 0
        self._failures = 0
        self._tasks: list[asyncio.Task[None]] = []
        self._free: set[asyncio.Task[None]] = set()  # tasks that leave nothing in doubt when cancelled
        self._error: BaseException | None = None
        self.stopped_by: str | None = None
        self.stop_reason: str | None = None
        self.in_flight = 0

    async def run(self, batches: AsyncIterator[Sequence[Event]]) -> None:
        """Send every event of every batch; return when all have ended, or the run has stopped.

        Cancelled, it stops as by hand: it finishes what is in flight before it lets the cancellation
        through; cancelled again, it aborts.
        """
        if self.stopped_by is None:
            works = (self._work() for _ in range(self._settings.concurrency))
            self._tasks = [asyncio.create_task(work) for work in (self._feed(batches), *works)]
            self._free.update(self._tasks)
        try:
            await self._tasks_ended()
        finally:
            self._tell_the_doubtful()
            self._take_back()
        if self._error is not None:
            raise self._error

    def stop(self, stopped_by: str, reason: str | None = None) -> None:
        """Start nothing more; what has begun to leave is waited for. The first word stands."""
        if self.stopped_by is not None:
            return
        self.stopped_by = stopped_by
        self.stop_reason = reason
        for timer in self._timers.values():
            timer.cancel()
        self._cancel_the_free()

    def abort(self) -> None:
        """End at once: what is in flight is not waited for, and its rows are ambiguous."""
        self.stop("interrupted", "ended by hand")
        for task in self._tasks:
            task.cancel()

    def _cancel_the_free(self) -> None:
        for task in self._free:
            task.cancel()

    async def _tasks_ended(self) -> None:
        cancelled: asyncio.CancelledError | None = None
        while waiting := [task for task in self._tasks if not task.done()]:
            try:
                await asyncio.wait(waiting)
            except asyncio.CancelledError as error:
                if self.stopped_by is None:
                    self.stop("interrupted", "cancelled")
                else:
                    self.abort()
                cancelled = error
        if cancelled is not None:
            raise cancelled

    async def _feed(self, batches: AsyncIterator[Sequence[Event]]) -> None:
        """Admit what the window has room for; when all rows have ended, let the workers go."""
        closing = aclosing(batches) if isinstance(batches, AsyncGenerator) else nullcontext(batches)
        try:
            async with closing:
                async for batch in batches:
                    await self._admit(batch)
            await self._room_for(0)
            self._cancel_the_free()
        except (SourceError, StorageError) as error:
            self.stop(error.kind, str(error))
        except Exception as error:
            self._fail(error)
        finally:
            self._free.discard(_this_task())

    async def _admit(self, batch: Sequence[Event]) -> None:
        for event in batch:
            if self._order.admitted >= self._window:
                await self._room_for(self._window - WINDOW_STEP)
            self._order.admit(event)

    async def _room_for(self, admitted: int) -> None:
        """Wait until no more rows than so many are admitted and not ended."""
        self._most = admitted
        while self._order.admitted > admitted:
            self._room.clear()
            await self._room.wait()

    async def _work(self) -> None:
        task = _this_task()
        try:
            while self.stopped_by is None:
                event = await self._order.ready()
                await self._throttle.turn()
                self._settle(event, await self._attempt(event, task))
        except StorageError as error:
            self.stop(error.kind, str(error))
        except Exception as error:
            self._fail(error)
        finally:
            self._free.discard(task)

    def _fail(self, error: Exception) -> None:
        """An error that nobody foresaw: the run stops, and raises it when all is told."""
        self._error = self._error or error
        self.stop("error", str(error))

    async def _attempt(self, event: Event, worker: asyncio.Task[None]) -> Answer:
        event.started = False
        self.in_flight += 1
        try:
            answer = await self._sink.attempt(event.body, partial(self._start, event, worker))
        except BaseException:
            self._abandon(event)
            raise
        finally:
            self.in_flight -= 1
            self._free.add(worker)
        return answer

    def _start(self, event: Event, worker: asyncio.Task[None]) -> None:
        """The last moment before a request leaves: it is written down, or called off."""
        if self.stopped_by is not None:
            raise asyncio.CancelledError
        self._watcher.on_start(event)
        event.started = True
        self._free.discard(worker)

    def _abandon(self, event: Event) -> None:
        """An attempt broke off without an answer: what had begun to leave may have arrived."""
        if not event.started:
            return
        reason = "ended while its request was under way"
        before = self._tries.pop(event, _FIRST)
        with self._stop_on_storage_error():
            self._watcher.on_answer(event, Answer(Meaning.UNKNOWN, reason), before)
            self._watcher.on_end(event, Result(Outcome.AMBIGUOUS, None, before.attempts + 1, reason))

    def _settle(self, event: Event, answer: Answer) -> None:
        """Decide what an answer makes of its row, and carry it out."""
        before = self._tries.get(event, _FIRST)
        tries = before.after(answer)
        verdict = judge(answer, tries, self._settings.retries, self._settings.on_ambiguous, self._random)
        self._watcher.on_answer(event, answer, before)
        match verdict:
            case End(outcome):
                self._end(event, Result(outcome, answer.status, tries.attempts, answer.reason))
            case Stop(stopped_by, outcome):
                if outcome is not Outcome.PENDING:
                    self._end(event, Result(outcome, answer.status, tries.attempts, answer.reason))
                self.stop(stopped_by, answer.reason)
            case Again(seconds, everybody):
                self._tries[event] = tries
                if everybody:
                    self._throttle.pause(seconds, answer.reason)
                self._try_again(event, seconds)

    def _end(self, event: Event, result: Result) -> None:
        self._tries.pop(event, None)
        self._watcher.on_end(event, result)
        self._order.leave(event)
        if self._order.admitted <= self._most:
            self._room.set()
        self._tried += 1
        self._failures += result.outcome is not Outcome.DELIVERED
        self._refusals.add(event, result)
        self._stop_on_failures(result)

    def _stop_on_failures(self, last: Result) -> None:
        if self._settings.max_failures.reached(self._failures, self._tried):
            reason = f"{self._failures} of {self._tried} rows failed; the last: {last.reason}"
            self.stop("max-failures", reason)
        if refused := self._refusals.of_destination:
            self.stop("destination", f"the first {len(refused)} answers were all: {last.reason}")

    def _try_again(self, event: Event, seconds: float) -> None:
        if self.stopped_by is None:
            loop = asyncio.get_running_loop()
            self._timers[event] = loop.call_later(seconds, self._requeue, event)

    def _requeue(self, event: Event) -> None:
        del self._timers[event]
        self._order.put(event)

    def _tell_the_doubtful(self) -> None:
        """A row that waited for another try after an attempt whose end is not known is ambiguous."""
        reason = "the run stopped after an attempt whose end is not known"
        for event, tries in self._tries.items():
            if tries.unknowns:
                with self._stop_on_storage_error():
                    self._watcher.on_end(event, Result(Outcome.AMBIGUOUS, None, tries.attempts, reason))

    def _take_back(self) -> None:
        """Rows refused by a destination that refuses every row are pending, not rejected."""
        for event, result in self._refusals.of_destination:
            with self._stop_on_storage_error():
                self._watcher.on_take_back(event, result)

    @contextmanager
    def _stop_on_storage_error(self) -> Iterator[None]:
        """One row that cannot be written down does not keep the next from being tried."""
        try:
            yield
        except StorageError as error:
            self.stop(error.kind, str(error))


def _this_task() -> asyncio.Task[None]:
    task = asyncio.current_task()
    if task is None:
        raise RuntimeError("only a task sends rows")
    return task
