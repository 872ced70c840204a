"""A run: plan, send, write down. The story of `send` and `resend`."""

from __future__ import annotations

import asyncio
import signal
import time
from contextlib import AsyncExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
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
    from collections.abc import AsyncIterator, Iterator, Sequence

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

    async def send(self, started: float | None = None) -> Summary:
        """Send the plan's rows and return the summary; a stop is in its `state`, not an exception.

        Raises StorageError where not even the summary can be written.
        """
        self._started = started if started is not None else self._started
        open_runs(self.settings.runs)
        with Ledger(self.settings.ledger_path) as ledger:
            ledger.begin(self.folder.run, _now(), self.command, self.settings.sink.url)
            self.folder.write_record(run_record(self.plan, self.settings, self.folder.run, self.command))
            recorder = Recorder(self.plan, ledger, self.folder)
            try:
                return await self._send(recorder, ledger)
            finally:
                recorder.close()

    async def _send(self, recorder: Recorder, ledger: Ledger) -> Summary:
        async with AsyncExitStack() as stack:
            settings = await self._target(stack)
            sink = await stack.enter_async_context(HttpSink(settings.sink))
            throttle = Throttle(settings.send.rate, asyncio.get_running_loop().time)
            sender = Sender(sink, throttle, settings.send, recorder)
            ticking = asyncio.create_task(self._tick(sender, throttle, recorder, ledger))
            try:
                with _signals(sender, self.observer):
                    await sender.run(self._events(recorder))
            finally:
                ticking.cancel()
                await asyncio.gather(ticking, return_exceptions=True)
        return await asyncio.to_thread(self._finish, sender, recorder, ledger)

    async def _target(self, stack: AsyncExitStack) -> RunSettings:
        """The settings as they stand, or pointed at a sandbox of our own."""
        if not self.settings.sandbox:
            return self.settings
        sandbox = await stack.enter_async_context(Sandbox(SandboxSettings(port=0, key=SANDBOX_KEY)))
        sink = replace(self.settings.sink, url=sandbox.url, api_key=SANDBOX_KEY)
        return replace(self.settings, sink=sink)

    async def _events(self, recorder: Recorder) -> AsyncIterator[Sequence[Event]]:
        feed = ahead(batches(self.plan, self.settings.send.limit))
        async for batch in feed:
            recorder.add_batch(batch)
            yield batch.events
        _count_limit(recorder.counts, self.plan.skipped)

    async def _tick(self, sender: Sender, throttle: Throttle, recorder: Recorder, ledger: Ledger) -> None:
        """Write down and show what happened, several times a second."""
        next_summary = 0.0
        while True:
            progress = Progress(recorder.counts, self.plan.valid, sender.in_flight, throttle.waiting_for)
            self.observer.on_progress(progress)
            try:
                await asyncio.to_thread(ledger.flush)
                if time.monotonic() >= next_summary:
                    summary = self._summary(recorder.counts, "running", None, self._files_so_far())
                    await asyncio.to_thread(self._write_summary, summary)
                    next_summary = time.monotonic() + SUMMARY_SECONDS
            except StorageError as error:
                sender.stop(error.kind, str(error))
                return
            await asyncio.sleep(TICK_SECONDS)

    def _finish(self, sender: Sender, recorder: Recorder, ledger: Ledger) -> Summary:
        """Make the files whole and write the last summary."""
        stopped_by, files = sender.stopped_by, self._files_so_far()
        self.stop_reason = sender.stop_reason
        try:
            ledger.flush()
            files = recorder.finish()
        except StorageError as error:
            stopped_by, self.stop_reason = error.kind, str(error)
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

    def _write_summary(self, summary: Summary) -> None:
        write_whole(self.folder.summary, summary.as_json() + b"\n")


@contextmanager
def _signals(sender: Sender, observer: Observer) -> Iterator[None]:
    """Ctrl-C and SIGTERM stop the run, a second one ends it; only where signals can be handled."""
    loop = asyncio.get_running_loop()
    asked = 0

    def on_signal() -> None:
        nonlocal asked
        asked += 1
        if asked == 1:
            sender.stop("interrupted", "interrupted by hand")
            observer.on_stop("Stopping: what is in flight is finished first. Once more ends at once.")
        else:
            sender.abort()

    handled = []
    for number in (signal.SIGINT, signal.SIGTERM):
        with suppress(ValueError, RuntimeError, NotImplementedError):
            loop.add_signal_handler(number, on_signal)
            handled.append(number)
    try:
        yield
    finally:
        for number in handled:
            loop.remove_signal_handler(number)


def _count_limit(counts: Counts, rows: int) -> None:
    if rows:
        counts.add(Outcome.SKIPPED, None, "limit", rows)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
