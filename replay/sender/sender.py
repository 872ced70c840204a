"""Sends rows and settles what becomes of them.

Rows are admitted in the order they come, into a window of bounded size. Workers, as many as requests
may be in flight, take those that are ready, pass the gate, and let the answers be settled; a row that
must wait for another try gives its worker back.

A stop cancels every task that leaves nothing in doubt, and waits for the others: those whose request
has begun to leave. After it nothing begins to leave, for `_start` is asked before each first byte.
"""

from __future__ import annotations

import asyncio
import random as _random
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing, contextmanager, nullcontext
from functools import partial
from typing import TYPE_CHECKING, Final, Protocol

from replay.errors import SourceError, StorageError
from replay.sender.announcing import Announcing
from replay.sender.limits import Limits
from replay.sender.order import Order
from replay.sender.settling import Settling
from replay.sink import CalledOff, Gate, State

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from replay.records import Event
    from replay.sender.settling import Watcher
    from replay.settings import SendSettings
    from replay.sink import Answer, Passage, Throttle, Turn

WINDOW_MIN: Final = 2_000
WINDOW_PER_SENDER: Final = 120
NO_ROWS: Final = "the next rows are being read"
WINDOW_STEP: Final = 64  # rows that must have left a full window before more are admitted

Announce = Callable[[Sequence["Event"]], Awaitable[None]]
"""Writes down that these rows are about to be sent; none is before it returns."""


class Sink(Protocol):
    """Where a body goes, once."""

    async def attempt(
        self, body: bytes, on_start: Callable[[], None] | None = None, turn: Turn | None = None
    ) -> Answer:
        """Send one body when its turn comes, and say what the response means.

        What `on_start` and `turn` raise comes out here, and nothing was sent.
        """


class Sender:
    """Sends events through a sink at the throttle's pace until they end or the run is stopped.

    `limits`: of several senders that send one run; else the settings' own. `room`: how many more rows may
    be announced and not ended, where nothing but their announcement would tell of them after a kill.
    """

    def __init__(  # noqa: PLR0913 - what a sender stands between
        self,
        sink: Sink,
        throttle: Throttle,
        settings: SendSettings,
        watcher: Watcher,
        random: Callable[[], float] = _random.random,
        announce: Announce | None = None,
        *,
        limits: Limits | None = None,
        room: Callable[[], int] | None = None,
    ) -> None:
        self._sink = sink
        self._settings = settings
        self._watcher = watcher
        self._window = max(WINDOW_MIN, WINDOW_PER_SENDER * settings.concurrency)
        self._announcing: Announcing | None = None
        if announce is not None:
            ahead = settings.ahead if room is None else settings.ahead_narrow
            self._announcing = Announcing(announce, ahead, self._put, room)
        offer = None if self._announcing is None else self._announcing.offer
        self._order = Order(by_user=settings.order == "user", offer=offer, anew=room is not None)
        self._throttle = throttle
        self._gate = Gate(throttle, settings.concurrency, settings.max_outage, random)
        limits = limits or Limits(settings.max_failures, State(), sees_all=not settings.goes_on)
        self._settling = Settling(self._order, self._gate, settings, watcher, self.stop, limits)
        self._tasks: list[asyncio.Task[None]] = []
        self._free: set[asyncio.Task[None]] = set()  # tasks that leave nothing in doubt when cancelled
        self._telling: asyncio.Task[None] | None = None
        self._error: BaseException | None = None
        self.stopped_by: str | None = None
        self.stop_reason: str | None = None
        self.stopped = asyncio.Event()
        self.in_flight = 0

    @property
    def allowed_in_flight(self) -> int:
        """The most requests that may be in flight at this moment."""
        return self._gate.allowed_in_flight

    @property
    def rate_now(self) -> float | None:
        """Requests a second at this moment, None for no limit."""
        return self._throttle.rate_now

    @property
    def waiting_for(self) -> str | None:
        """Why nothing is sent right now, in a few words; None while it just goes."""
        if self.stopped_by is not None:
            return None
        if reason := self._gate.waiting_for:
            return reason
        if self._settling.waiting and not self.in_flight:
            return f"{self._settling.waiting} rows wait for another try"
        return NO_ROWS if not self._order.admitted and not self._order.is_whole else None

    async def run(self, batches: AsyncIterator[Sequence[Event]]) -> None:
        """Send every event of every batch; return when all have ended, or the run has stopped.

        Cancelled, it stops as by hand: it finishes what is in flight before it lets the cancellation
        through; cancelled again, it aborts.
        """
        if self.stopped_by is None:
            works = [self._work() for _ in range(self._settings.concurrency)]
            tellers = [self._tell_ahead(self._announcing)] if self._announcing else []
            self._tasks = [asyncio.create_task(work) for work in (self._feed(batches), *tellers, *works)]
            self._free.update(self._tasks)
        try:
            await self._tasks_ended()
        finally:
            self._settling.finish()
        if self._error is not None:
            raise self._error

    def stop(self, stopped_by: str, reason: str | None = None) -> None:
        """Start nothing more; what has begun to leave is waited for. The first word stands."""
        if self.stopped_by is not None:
            return
        self.stopped_by = stopped_by
        self.stop_reason = reason
        self.stopped.set()
        self._settling.stop()
        self._cancel_the_free()

    def expect_outage(self, reason: str) -> None:
        """Another sender of the run found the destination gone: only probes leave until one is answered."""
        self._gate.expect_outage(reason)

    @property
    def outage(self) -> str | None:
        """Why only probes leave at this moment; None while all is well."""
        return self._gate.outage

    def abort(self) -> None:
        """End at once: what is in flight is not waited for, and its rows are ambiguous."""
        self.stop("interrupted", "ended by hand")
        for task in self._tasks:
            if task is not self._telling:  # what it writes is waited for by whoever writes next, anyway
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
            self._order.is_whole = True
            self._settling.look_at_spent()
            await self._order.room_for(0)
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
                await self._order.room_for(self._window - WINDOW_STEP)
            self._order.admit(event)

    async def _tell_ahead(self, announcing: Announcing) -> None:
        """Announce rows as they are released; a stop does not cut an announcement short."""
        task = _this_task()
        with self._stop_on_error(task):
            while self.stopped_by is None:
                group = await announcing.group()
                self._free.discard(task)
                self._telling = task
                await announcing.announce(group)
                self._telling = None
                self._free.add(task)

    async def _work(self) -> None:
        task = _this_task()
        with self._stop_on_error(task):
            while self.stopped_by is None:
                event = self._order.take() or await self._order.ready()
                passage = self._gate.pass_now() or await self._gate.enter()
                if self._announcing is not None:
                    self._announcing.begins(event)
                try:
                    answer = await self._attempt(event, passage, task)
                    waits = self._settling.settle(event, answer, passage)
                except CalledOff:
                    self._order.put(event)
                    waits = True
                finally:
                    self._gate.leave()
                if self._announcing is not None:
                    if waits:
                        self._announcing.waits(event)
                    else:
                        self._announcing.ended()
                # Answers that came together are all heard before the next request leaves: one may be a stop.
                await asyncio.sleep(0)

    @contextmanager
    def _stop_on_error(self, task: asyncio.Task[None]) -> Iterator[None]:
        try:
            yield
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

    async def _attempt(self, event: Event, passage: Passage, worker: asyncio.Task[None]) -> Answer:
        event.started = False
        try:
            return await self._sink.attempt(event.body, partial(self._start, event, passage, worker), passage)
        except BaseException:
            if event.started:
                self._settling.abandon(event)
            raise
        finally:
            self.in_flight -= event.started
            self._free.add(worker)

    def _start(self, event: Event, passage: Passage, worker: asyncio.Task[None]) -> None:
        """The last moment before a request leaves: it is written down, or called off."""
        if self.stopped_by is not None:
            raise asyncio.CancelledError
        passage.check()
        self._watcher.on_start(event)
        event.started = True
        self.in_flight += 1
        self._free.discard(worker)

    def _put(self, event: Event) -> None:
        self._order.put(event)


def _this_task() -> asyncio.Task[None]:
    task = asyncio.current_task()
    if task is None:
        raise RuntimeError("only a task sends rows")
    return task
