"""A run: plan, send, write down. The story of `send` and `resend`."""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Protocol

from replay.errors import StorageError
from replay.ledger import Ledger
from replay.pipeline.feed import ahead, batches
from replay.pipeline.record import run_record
from replay.pipeline.recorder import Recorder
from replay.records import Outcome
from replay.report import Counts, Files, RunFolder, Summary, open_runs, shown, write_whole
from replay.sandbox import Sandbox, SandboxSettings
from replay.sender import Sender
from replay.sink import HttpSink, Throttle

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence

    from replay.pipeline.plan import Plan
    from replay.records import Event
    from replay.settings import RunSettings

TICK_SECONDS: Final = 0.2
SUMMARY_SECONDS: Final = 1.0
SANDBOX_KEY: Final = "sandbox"


@dataclass(frozen=True, slots=True)
class Progress:
    """How a run stands at this moment."""

    counts: Counts
    sendable: int
    in_flight: int
    waiting_for: str | None


class Observer(Protocol):
    """Who is told how a run goes."""

    def on_progress(self, progress: Progress) -> None:
        """Called several times a second while the run lives."""

    def on_stop(self, reason: str) -> None:
        """Called once when the run stops before its end."""


class Silent:
    """An observer that says nothing."""

    def on_progress(self, progress: Progress) -> None:
        """Say nothing."""

    def on_stop(self, reason: str) -> None:
        """Say nothing."""


def dry_run(plan: Plan, command: str, started: float) -> Summary:
    """What a run of this plan would begin with; nothing is written."""
    counts = Counts(plan.read)
    for tally in plan.tally.problems():
        if tally.severity == "error":
            counts.reasons["invalid", None, tally.rule] = tally.rows
    counts.rows["invalid"] = plan.invalid
    _count_limit(counts, plan.skipped)
    return Summary(
        run=None,
        command=command,
        state="dry-run",
        stopped_by=None,
        rows=counts.by_outcome(),
        requests=0,
        retries=0,
        possible_duplicates=0,
        seconds=round(time.monotonic() - started, 3),
        rows_per_second=0.0,
        reasons=counts.reasons_listed(),
        files=Files(),
    )


class Run:
    """One run over a plan. `started` is the monotonic moment at which the command began."""

    def __init__(
        self,
        plan: Plan,
        settings: RunSettings,
        folder: RunFolder,
        command: str = "send",
        observer: Observer | None = None,
    ) -> None:
        self.plan = plan
        self.settings = settings
        self.folder = folder
        self.command = command
        self.observer = observer or Silent()
        self.stop_reason: str | None = None
        self._started = time.monotonic()
        self._sender: Sender | None = None
        self._interrupted = False

    async def send(self, started: float | None = None) -> Summary:
        """Send the plan's rows and return the summary; a stop is in its `state`, not an exception.

        Cancelled, it finishes what is in flight and writes everything down first. Raises StorageError
        where not even the summary can be written.
        """
        self._started = started if started is not None else self._started
        open_runs(self.settings.runs)
        with Ledger(self.settings.ledger_path) as ledger:
            record = run_record(self.plan, self.settings, self.folder.run, self.command)
            ledger.begin(self.folder.run, record["started"], self.command, record["url"])
            self.folder.write_record(record)
            recorder = Recorder(self.plan, ledger, self.folder)
            try:
                return await self._send(recorder, ledger)
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

    async def _send(self, recorder: Recorder, ledger: Ledger) -> Summary:
        async with AsyncExitStack() as stack:
            settings = await self._target(stack)
            sink = await stack.enter_async_context(HttpSink(settings.sink))
            throttle = Throttle(settings.send.rate, time.monotonic)
            self._sender = sender = Sender(sink, throttle, settings.send, recorder)
            self._write_running(recorder.counts)
            fault = await self._send_events(sender, throttle, recorder, ledger)
        if isinstance(fault, asyncio.CancelledError):
            sender.stopped_by = "interrupted"
        summary = await asyncio.to_thread(self._finish, sender, recorder, ledger)
        if fault is not None:
            raise fault
        return summary

    async def _send_events(
        self, sender: Sender, throttle: Throttle, recorder: Recorder, ledger: Ledger
    ) -> BaseException | None:
        """Send everything; returns what broke, to be raised once the run is written down."""
        ticking = asyncio.create_task(self._tick(sender, throttle, recorder, ledger))
        fault: BaseException | None = None
        try:
            async with aclosing(self._events(recorder)) as events:
                await sender.run(events)
        except BaseException as error:
            fault = error
        ticking.cancel()
        (ended,) = await asyncio.gather(ticking, return_exceptions=True)
        return fault or (ended if isinstance(ended, Exception) else None)

    async def _target(self, stack: AsyncExitStack) -> RunSettings:
        """The settings as they stand, or pointed at a sandbox of our own."""
        if not self.settings.sandbox:
            return self.settings
        sandbox = await stack.enter_async_context(Sandbox(SandboxSettings(port=0, key=SANDBOX_KEY)))
        sink = replace(self.settings.sink, url=sandbox.url, api_key=SANDBOX_KEY)
        return replace(self.settings, sink=sink)

    async def _events(self, recorder: Recorder) -> AsyncGenerator[Sequence[Event], None]:
        async with aclosing(ahead(batches(self.plan, self.settings.send.limit))) as feed:
            async for batch in feed:
                await recorder.add_batch(batch)
                yield batch.events
        _count_limit(recorder.counts, self.plan.skipped)

    async def _tick(self, sender: Sender, throttle: Throttle, recorder: Recorder, ledger: Ledger) -> None:
        """Write down and show what happened, several times a second."""
        next_summary = time.monotonic() + SUMMARY_SECONDS
        try:
            while True:
                progress = Progress(recorder.counts, self.plan.valid, sender.in_flight, throttle.waiting_for)
                self.observer.on_progress(progress)
                await asyncio.to_thread(ledger.flush)
                if time.monotonic() >= next_summary:
                    await asyncio.to_thread(self._write_running, recorder.counts)
                    next_summary = time.monotonic() + SUMMARY_SECONDS
                await asyncio.sleep(TICK_SECONDS)
        except StorageError as error:
            sender.stop(error.kind, str(error))
        except Exception as error:
            sender.stop("error", str(error))
            raise

    def _finish(self, sender: Sender, recorder: Recorder, ledger: Ledger) -> Summary:
        """Make the files whole and write the last summary."""
        stopped_by, files = sender.stopped_by, self._files_so_far()
        self.stop_reason = sender.stop_reason
        try:
            ledger.flush()
            files = recorder.finish()
        except StorageError as error:
            stopped_by, self.stop_reason = error.kind, str(error)
            files = recorder.keep()
        state = {None: "finished", "interrupted": "interrupted"}.get(stopped_by, "stopped")
        stopped = stopped_by if state == "stopped" else None
        summary = self._summary(recorder.counts, state, stopped, files)
        self._write_summary(summary)
        return summary

    def _files_so_far(self) -> Files:
        return Files(folder=shown(self.folder.path))

    def _summary(self, counts: Counts, state: str, stopped_by: str | None, files: Files) -> Summary:
        seconds = time.monotonic() - self._started
        tried = sum(counts.rows[outcome] for outcome in ("delivered", "rejected", "exhausted", "ambiguous"))
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

    def _write_running(self, counts: Counts) -> None:
        self._write_summary(self._summary(counts, "running", None, self._files_so_far()))

    def _write_summary(self, summary: Summary) -> None:
        write_whole(self.folder.summary, summary.as_json() + b"\n")


def _count_limit(counts: Counts, rows: int) -> None:
    if rows:
        counts.add(Outcome.SKIPPED, None, "limit", rows)
