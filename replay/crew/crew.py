"""A run's sender processes: hands rows out, writes down what comes back, stops all when one must.

The run keeps the ledger: a process asks before it sends and marks the run's window itself, so that what
holds for one process after a kill holds for all. The pace is shared through a mapped file.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncGenerator
from contextlib import aclosing, contextmanager, nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING, Final, ParamSpec, Protocol

import msgspec

from replay.crew.member import Member
from replay.crew.messages import Announce, Bye, Halt, News, NoMore, Pulse, Setup, Slots, Stopped
from replay.crew.shares import shares
from replay.errors import SourceError, StorageError
from replay.records import Outcome, Result
from replay.sender import NO_ROWS, Limits
from replay.settings import MaxFailures
from replay.sink import SharedState, State

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Sequence

    from replay.crew.messages import FromProcess
    from replay.records import Event
    from replay.sender import Announce as Announcing
    from replay.sender import Attempts
    from replay.settings import SendSettings, SinkSettings

ABORT_SECONDS: Final = 2.0  # what an abort leaves the processes to tell where they are
STOP_SECONDS: Final = 10.0  # what a stop leaves them beyond the time that a request may take
_DELIVERED: Final = Result(Outcome.DELIVERED, 200, 1, "200")

P = ParamSpec("P")


class Recorder(Protocol):
    """Who writes down what the processes tell; all calls come from the event loop and must not block."""

    attempts: Attempts

    def on_end(self, event: Event, result: Result) -> None:
        """The row ended so."""

    def on_delivered(self, events: Sequence[Event], result: Result) -> None:
        """Rows, one or more, that a process has marked already were delivered so."""

    def on_take_back(self, event: Event, result: Result) -> None:
        """What was told of this row's end does not hold: it is pending."""

    def tell_attempts(self) -> None:
        """`attempts` is new."""

    def tell_extra(self, event: Event) -> None:
        """A request may have made this row arrive once more."""

    def tell_lost(self, event: Event) -> None:
        """The process that had this row is gone."""

    def tallied(self, part: int) -> tuple[int, int, int]:
        """Requests, retries and extra sends as a process, from 1, counted them last."""


class Crew:
    """Sends a run's events through processes of their own until they end or the run is stopped.

    `window` is the descriptor of the ledger's window, `pace` that of the pace that all live runs to the
    target keep together; `announce` writes down that rows are about to be sent.
    """

    def __init__(
        self,
        settings: SendSettings,
        sink: SinkSettings,
        window: int,
        recorder: Recorder,
        announce: Announcing,
        pace: int,
    ) -> None:
        self._settings = replace(settings, processes=settings.senders)
        self._sink = sink
        self._window = window
        self._recorder = recorder
        self._announce = announce
        self._pace = pace
        # the processes count failures themselves, in time
        self._limits = Limits(MaxFailures(), State(), sees_all=not settings.goes_on)
        self._members: list[Member] = []
        self._attempts: dict[Member, News] = {}
        self._asked: asyncio.Queue[tuple[Member, list[Event]]] = asyncio.Queue()
        self._serial = 0
        self._has_all = False
        self._tasks: list[asyncio.Task[None]] = []
        self._feeding: list[asyncio.Task[None]] = []
        self._timers: list[asyncio.TimerHandle] = []
        self._error: BaseException | None = None
        self.stopped_by: str | None = None
        self.stop_reason: str | None = None

    @property
    def in_flight(self) -> int:
        """Requests under way, as the processes said last."""
        return sum(member.pulse.in_flight for member in self._members)

    @property
    def rate_now(self) -> float | None:
        """Requests a second at this moment, None for no limit."""
        return self._members[0].pulse.rate if self._members else self._settings.rate

    @property
    def waiting_for(self) -> str | None:
        """Why no process sends anything right now; None while one does."""
        if self.stopped_by is not None or self.in_flight:
            return None
        if not self._has_all and not any(member.rows for member in self._members):
            return NO_ROWS
        said = [member.pulse.waiting_for for member in self._members]
        return next((reason for reason in said if reason not in (None, NO_ROWS)), None)

    async def run(self, batches: AsyncIterator[Sequence[Event]]) -> None:
        """Send every event of every batch; return when all have ended, or the run has stopped.

        Cancelled, it stops as by hand: it finishes what is in flight before it lets the cancellation
        through; cancelled again, it aborts.
        """
        try:
            await self._start()
            self._tasks = [asyncio.create_task(self._listen(member)) for member in self._members]
            if self.stopped_by is None:
                works = (self._feed(batches), self._announce_all())
                self._feeding = [asyncio.create_task(work) for work in works]
            else:  # before there was anybody to tell
                self._halt()
            await self._tasks_ended()
        finally:
            await self._close()
        if self._error is not None:
            raise self._error

    def stop(self, stopped_by: str, reason: str | None = None) -> None:
        """Start nothing more; what has begun to leave is waited for. The first word stands."""
        if self.stopped_by is not None:
            return
        self.stopped_by = stopped_by
        self.stop_reason = reason
        self._halt()

    def abort(self) -> None:
        """End at once: what is in flight is not waited for, and its rows are ambiguous."""
        self.stop("interrupted", "ended by hand")
        for member in self._members:
            member.tell(Halt("interrupted", "ended by hand", at_once=True))
        self._end_within(ABORT_SECONDS)

    def _halt(self) -> None:
        for member in self._members:
            member.tell(Halt(self.stopped_by or "", self.stop_reason))
        for task in self._feeding:
            task.cancel()
        self._end_within(self._sink.timeout + STOP_SECONDS)

    def _end_within(self, seconds: float) -> None:
        """Kill the processes that have not ended by then: their marks tell how far their rows came."""
        for member in self._members:
            self._timers.append(asyncio.get_running_loop().call_later(seconds, member.kill))

    async def _start(self) -> None:
        """Start the processes; they keep the file of their counts open."""
        try:
            with tempfile.TemporaryFile() as counts:
                SharedState.make(counts.fileno())
                files = self._window, self._pace, counts.fileno()
                for part in range(self._settings.processes):
                    share = self._settings.share(part)
                    member = Member(Setup(share, self._sink, part + 1, *files))
                    await member.start()
                    self._members.append(member)
        except OSError as error:
            why = error.strerror or error
            self.stop(
                "error",
                f"only {len(self._members)} of {self._settings.processes} sender processes could be started "
                f"({why}). Nothing was sent since; make room, or ask for fewer with --processes: "
                "replay resume goes on",
            )

    async def _close(self) -> None:
        for task in self._feeding:
            task.cancel()
        await asyncio.gather(*self._feeding, return_exceptions=True)
        for event, result in self._limits.of_destination:
            self._write_down(self._recorder.on_take_back, event, result)
        for member in self._members:
            await member.ended()
        for timer in self._timers:
            timer.cancel()

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

    @contextmanager
    def _stop_on_error(self) -> Iterator[None]:
        """What breaks a part of the run stops the run."""
        try:
            yield
        except (SourceError, StorageError) as error:
            self.stop(error.kind, str(error))
        except Exception as error:
            self._error = self._error or error
            self.stop("error", str(error))

    async def _feed(self, batches: AsyncIterator[Sequence[Event]]) -> None:
        """Hand out rows as there is room for them; when there are no more, say so."""
        by_user = self._settings.order == "user"
        closing = aclosing(batches) if isinstance(batches, AsyncGenerator) else nullcontext(batches)
        with self._stop_on_error():
            async with closing:
                async for batch in batches:
                    parts = shares(batch, len(self._members), by_user=by_user)
                    for member, part in zip(self._members, parts, strict=True):
                        first, self._serial = self._serial, self._serial + len(part)
                        await member.give(part, first)
            self._has_all = True
            for member in self._members:
                member.tell(NoMore())

    async def _announce_all(self) -> None:
        """Announce what the processes ask for: in one commit whatever has come meanwhile."""
        with self._stop_on_error():
            while True:
                asked = [await self._asked.get()]
                while not self._asked.empty():
                    asked.append(self._asked.get_nowait())
                await self._announce([event for _, events in asked for event in events])
                for member, events in asked:
                    member.tell(Slots([event.slot for event in events]))

    async def _listen(self, member: Member) -> None:
        """Take in what a process says until it says no more."""
        with self._stop_on_error():
            while not isinstance(message := await member.hear(), Bye | None):
                with self._stop_on_error():
                    self._take_in(member, message)
            if message is None:
                await self._lose(member)
            else:
                self._take_leave(member, message)

    def _take_in(self, member: Member, message: FromProcess) -> None:
        match message:
            case News():
                self._take_news(member, message)
            case Announce(serials):
                self._asked.put_nowait((member, [member.rows[serial] for serial in serials]))
            case Pulse():
                member.pulse = message
            case Stopped(stopped_by, reason):
                self.stop(stopped_by, reason)

    def _take_news(self, member: Member, news: News) -> None:
        self._count(member, news)
        for serial in news.extra:
            self._write_down(self._recorder.tell_extra, member.rows[serial])
        if news.delivered:
            events = member.take_all(news.delivered)
            self._recorder.on_delivered(events, _DELIVERED)
            self._look_at(events[0], _DELIVERED)
        for ended in news.ended:
            self._write_down(self._end, member.take(ended.serial), ended.result)
        member.make_room()

    def _end(self, event: Event, result: Result) -> None:
        self._recorder.on_end(event, result)
        self._look_at(event, result)

    def _look_at(self, event: Event, result: Result) -> None:
        """Stop if rows have ended so often enough; of rows that were delivered one tells as much as all."""
        if enough := self._limits.add(event, result):
            self.stop(*enough)

    def _count(self, member: Member, news: News) -> None:
        """Add up what each process said last."""
        self._attempts[member] = news
        all_news, attempts = self._attempts.values(), self._recorder.attempts
        attempts.requests = sum(one.requests for one in all_news)
        attempts.retries = sum(one.retries for one in all_news)
        attempts.duplicates = sum(one.duplicates for one in all_news)
        attempts.first = min((one.first for one in all_news if one.first), default=0.0)
        attempts.last = max(one.last for one in all_news)
        attempts.answers.take(one.answers for one in all_news if one.answers is not None)
        self._recorder.tell_attempts()

    def _take_leave(self, member: Member, bye: Bye) -> None:
        """A process has told all; while the run goes on, that is how each of its rows ended."""
        if bye.error is not None:
            self._error = self._error or RuntimeError(bye.error)
            self.stop("error", bye.error)
        elif member.rows:
            left = f"a sender process left {len(member.rows)} rows behind; replay resume goes on"
            self.stop("error", left)

    async def _lose(self, member: Member) -> None:
        """A process ended without a word: its marks tell how far its rows came."""
        how = await member.ended()
        requests, retries, duplicates = self._recorder.tallied(member.part)
        last = self._attempts.get(member, News([], [], []))
        counted = msgspec.structs.replace(last, requests=requests, retries=retries, duplicates=duplicates)
        self._count(member, counted)
        for event in [*member.rows.values()]:
            self._write_down(self._recorder.tell_lost, event)
        member.rows.clear()
        member.make_room()
        self.stop("error", f"a sender process ended by itself ({how}); replay resume goes on")

    def _write_down(self, tell: Callable[P, None], *values: P.args, **named: P.kwargs) -> None:
        """One row that cannot be written down does not keep the next from being tried."""
        try:
            tell(*values, **named)
        except StorageError as error:
            self.stop(error.kind, str(error))
