"""The sending half of a worker: one sender over one claimed share, its pace lent, its word heard by all."""

from __future__ import annotations

import asyncio
import secrets
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from replay.cluster.lending import ENDS_AT_ONCE, GOES_ON, POLL_SECONDS, STOPS, exchange
from replay.cluster.scribe import Scribe
from replay.cluster.turns import Turns
from replay.errors import BusyError, StorageError
from replay.ledger import Standing
from replay.sender import Limits, Sender
from replay.settings import MaxFailures
from replay.sink import HttpSink, State, masked

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine, Sequence

    from replay.cluster.lending import Lent, Wish
    from replay.cluster.messages import Task
    from replay.ledger import Claim
    from replay.ledger.postgres import PostgresStore
    from replay.records import Event
    from replay.settings import SinkSettings

LOST: Final = "lost"
HALTED: Final = "halted"
OF_THIS_WORKER: Final = frozenset({LOST, HALTED, "storage"})
"""Why one worker stops, and the others need not."""
PATIENCE_SECONDS: Final = 60.0
GAP_SECONDS: Final = 0.01  # between two questions


class Worker:
    """Sends the rows of one share. `pace`: a connection for questions; `is_closing`: it has to end."""

    def __init__(
        self, task: Task, claim: Claim, pace: PostgresStore, is_closing: Callable[[], bool] = lambda: False
    ) -> None:
        self._task = task
        self._claim = claim
        self._pace = pace
        self._is_closing = is_closing
        self._found: str | None = None  # the last outage that was heard of, here or elsewhere
        self._is_out = False
        self._limits = Limits(MaxFailures(), State(), sees_all=False)

    async def run(self, batches: AsyncIterator[Sequence[Event]], sink: SinkSettings) -> Standing:
        """Send every event of every batch, until they end or the run stops; returns how it went."""
        settings = self._task.send.share(self._task.share)
        asks = asyncio.Event()
        turns = Turns(settings.rate, time.monotonic, asks)
        with ThreadPoolExecutor(1, "claim") as disk, ThreadPoolExecutor(1, "pace") as asking:
            scribe = Scribe(self._claim, settings.concurrency, disk)
            async with HttpSink(sink) as attempts:
                sender = Sender(
                    masked(attempts, sink.mask),
                    turns,
                    settings,
                    scribe,
                    announce=scribe.announce,
                    limits=self._limits,
                    room=lambda: scribe.room,
                )
                scribe.standing = lambda: _standing(sender)
                beating = asyncio.create_task(self._stop_on_error(sender, scribe.beat()))
                helpers = [
                    asyncio.create_task(
                        self._stop_on_error(sender, self._listen(sender, turns, asks, asking))
                    ),
                    asyncio.create_task(_tell_stop(sender, asks)),
                ]
                try:
                    await sender.run(batches)
                except Exception as fault:
                    sender.stop("error", f"{type(fault).__name__}: {fault}")
                if sender.stopped_by is not None:
                    await self._tell_all(sender, turns, asking)
                for helper in helpers:
                    helper.cancel()
                scribe.is_done = True
                await asyncio.gather(beating, *helpers, return_exceptions=True)
            await scribe.finish()
            return _standing(sender)

    async def _stop_on_error(self, sender: Sender, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except BusyError as error:
            sender.stop(LOST, str(error))
        except StorageError as error:
            sender.stop(error.kind, str(error))

    async def _listen(
        self, sender: Sender, turns: Turns, asks: asyncio.Event, asking: ThreadPoolExecutor
    ) -> None:
        """Ask for turns when they run short, and hear what holds for all, several times a second."""
        while True:
            with suppress(TimeoutError):
                # not wait_for: in Python 3.11 it may swallow a cancellation
                async with asyncio.timeout(POLL_SECONDS):
                    await asks.wait()
            asks.clear()
            lent = await self._ask(turns.wish(_halted(sender), self._new_outage(sender)), asking)
            turns.take_in(lent)
            self._hear(sender, lent)
            await asyncio.sleep(GAP_SECONDS)

    async def _tell_all(self, sender: Sender, turns: Turns, asking: ThreadPoolExecutor) -> None:
        """What stops this worker stops all, unless it is its own affair."""
        if _halted(sender) != GOES_ON:
            with suppress(StorageError):  # the share's last word says it too
                await self._ask(turns.wish(_halted(sender)), asking)

    async def _ask(self, wish: Wish, asking: ThreadPoolExecutor) -> Lent:
        return await asyncio.get_running_loop().run_in_executor(asking, self._exchange, wish)

    def _exchange(self, wish: Wish) -> Lent:
        began = time.monotonic()
        while True:
            try:
                return exchange(self._pace, self._task.run, self._task.send.rate, wish, time.monotonic)
            except StorageError:
                if time.monotonic() - began > PATIENCE_SECONDS:
                    raise
            with suppress(StorageError):
                time.sleep(POLL_SECONDS)
                self._pace.reconnect()

    def _hear(self, sender: Sender, lent: Lent) -> None:
        if lent.halted >= ENDS_AT_ONCE:
            sender.abort()
        elif lent.halted:
            sender.stop(HALTED, "the run stops")
        elif not lent.is_kept:
            sender.stop(LOST, "whoever keeps the run is gone, or cut off from the ledger")
        elif self._is_closing():
            sender.stop(LOST, "its Dask worker is being closed")
        if lent.was_reached:
            self._limits.reach()
        if lent.outage is not None and lent.outage != self._found:
            self._found = lent.outage
            sender.expect_outage(lent.outage.partition(": ")[2])
            self._is_out = True

    def _new_outage(self, sender: Sender) -> str | None:
        """An outage that this worker has found and nobody has heard of."""
        was_out, self._is_out = self._is_out, sender.outage is not None
        if was_out or not self._is_out:
            return None
        self._found = f"{secrets.token_hex(4)}: {sender.outage}"
        return self._found


async def _tell_stop(sender: Sender, asks: asyncio.Event) -> None:
    await sender.stopped.wait()
    asks.set()


def _halted(sender: Sender) -> int:
    stopped_by = sender.stopped_by
    return GOES_ON if stopped_by is None or stopped_by in OF_THIS_WORKER else STOPS


def _standing(sender: Sender) -> Standing:
    return Standing(
        in_flight=sender.in_flight,
        rate=sender.rate_now,
        waiting_for=sender.waiting_for,
        stopped_by=sender.stopped_by,
        stop_reason=sender.stop_reason,
    )
