"""Whoever keeps a run that a cluster sends: deals shares, writes down what workers tell, can stop all.

It holds the run's book and lease. Workers see when that lease is over and stop by themselves, so a keeper
that is gone leaves nothing running that `resume` would have to fear.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing, contextmanager, nullcontext, suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, Protocol

import msgspec

from replay.cluster.engine import Engine, EngineError
from replay.cluster.lending import ENDS_AT_ONCE, STOPS, begin_pace, halt
from replay.cluster.worker import OF_THIS_WORKER
from replay.errors import BusyError, SourceError, StorageError, UsageError
from replay.ledger import NO_SLOT, deal, drop_news, news, standings, take_back
from replay.records import Answers, Event, Outcome, Result
from replay.sender import NO_ROWS, Limits
from replay.settings import PROCESSES_MAX
from replay.sink import State

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Sequence

    from replay.cluster.engine import Work
    from replay.cluster.messages import Reply, Task
    from replay.ledger import Book, End, Share, Store
    from replay.sender import Attempts
    from replay.settings import SendSettings

TICK_SECONDS: Final = 0.2
ABORT_SECONDS: Final = 2.0
ALONE_SECONDS: Final = 15.0  # for so long shares may wait with no worker there to claim them


class Recorder(Protocol):
    """Who counts what the workers tell; all calls come from the event loop."""

    attempts: Attempts

    @property
    def pending(self) -> int:
        """How many rows nobody has told of."""

    def on_end(self, event: Event, result: Result) -> None:
        """The row ended so."""

    def on_take_back(self, event: Event, result: Result) -> None:
        """What was told of this row's end does not hold: it is pending."""

    def tell_attempts(self) -> None:
        """`attempts` is new."""

    def tell_failed(self, event: Event, result: Result) -> None:
        """A row that was sent elsewhere failed."""


@dataclass(frozen=True, slots=True)
class Held:
    """What a keeper holds of the ledger; `look` and `work` are what workers are asked to do.

    Calls of `store` and `book` belong into one thread.
    """

    store: Store
    book: Book
    recorder: Recorder
    on_disk: Callable[..., Any]
    look: Work
    work: Work


class Keeper:
    """Sends a run by the workers of a scheduler, and has the face of a sender.

    `task`: what every worker is told; its shares are dealt here.
    """

    def __init__(self, address: str, settings: SendSettings, task: Task, held: Held) -> None:
        self._address = address
        self._settings = settings
        self._task = task
        self._held = held
        self._limits = Limits(settings.max_failures, State(), sees_all=not settings.goes_on)
        self._engine: Engine | None = None
        self._shares: list[Share] = []
        self._put: dict[int, Any] = {}  # the tasks of shares
        self._before = [0, 0, 0]  # what workers had made of shares that were taken back
        self._answers_before: list[Answers | None] = []
        self._is_fed = False
        self._alone_since: float | None = None
        self._wake = asyncio.Event()
        self._ends_by: float | None = None
        self._error: BaseException | None = None
        self.stopped_by: str | None = None
        self.stop_reason: str | None = None

    @property
    def in_flight(self) -> int:
        """Requests under way, as the workers said last."""
        return sum(share.standing.in_flight for share in self._alive)

    @property
    def rate_now(self) -> float | None:
        """Requests a second at this moment, None for no limit."""
        return next((share.standing.rate for share in self._alive), self._settings.rate)

    @property
    def waiting_for(self) -> str | None:
        """Why no worker sends anything right now; None while one does."""
        if self.stopped_by is not None or self.in_flight:
            return None
        if not self._shares:
            return "the workers are looking at the sources"
        reasons = [share.standing.waiting_for for share in self._alive]
        if not reasons:
            return "no worker has claimed its share"
        return next((reason for reason in reasons if reason != NO_ROWS), NO_ROWS)

    @property
    def _alive(self) -> list[Share]:
        return [share for share in self._shares if share.worker is not None and not share.has_ended]

    async def run(self, batches: AsyncIterator[Sequence[Event]]) -> None:
        """Let the workers send; return when all shares have ended, or the run has stopped.

        `batches` is read for what is written down of rows that are not sent. Cancelled, it stops as by hand;
        cancelled again, it aborts.
        """
        try:
            await self._ended([asyncio.create_task(self._keep(batches))])
        finally:
            await self._close()
        if self._error is not None:
            raise self._error

    async def _keep(self, batches: AsyncIterator[Sequence[Event]]) -> None:
        with self._stop_on_error():
            await self._begin()
        feeding = asyncio.create_task(self._feed(batches))
        await self._watch()
        await feeding

    def stop(self, stopped_by: str, reason: str | None = None) -> None:
        """Start nothing more; what has begun to leave is waited for. The first word stands."""
        if self.stopped_by is not None:
            return
        self.stopped_by = stopped_by
        self.stop_reason = reason
        self._wake.set()

    def abort(self) -> None:
        """End at once: what is in flight is not waited for, and its rows are ambiguous."""
        self.stop("interrupted", "ended by hand")
        self._ends_by = time.monotonic() + ABORT_SECONDS
        self._wake.set()

    @contextmanager
    def _stop_on_error(self) -> Iterator[None]:
        """What breaks a part of the run stops the run."""
        try:
            yield
        except BusyError as error:
            self.stop("storage", str(error))
        except (SourceError, StorageError) as error:
            self.stop(error.kind, str(error))
        except (EngineError, UsageError) as error:
            self.stop("error", f"{str(error).rstrip('.')}. Nothing is lost: replay resume goes on.")
        except Exception as error:
            self._error = self._error or error
            self.stop("error", str(error))

    async def _ended(self, tasks: list[asyncio.Task[None]]) -> None:
        cancelled: asyncio.CancelledError | None = None
        while waiting := [task for task in tasks if not task.done()]:
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

    async def _begin(self) -> None:
        """Find workers, let each look at the sources, the key and the ledger, and deal out the shares."""
        self._engine = engine = await asyncio.to_thread(Engine, self._address)
        most = min(self._settings.concurrency, PROCESSES_MAX)
        workers = (await asyncio.to_thread(engine.workers))[:most]
        if not workers:
            raise EngineError(f"--cluster {self._address}: no worker has joined the scheduler. Start some.")
        for worker, reply in zip(workers, await self._looked(engine, workers), strict=False):
            if reply.kind is not None:
                kind = reply.kind if reply.kind in ("source", "storage") else "error"
                self.stop(kind, f"{reply.words} (worker {worker}) Nothing was sent; replay resume goes on.")
                return
        if self.stopped_by is None:
            await self._deal(workers)

    async def _looked(self, engine: Engine, workers: list[str]) -> list[Reply]:
        """What the workers say of the sources, which may take long; nothing where the run stops first."""
        asked = asyncio.ensure_future(asyncio.to_thread(engine.ask, self._held.look, self._task, workers))
        while not asked.done() and self.stopped_by is None:
            await asyncio.wait([asked], timeout=TICK_SECONDS)
        if asked.done():
            return asked.result()
        asked.add_done_callback(lambda late: late.cancelled() or late.exception())  # ends when we hang up
        return []

    async def _deal(self, workers: list[str]) -> None:
        held, count = self._held, len(workers)
        send = replace(self._settings, processes=count)
        epoch = await held.on_disk(deal, held.store, held.book.run, count, self._task.sink.timeout)
        await held.on_disk(begin_pace, held.store, held.book.run)
        self._shares = await held.on_disk(standings, held.store, held.book.run)
        for share, worker in enumerate(workers):
            await self._submit(share, epoch, worker, send=send, shares=count)

    async def _submit(self, share: int, epoch: int, worker: str | None = None, **more: Any) -> None:
        """Let a worker claim a share from this epoch on."""
        assert self._engine is not None
        self._task = msgspec.structs.replace(self._task, share=share, epoch=epoch, **more)
        self._put[share] = await asyncio.to_thread(self._engine.put, self._held.work, self._task, worker)

    async def _feed(self, batches: AsyncIterator[Sequence[Event]]) -> None:
        """Read what there is to read: rows that are not sent are written down on the way."""
        closing = aclosing(batches) if isinstance(batches, AsyncGenerator) else nullcontext(batches)
        with self._stop_on_error():
            async with closing:
                if self.stopped_by is None:
                    async for _ in batches:
                        if self.stopped_by is not None:
                            return
            self._is_fed = True

    async def _watch(self) -> None:
        """Take in what the workers tell, and look after their shares, until there is nothing to wait for."""
        with self._stop_on_error():
            while not self._is_over():
                if self.stopped_by is not None:
                    how = STOPS if self._ends_by is None else ENDS_AT_ONCE
                    await self._held.on_disk(halt, self._held.store, self._held.book.run, how)
                with suppress(TimeoutError):
                    self._wake.clear()
                    async with asyncio.timeout(TICK_SECONDS):
                        await self._wake.wait()
                await self._take_in()
                if self.stopped_by is None:
                    await self._look_after()
            self._refuse_rest()

    def _refuse_rest(self) -> None:
        """A run that has come to its end has told of every row."""
        left = self._held.recorder.pending
        if self.stopped_by is None and left:
            self.stop("error", f"{left} rows are left that no worker told of; replay resume goes on")

    def _is_over(self) -> bool:
        """Whether all shares are done, or, in a run that stops, none is at work that is waited for."""
        if self.stopped_by is None:
            return self._is_fed and bool(self._shares) and all(_is_done(share) for share in self._shares)
        if self._ends_by is not None and time.monotonic() > self._ends_by:
            return True
        return all(self._is_still(share) for share in self._shares)

    def _is_still(self, share: Share) -> bool:
        return share.has_ended or share.worker is None or share.is_overdue

    async def _take_in(self) -> None:
        """Write down how rows ended, and how the workers stand."""
        held = self._held
        self._shares = await held.on_disk(standings, held.store, held.book.run)
        told = await held.on_disk(news, held.store, held.book.run)
        for _, ends in told:
            for end in ends:
                event = _event_of(end)
                if end.outcome is not Outcome.DELIVERED:
                    held.recorder.tell_failed(event, end.result)
                self._end(event, end.result)
        self._count()
        if told:
            await held.on_disk(held.book.write)
            await held.on_disk(drop_news, held.store, [number for number, _ in told])
        for share in self._shares:
            standing = share.standing
            if standing.stopped_by is not None and standing.stopped_by not in OF_THIS_WORKER:
                self.stop(standing.stopped_by, standing.stop_reason)

    def _end(self, event: Event, result: Result) -> None:
        self._held.recorder.on_end(event, result)
        if enough := self._limits.add(event, result):
            self.stop(*enough)

    def _count(self) -> None:
        recorder, attempts = self._held.recorder, self._held.recorder.attempts
        sums = [
            before + sum(getattr(share.standing, name) for share in self._shares)
            for before, name in zip(self._before, ("requests", "retries", "duplicates"), strict=True)
        ]
        if sums[0] > attempts.requests:
            attempts.last = time.monotonic()
            attempts.first = attempts.first or attempts.last - TICK_SECONDS
        attempts.requests, attempts.retries, attempts.duplicates = sums
        came = [*self._answers_before, *(share.standing.answers for share in self._shares)]
        attempts.answers.take(answers for answers in came if answers is not None)
        recorder.tell_attempts()

    async def _look_after(self) -> None:
        """Take back the shares of workers that are lost, and let others have them."""
        for share in self._shares:
            is_dead = share.worker is not None and share.is_overdue
            if not _is_done(share) and (share.has_ended or is_dead):
                await self._take_back(share, ends=False)
                await self._submit(share.number, share.epoch + 1)
            elif share.worker is None:
                await self._look_at_task(share)

    async def _look_at_task(self, share: Share) -> None:
        """See that somebody comes to claim a share, or the run does not wait for it."""
        assert self._engine is not None
        reply = await asyncio.to_thread(self._engine.reply_of, self._put[share.number])
        if reply is not None and reply.kind is not None:
            raise EngineError(reply.words)
        if reply is not None:  # done with, or lost, and nothing was claimed when the share was looked at
            await self._submit(share.number, share.epoch)
        if await asyncio.to_thread(self._engine.workers):
            self._alone_since = None
        elif self._alone_since is None:
            self._alone_since = time.monotonic()
        elif time.monotonic() - self._alone_since > ALONE_SECONDS:
            raise EngineError(f"--cluster {self._address}: no worker is left to go on with the rows")

    async def _take_back(self, share: Share, *, ends: bool) -> None:
        held = self._held
        ended = await held.on_disk(take_back, held.store, held.book.run, share.number, share.epoch, ends=ends)
        if ended is None:
            return
        made = share.standing  # when it was looked at last; requests after that are not known
        for place, count in enumerate((made.requests, made.retries, made.duplicates)):
            self._before[place] += count
        self._answers_before.append(made.answers)
        self._shares = await held.on_disk(standings, held.store, held.book.run)
        for copy, number, result in ended:
            self._end(Event(0, number, b"", (), None, 0, copy=copy, number=number), result)

    async def _close(self) -> None:
        """Take back what is left, so that nobody goes on with it, and hang up."""
        with self._stop_on_error():
            while left := [share for share in self._shares if not share.has_ended]:
                for share in left:
                    await self._take_back(share, ends=True)
                self._shares = await self._held.on_disk(standings, self._held.store, self._held.book.run)
        for event, result in self._limits.of_destination:
            with self._stop_on_error():
                self._held.recorder.on_take_back(event, result)
        if self._engine is not None:
            with suppress(EngineError, Exception):
                await asyncio.to_thread(self._engine.close)


def _is_done(share: Share) -> bool:
    return share.has_ended and share.standing.stopped_by is None


def _event_of(end: End) -> Event:
    return Event(end.source, end.row, b"", (), None, 0, copy=end.copy, number=end.number, slot=NO_SLOT)
