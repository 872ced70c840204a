"""A run: begun in the ledger, sent, written down. The story of `send`, `resume` and `resend`."""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, aclosing
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Final, ParamSpec, TypeVar

from replay.crew import Crew
from replay.errors import BusyError, StorageError, UsageError
from replay.ledger import begin, reopen, rows_recorded, target_of, was_reached
from replay.pipeline.choosing import Fate, Known
from replay.pipeline.coursing import write_course
from replay.pipeline.elsewhere import keeper_of
from replay.pipeline.feed import ahead, batches
from replay.pipeline.ledgers import opening_of
from replay.pipeline.places import places_of
from replay.pipeline.progress import Observer, Progress, Silent
from replay.pipeline.record import keep_mask, run_record
from replay.pipeline.recorder import Recorder
from replay.pipeline.reporting import write_report
from replay.records import Outcome
from replay.report import Counts, Files, RunFolder, Summary, SummaryFile, keep_recorded, shown, typed
from replay.sandbox import Sandbox, SandboxSettings
from replay.sender import Sender
from replay.sink import HttpSink, SharedPace, Throttle, masked

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Sequence

    from replay.cluster import Keeper
    from replay.ledger import Book, Store
    from replay.pipeline.plan import Plan
    from replay.records import Event
    from replay.report import Course
    from replay.sender import Announce
    from replay.settings import RunSettings

TICK_SECONDS: Final = 0.2
WRITE_SECONDS: Final = 0.4  # rows that end side by side meanwhile are written as one stretch
SUMMARY_SECONDS: Final = 1.0
SANDBOX_KEY: Final = "sandbox"
RATE_WITHIN: Final = 1_000.0  # requests a second that are sent well beside reading and writing down
ROWS_WITHIN: Final = 20_000  # rows for which starting another process is not worth it

P = ParamSpec("P")
T = TypeVar("T")


def dry_run(plan: Plan, command: str, started: float) -> Summary:
    """What a run of this plan would begin with; nothing is written."""
    return Summary(
        run=None,
        command=command,
        state="dry-run",
        stopped_by=None,
        rows=plan.counts.by_outcome(),
        requests=0,
        retries=0,
        possible_duplicates=0,
        seconds=round(time.monotonic() - started, 3),
        rows_per_second=0.0,
        reasons=plan.counts.reasons_listed(),
        files=Files(),
    )


class Run:
    """One run over a plan; `resumed` if it was begun before."""

    def __init__(
        self,
        plan: Plan,
        settings: RunSettings,
        folder: RunFolder,
        command: str = "send",
        observer: Observer | None = None,
        *,
        resumed: bool = False,
    ) -> None:
        self.plan = plan
        self.settings = settings
        self.folder = folder
        self.command = command
        self.observer = observer or Silent()
        self.resumed = resumed
        self.stop_reason: str | None = None
        self.report_fault: str | None = None
        self._started = time.monotonic()
        self._sender: Sender | Crew | Keeper | None = None
        self._look_at_pace: Callable[[], None] = lambda: None
        self._interrupted = False
        self._tried_before = 0
        self._places = places_of(plan)
        self._disk = ThreadPoolExecutor(1, "ledger")
        self._summary_file = SummaryFile(folder.summary)

    async def send(self, store: Store, started: float | None = None) -> Summary:
        """Send the plan's rows and return the summary; a stop is in its `state`, not an exception.

        Cancelled, it finishes what is in flight and writes everything down first. Raises BusyError
        where another run is at work on the same rows, StorageError where not even the summary can be
        written.
        """
        self._started = started if started is not None else self._started
        with self._disk, self._begin(store) as book:
            if not self.resumed:
                record = run_record(self.plan, self.settings, self.folder.run, self.command)
                self.folder.write_record(record | {"ledger_id": store.identity})
            recorder = Recorder(self.plan, store, book, self.folder, self.observer)
            keep_mask(self.folder, self.plan.job.mask)
            self._tried_before = recorder.counts.tried()
            try:
                return await self._send(recorder, store, book)
            finally:
                recorder.close()

    def interrupt(self) -> None:
        """Stop: what is in flight is finished first. Asked a second time, end at once."""
        if self._sender is None:
            return
        if self._interrupted:
            self._sender.abort()
            return
        self._interrupted = True
        self._sender.stop("interrupted", "interrupted by hand")
        self.observer.on_stop("Stopping: what is in flight is finished first. Once more ends at once.")

    def _begin(self, store: Store) -> Book:
        """Begin the run in the ledger, or go on with it: nothing is sent before."""
        opening = opening_of(store, self.plan, self.settings, self.folder, self.command, resumed=self.resumed)
        return reopen(store, opening) if self.resumed else begin(store, opening)

    async def _send(self, recorder: Recorder, store: Store, book: Book) -> Summary:
        async with AsyncExitStack() as stack:
            settings = _knowing(await self._target(stack), recorder.counts, store, book)
            pace = stack.enter_context(_pace(store, book, settings))
            sink = await stack.enter_async_context(HttpSink(settings.sink))
            announce = partial(self._announce, book)
            if settings.cluster is not None:
                sender: Sender | Crew | Keeper = keeper_of(
                    self.plan,
                    settings,
                    self.folder.run,
                    store=store,
                    book=book,
                    recorder=recorder,
                    on_disk=self._on_disk,
                )
            else:
                sender = self._sender_of(settings, sink, recorder, book, announce, pace)
            self._sender = sender
            self._look_at_pace = partial(_look, store, pace)
            self._summary_file.write(self._running(recorder.counts))
            fault = await self._send_events(sender, recorder, store, book)
        if isinstance(fault, asyncio.CancelledError):
            sender.stopped_by = "interrupted"
        summary: Summary = await self._on_disk(self._finish, sender, recorder, store, book)
        if fault is not None:
            raise fault
        return summary

    def _sender_of(
        self,
        settings: RunSettings,
        sink: HttpSink,
        recorder: Recorder,
        book: Book,
        announce: Announce,
        pace: SharedPace,
    ) -> Sender | Crew:
        """One sender in this process, or processes of their own where that is asked for, or worth it."""
        rate, processes = settings.send.rate, settings.send.processes
        is_fast = rate is None or rate > RATE_WITHIN
        if processes > 1 or (is_fast and self.plan.valid > ROWS_WITHIN):
            return Crew(settings.send, settings.sink, book.share(), recorder, announce, pace.file)
        throttle = Throttle(rate, time.monotonic, state=pace.state)
        return Sender(masked(sink, settings.sink.mask), throttle, settings.send, recorder, announce=announce)

    async def _announce(self, book: Book, events: Sequence[Event]) -> None:
        """Write into the ledger that rows are about to be sent."""
        rows = [(event.copy, event.number) for event in events]
        try:
            slots = await self._on_disk(book.announce, rows)
        except BusyError as error:
            raise StorageError(str(error)) from error
        for event, slot in zip(events, slots, strict=True):
            event.slot = slot

    async def _on_disk(self, work: Callable[P, T], *values: P.args, **named: P.kwargs) -> T:
        """Run what talks to the ledger's disk in the one thread that may, without holding up the loop."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._disk, partial(work, *values, **named))

    async def _send_events(
        self, sender: Sender | Crew | Keeper, recorder: Recorder, store: Store, book: Book
    ) -> BaseException | None:
        """Send everything; returns what broke, to be raised once the run is written down."""
        ticking = asyncio.create_task(self._tick(sender, recorder, store, book))
        fault: BaseException | None = None
        try:
            async with aclosing(self._events(recorder, store, book)) as events:
                await sender.run(events)
        except BaseException as error:
            fault = error
        ticking.cancel()
        (ended,) = await asyncio.gather(ticking, return_exceptions=True)
        self._tell(sender, recorder)
        return fault or (ended if isinstance(ended, Exception) else None)

    async def _target(self, stack: AsyncExitStack) -> RunSettings:
        """The settings as they stand, or pointed at a sandbox of our own."""
        if not self.settings.sandbox:
            return self.settings
        sandbox = await stack.enter_async_context(Sandbox(SandboxSettings(port=0, key=SANDBOX_KEY)))
        sink = replace(self.settings.sink, url=sandbox.url, api_key=SANDBOX_KEY)
        return replace(self.settings, sink=sink)

    async def _events(
        self, recorder: Recorder, store: Store, book: Book
    ) -> AsyncGenerator[Sequence[Event], None]:
        known = Known(store, target_of(store, book.run), book.run, again=book.again)
        async with aclosing(ahead(batches(self.plan, known, book.copies))) as feed:
            async for batch in feed:
                if batch.chosen is not None:
                    position = batch.chosen.judged.chunk.position
                    self._places.add(batch.source, position, batch.chosen.count(Fate.SEND))
                    await recorder.add_chunk(batch.source, batch.chosen)
                    await self._on_disk(recorder.write_failed)
                yield batch.events
        recorder.counts.skip("limit", self.plan.skipped["limit"])

    async def _tick(
        self, sender: Sender | Crew | Keeper, recorder: Recorder, store: Store, book: Book
    ) -> None:
        """Write down and show what happened, several times a second."""
        next_write, next_summary = 0.0, time.monotonic() + SUMMARY_SECONDS
        try:
            while True:
                self._tell(sender, recorder)
                if (now := time.monotonic()) >= next_write:
                    await self._on_disk(book.write)
                    await self._on_disk(recorder.write_failed)
                    next_write = now + WRITE_SECONDS
                recorder.course.limit = sender.rate_now
                if (now := time.monotonic()) >= recorder.course.until:
                    recorder.note_course(now)
                if now >= next_summary:
                    await self._on_disk(self._look_at_pace)
                    await self._on_disk(write_course, store, book.run, recorder.course.take())
                    summary = self._running(recorder.counts)
                    await self._on_disk(book.write)  # a summary counts only what is committed
                    await asyncio.to_thread(self._summary_file.write, summary)
                    next_summary = time.monotonic() + SUMMARY_SECONDS
                await asyncio.sleep(TICK_SECONDS)
        except (StorageError, BusyError) as error:
            sender.stop("storage", str(error))
        except Exception as error:
            sender.stop("error", str(error))
            raise

    def _tell(self, sender: Sender | Crew | Keeper, recorder: Recorder) -> None:
        counts, tried = recorder.counts, recorder.counts.tried() - self._tried_before
        now = sender.in_flight, sender.rate_now, sender.waiting_for
        place = self._places.at(tried)
        answers = recorder.attempts.answers
        self.observer.on_progress(Progress(counts, tried, *now, answers, self.plan.valid, place))

    def _finish(
        self, sender: Sender | Crew | Keeper, recorder: Recorder, store: Store, book: Book
    ) -> Summary:
        """Make the files whole and write the last summary."""
        stopped_by, files = sender.stopped_by, self._files_so_far()
        self.stop_reason = sender.stop_reason
        recorder.note_course(time.monotonic())
        try:
            book.write()
            write_course(store, book.run, recorder.course.take())
            files = recorder.finish()
            book.close()
            keep_recorded(self.folder, rows_recorded(store)[self.folder.run])
        except (StorageError, BusyError) as error:
            stopped_by, self.stop_reason = "storage", str(error)
            files = recorder.keep()
        state = {None: "finished", "interrupted": "interrupted"}.get(stopped_by, "stopped")
        # an error that nobody foresaw is raised; it has no word of its own
        stopped = stopped_by if state == "stopped" and stopped_by != "error" else None
        summary = self._summary(recorder.counts, state, stopped, files)
        self._summary_file.write(summary)
        return self._report(summary, recorder.course)

    def _report(self, summary: Summary, course: Course) -> Summary:
        """Write the report of a run that is written down: what fails here is no failure of the run."""
        try:
            path = write_report(self.folder, summary.as_dict(), course)
            summary = replace(summary, files=replace(summary.files, report=shown(path)))
            self._summary_file.write(summary)
        except UsageError as error:
            self.report_fault = f"There is no report.html. {error}"
        except Exception as error:
            self.report_fault = f"There is no report.html: {error}. Try again: replay report {self._typed}"
        return summary

    @property
    def _typed(self) -> str:
        return typed(self.folder.run, shown(self.folder.path))

    def _files_so_far(self) -> Files:
        return Files(folder=shown(self.folder.path))

    def _summary(self, counts: Counts, state: str, stopped_by: str | None, files: Files) -> Summary:
        seconds = time.monotonic() - self._started
        tried = counts.tried() - self._tried_before
        sending = counts.last_answer - counts.first_request
        return Summary(
            run=self.folder.run,
            command=self.command,
            state=state,
            stopped_by=stopped_by,
            rows=counts.by_outcome(),
            requests=counts.requests,
            retries=counts.retries,
            possible_duplicates=counts.possible_duplicates,
            seconds=round(seconds, 3),
            rows_per_second=round(tried / sending, 1) if sending > 0 else 0.0,
            reasons=counts.reasons_listed(),
            files=files,
        )

    def _running(self, counts: Counts) -> Summary:
        return self._summary(counts, "running", None, self._files_so_far())


def _knowing(settings: RunSettings, counts: Counts, store: Store, book: Book) -> RunSettings:
    """The settings with what is known of the target, and of the run so far."""
    reached = was_reached(store, target_of(store, book.run))
    goes_on = counts.rows[Outcome.DELIVERED] > 0
    return replace(settings, send=replace(settings.send, reached=reached, goes_on=goes_on))


def _pace(store: Store, book: Book, settings: RunSettings) -> SharedPace:
    """What this run shares its pace through: with all live runs of its ledger and machine to its target.

    A sandbox of its own is no other run's target, and the workers of a cluster are lent their turns.
    """
    own = settings.sandbox or settings.cluster is not None
    target = f"run-{book.run}" if own else f"{target_of(store, book.run)}"
    with store.in_words():
        return SharedPace(store.path.with_name(f"{store.path.name}.pace-{target}"), settings.send.rate)


def _look(store: Store, pace: SharedPace) -> None:
    with store.in_words():
        pace.look()
