"""Writes down what happens to rows while a run lives, and makes its files whole at the end."""

from __future__ import annotations

import asyncio
import time
from collections import Counter, deque
from contextlib import suppress
from itertools import islice
from typing import TYPE_CHECKING, Final, Protocol

from replay.errors import SourceError, StorageError
from replay.ledger import NO_SLOT, totals
from replay.pipeline.coursing import course_of
from replay.pipeline.edits import is_of_version_before, keep_edited, keep_edited_unreadable
from replay.pipeline.endings import count_skipped, not_sent, unreadable_now
from replay.pipeline.plan import stamp_of
from replay.pipeline.record import failed_file_names, failed_settings, mask_of
from replay.pipeline.tally import EVENT_KEY
from replay.pipeline.whole import Kept, Told, failed_file, files_of, make_whole, notes_on
from replay.records import Chunk, Event, Outcome, Result
from replay.report import Counts, Files, UnreadableFile, read_summary, shape_of
from replay.sender import Attempts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from replay.ledger import Book, Store
    from replay.pipeline.choosing import Chosen
    from replay.pipeline.plan import Plan
    from replay.report import RunFolder
    from replay.sink import Answer, Tries

NOTED_AT_ONCE: Final = 200  # rows written down before the sender gets its turn
_FAILED: Final = frozenset({Outcome.REJECTED, Outcome.EXHAUSTED, Outcome.AMBIGUOUS, Outcome.INVALID})


class Listener(Protocol):
    """Who is told of single rows."""

    def on_row(self, source: str, row: int, result: Result) -> None:
        """Called for each row that failed."""

    def on_duplicate(self, source: str, row: int) -> None:
        """Called for each request that may have made a row arrive once more."""


class Recorder:
    """The watcher of one run: counts, the run's book in the ledger, failed and unreadable files."""

    def __init__(self, plan: Plan, store: Store, book: Book, folder: RunFolder, listener: Listener) -> None:
        self._plan = plan
        self._book = book
        self._folder = folder
        self._listener = listener
        self._severities, mask = plan.job.severities(), plan.job.mask
        self._hides_keys = mask.covers(".".join(EVENT_KEY))
        self.counts = Counts(plan.read)
        self.counts.begin_with(totals(store, book.run))
        self.counts.go_on_with(read_summary(folder))
        self._told = Told(store, book.run, book.copies.get)
        self._kept = _kept(plan, folder)
        if any(map(is_of_version_before, self._kept)):
            make_whole(self._kept, self._told, folder, self._is_intact)
        for kept in self._kept:
            keep_edited(kept)
        self._waiting: deque[tuple[int, Chunk, int, Result]] = deque()  # failed rows on their way to a file
        self._unreadable = UnreadableFile(folder.unreadable)
        keep_edited_unreadable(self._unreadable, self._kept)
        self.attempts = Attempts()
        self.course = course_of(store, book.run)
        if self._hides_keys and not mask_of(folder).covers(".".join(EVENT_KEY)):
            self.course.mask_keys(mask.hash)
        self.course.begin_leg(time.monotonic(), time.time(), self._counted())
        self._before = self.counts.requests, self.counts.retries, self.counts.possible_duplicates

    def on_start(self, event: Event) -> None:
        """Write down that a request of this row is about to leave."""
        self._book.start(event.slot)
        self.attempts.start(event)
        if event.is_doubtful:
            self.tell_attempts()

    def on_answer(self, event: Event, answer: Answer, before: Tries) -> None:
        """Count an attempt."""
        extra = self.attempts.add(event, answer, before)
        self.tell_attempts()
        if extra:
            self.tell_extra(event)

    def tell_attempts(self) -> None:
        """Write down how many requests this leg has made."""
        attempts, counts, before = self.attempts, self.counts, self._before
        leg = attempts.requests, attempts.retries, attempts.duplicates
        self._book.count(*leg)
        counts.requests, counts.retries = before[0] + leg[0], before[1] + leg[1]
        counts.possible_duplicates = before[2] + leg[2]
        counts.first_request, counts.last_answer = attempts.first, attempts.last
        if attempts.last >= self.course.until:
            self.note_course(attempts.last)

    def note_course(self, moment: float) -> None:
        """Note for the report what happened until this moment of the monotonic clock."""
        self.course.note(moment, self._counted(), self.attempts.answers)

    def tell_extra(self, event: Event) -> None:
        """Tell of a request that may have made a row arrive once more."""
        self._listener.on_duplicate(self._name(event.source), event.row)

    @property
    def pending(self) -> int:
        """How many rows nothing is known of yet."""
        return self.counts.by_outcome()["pending"]

    def tell_failed(self, event: Event, result: Result) -> None:
        """Tell of a row that failed where its record is not at hand; its file is made whole in the end."""
        self._listener.on_row(self._name(event.source), event.row, result)

    def tallied(self, part: int) -> tuple[int, int, int]:
        """Requests, retries and extra sends as a sender process, from 1, counted them last."""
        return self._book.tallied(part)

    def tell_lost(self, event: Event) -> None:
        """Tell how a row ended, or that it is pending, after the process that had it is gone."""
        if (result := self._book.marked(event.slot)) is not None:
            self.on_end(event, result)

    def on_wait(self, event: Event) -> None:
        """The row was not accepted, for sure, and waits: a kill now leaves it pending."""
        self._book.wait(event.slot)

    def on_end(self, event: Event, result: Result) -> None:
        """Note how a row ended."""
        self._book.end(event.slot, event.copy, event.number, result)
        self.counts.add(result)
        self.course.count_key(self._key(event), delivered=result.outcome is Outcome.DELIVERED)
        if result.outcome in _FAILED and event.chunk is not None:
            self._waiting.append((event.source, event.chunk, event.place, result))
            self._listener.on_row(self._name(event.source), event.row, result)

    def on_delivered(self, events: Sequence[Event], result: Result) -> None:
        """Note that rows were delivered, whose marks stand in the window already."""
        self._book.end_marked(
            [event.slot for event in events],
            [event.copy for event in events],
            [event.number for event in events],
        )
        self.counts.add(result, rows=len(events))
        for key, rows in Counter([event.key for event in events]).items():
            self.course.count_key(self._shown_key(key), delivered=True, rows=rows)

    def on_take_back(self, event: Event, result: Result) -> None:
        """Forget how a row ended: it is pending after all."""
        self.counts.add(result, rows=-1)
        self.course.count_key(self._key(event), delivered=result.outcome is Outcome.DELIVERED, rows=-1)
        pending = Result(Outcome.PENDING, None, result.attempts, "")
        self._book.end(event.slot, event.copy, event.number, pending)

    async def add_chunk(self, source: int, chosen: Chosen) -> None:
        """Note the rows of a chunk that are not sent, a few at a time: rows are in flight meanwhile."""
        count_skipped(self.counts, chosen)
        for record, result in unreadable_now(chosen):
            self._unreadable.append(self._name(source), record)
            self._note(self._kept[source].uid, record.row, result)
            self._listener.on_row(self._name(source), record.row, result)
        results = iter(not_sent(chosen, self._severities).items())
        while some := dict(islice(results, NOTED_AT_ONCE)):
            for place, result in some.items():
                self._note(chosen.names.uids[place], int(chosen.names.rows[place]), result)
                self._waiting.append((source, chosen.judged.chunk, place, result))
                self._listener.on_row(self._name(source), int(chosen.judged.chunk.rows[place]), result)
            await asyncio.sleep(0)

    def write_failed(self) -> None:
        """Append what failed since the last time to the failed files, chunk by chunk.

        It talks to the disk and belongs into a thread, one call at a time; a kill before it loses nothing,
        because the files are written again from the ledger.
        """
        waiting = [self._waiting.popleft() for _ in range(len(self._waiting))]
        by_chunk: dict[tuple[int, int], tuple[Chunk, dict[int, Result]]] = {}
        for source, chunk, place, result in waiting:
            by_chunk.setdefault((source, id(chunk)), (chunk, {}))[1][place] = result
        left = deque(by_chunk.items())
        try:
            while left:
                (source, _), (chunk, results) = left[0]
                kept = self._kept[source]
                kept.failed.append(chunk, notes_on(chunk, kept.uid, results, self._folder.run))
                left.popleft()
        except BaseException:
            unwritten = [
                (source, chunk, place, result)
                for (source, _), (chunk, results) in left
                for place, result in results.items()
            ]
            self._waiting.extendleft(reversed(unwritten))
            raise

    def close(self) -> None:
        """Close the files as they are, to be read by whoever comes next."""
        for kept in self._kept:
            kept.failed.close()
        self._unreadable.close()

    def finish(self) -> Files:
        """Make the files whole: every failed row of the ledger, in the order of its source."""
        self.write_failed()  # for sources that are gone or changed there is no other copy of these rows
        self._unreadable.close()
        return make_whole(self._kept, self._told, self._folder, self._is_intact, is_alive=True)

    def keep(self) -> Files:
        """Give the files their names as they are, which needs no room on the disk."""
        with suppress(StorageError):  # the ledger has these rows, and a resume writes them again
            self.write_failed()
        failed = [kept.failed.keep() for kept in self._kept]
        return files_of(self._folder, failed, self._unreadable.keep())

    def _counted(self) -> tuple[int, int, int]:
        """Rows delivered and failed by being sent, and retries, over all legs."""
        counts = self.counts
        delivered = counts.rows[Outcome.DELIVERED]
        return delivered, counts.tried() - delivered, counts.retries

    def _is_intact(self, source: int) -> bool:
        planned = self._plan.sources[source]
        try:
            return stamp_of(planned.source) == planned.stamp
        except SourceError:
            return False

    def _note(self, uid: str, row: int, result: Result) -> None:
        self._book.end(NO_SLOT, self._book.copies[uid], row, result)
        self.counts.add(result)

    def _key(self, event: Event) -> str:
        """The event key of a row as it may be shown."""
        return self._shown_key(event.key)

    def _shown_key(self, key: str) -> str:
        return self._plan.job.mask.hash(key) if self._hides_keys else key

    def _name(self, source: int) -> str:
        return self._kept[source].source.name


def _kept(plan: Plan, folder: RunFolder) -> list[Kept]:
    """The sources of a plan, and where their failed rows go."""
    return [
        Kept(
            source.source,
            plan.job.read_settings(index),
            source.uid,
            failed_file(folder, name, shape_of(source.format, source.header, source.delimiter)),
            failed_settings(source.format, source.delimiter),
            carries=bool(plan.carried),
        )
        for index, (name, source) in enumerate(zip(failed_file_names(plan), plan.sources, strict=True))
    ]
