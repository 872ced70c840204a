"""Writes down what happens to rows while a run lives, and makes its files whole at the end."""

from __future__ import annotations

import asyncio
import time
from itertools import islice
from pathlib import PurePath
from typing import TYPE_CHECKING, Final

import numpy as np

from replay.errors import SourceError
from replay.pipeline.plan import stamp_of
from replay.records import Chunk, Event, Outcome, Result
from replay.report import (
    Counts,
    FailedFile,
    Files,
    Note,
    Notes,
    UnreadableFile,
    carried_notes,
    failed_names,
    first_name,
    shape_of,
    shown,
)
from replay.sink import Answer, Meaning, Tries
from replay.source import open_source

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from replay.ledger import Ledger
    from replay.pipeline.feed import Batch
    from replay.pipeline.plan import Plan
    from replay.pipeline.stages import Judged
    from replay.report import RunFolder

NOTED_AT_ONCE: Final = 200  # invalid rows written down before the sender gets its turn
_FAILED: Final = frozenset({Outcome.REJECTED, Outcome.EXHAUSTED, Outcome.AMBIGUOUS, Outcome.INVALID})


class Recorder:
    """The watcher of one run: counts, ledger, failed and unreadable files."""

    def __init__(self, plan: Plan, ledger: Ledger, folder: RunFolder) -> None:
        self._plan = plan
        self._ledger = ledger
        self._folder = folder
        self._severities = plan.job.severities()
        self.counts = Counts(plan.read)
        self._failed = [
            FailedFile(folder.failed / name, shape_of(source.format, source.header, source.delimiter))
            for name, source in zip(failed_file_names(plan), plan.sources, strict=True)
        ]
        self._unreadable = UnreadableFile(folder.unreadable)

    def on_start(self, event: Event) -> None:
        """Note when the first request left."""
        self.counts.first_request = self.counts.first_request or time.monotonic()

    def on_answer(self, event: Event, answer: Answer, before: Tries) -> None:
        """Count an attempt."""
        self.counts.requests += 1
        self.counts.last_answer = time.monotonic()
        if before.attempts:
            self.counts.retries += 1
        if before.unknowns and answer.meaning in (Meaning.ACCEPTED, Meaning.UNKNOWN):
            self.counts.possible_duplicates += 1

    def on_end(self, event: Event, result: Result) -> None:
        """Note how a row ended."""
        self.counts.add(result.outcome, result.status, result.reason)
        if result.outcome in _FAILED:
            self._fail(event.source, event.chunk, {event.place: result})

    def on_take_back(self, event: Event, result: Result) -> None:
        """Forget how a row ended: it is pending after all."""
        self.counts.add(result.outcome, result.status, result.reason, rows=-1)
        self._ledger.record(
            self._folder.run, event.source, event.row, Result(Outcome.PENDING, None, result.attempts, "")
        )

    async def add_batch(self, batch: Batch) -> None:
        """Note the rows of a chunk that are not sent, a few at a time: rows are in flight meanwhile."""
        for record in batch.judged.chunk.unreadable:
            self._unreadable.append(self._plan.sources[batch.source].source.name, record)
            self.counts.add(Outcome.INVALID, None, f"{record.rule}: {record.reason}")
        reasons = iter(self._reasons(batch.judged).items())
        while some := dict(islice(reasons, NOTED_AT_ONCE)):
            for reason in some.values():
                self.counts.add(Outcome.INVALID, None, reason)
            results = {place: Result(Outcome.INVALID, None, 0, reason) for place, reason in some.items()}
            self._fail(batch.source, batch.judged.chunk, results)
            await asyncio.sleep(0)

    def close(self) -> None:
        """Close the files as they are, to be read by whoever comes next."""
        for file in self._failed:
            file.close()
        self._unreadable.close()

    def finish(self) -> Files:
        """Make the files whole: every failed row of the ledger, in the order of its source."""
        return self._files([self._finish_failed(index, file) for index, file in enumerate(self._failed)])

    def keep(self) -> Files:
        """Give the files their names as they are, which needs no room on the disk."""
        return self._files([file.keep() for file in self._failed])

    def _files(self, failed: list[Path | None]) -> Files:
        unreadable = self._unreadable.finish()
        return Files(
            folder=shown(self._folder.path),
            failed=tuple(shown(path) for path in failed if path is not None),
            unreadable=shown(unreadable) if unreadable else None,
        )

    def _finish_failed(self, source: int, file: FailedFile) -> Path | None:
        """Rewrite a failed file in order; if its source is gone or changed, the `.part` is all there is."""
        planned = self._plan.sources[source]
        try:
            unchanged = stamp_of(planned.source) == planned.stamp
            return file.finish(self._failed_rows(source)) if unchanged else file.keep()
        except SourceError:
            return file.keep()

    def _reasons(self, judged: Judged) -> dict[int, str]:
        """Why each invalid row of a chunk is not sent."""
        reasons: dict[int, str] = {}
        for finding in judged.findings:
            if self._severities[finding.rule] != "error":
                continue
            words = f"{finding.rule}: {finding.message}"
            for place in finding.positions:
                reasons[place] = f"{reasons[place]}; {words}" if place in reasons else words
        return dict(sorted(reasons.items()))

    def _fail(self, source: int, chunk: Chunk, results: dict[int, Result]) -> None:
        for place, result in results.items():
            self._ledger.record(self._folder.run, source, int(chunk.rows[place]), result)
        self._failed[source].append(chunk, self._notes(source, chunk, results))

    def _notes(self, source: int, chunk: Chunk, results: dict[int, Result]) -> Notes:
        uid = self._plan.sources[source].uid
        carried = carried_notes(chunk, list(results))
        return {
            place: Note(*first_name(note, uid, int(chunk.rows[place])), result)
            for (place, result), note in zip(results.items(), carried, strict=True)
        }

    def _failed_rows(self, source: int) -> Iterator[tuple[Chunk, Notes]]:
        """The failed rows of a source, read once more from the source itself."""
        failures = self._ledger.failures(self._folder.run, source)
        row, result = next(failures, (0, None))
        if result is None:
            return
        planned = self._plan.sources[source]
        with open_source(planned.source, self._plan.job.read_settings(source)) as reader:
            for chunk in reader:
                results: dict[int, Result] = {}
                while result is not None and len(chunk) and row <= chunk.rows[-1]:
                    results[int(np.searchsorted(chunk.rows, row))] = result
                    row, result = next(failures, (0, None))
                if results:
                    yield chunk, self._notes(source, chunk, results)
                if result is None:
                    return


def failed_file_names(plan: Plan) -> list[str]:
    """The names of the failed files of a plan's sources, in their order."""
    return failed_names([(PurePath(source.source.name).name, source.format) for source in plan.sources])
