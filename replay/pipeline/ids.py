"""The ids of failed rows, checked before anything is sent.

A row that lost its id, or has one that the ledger does not know, would be sent as a new row although an
earlier run delivered it or left it ambiguous. So such a file is refused, with the lines to look at.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from replay.errors import UsageError
from replay.ledger import rows_delivered, rows_failed, run_id
from replay.pipeline.naming import Seen
from replay.report import (
    COLUMNS,
    ID_COLUMN,
    blank_rows,
    carried_notes,
    carries_notes,
    flaw_of,
    misnamed_columns,
    parse_id,
    row_digests,
)
from replay.source import open_source

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from replay.ledger import Store
    from replay.pipeline.stages import Job
    from replay.records import Chunk

FLAWS_SHOWN: Final = 10

Row = tuple[str, int]
"""The name of a content, and a row of it."""


def refuse_header(header: tuple[str, ...], name: str, *, is_resend: bool) -> None:
    """Raise UsageError where the columns of a table show that ids were lost, or that it is no failed file."""
    if wrong := misnamed_columns(header):
        raise UsageError(
            f"{name}: the column {wrong[0]!r} must be named {wrong[0].strip().casefold()}, "
            "as the run wrote it."
        )
    has_notes = any(column in COLUMNS for column in header)
    if header and has_notes and ID_COLUMN not in header:
        raise UsageError(
            f"{name}: the column {ID_COLUMN} is missing, and without it delivered rows would be sent "
            "again. Take the columns that begin with _replay_ from the file as the run wrote it."
        )
    if header and not has_notes and is_resend:
        raise no_failed_file(name)


def no_failed_file(name: str) -> UsageError:
    """The error of a file that is resent, and has no notes."""
    return UsageError(
        f"{name}: not a failed file, because its rows have no {ID_COLUMN}. "
        f"If its rows are new, send it: replay send {name}. If a run wrote the file, put the _replay_ "
        "columns back first: without them rows that were delivered or are ambiguous are not recognized."
    )


class Flaws:
    """What is wrong with rows: the first few in words, the others counted."""

    def __init__(self) -> None:
        self.count = 0
        self._shown: list[str] = []

    def add(self, name: str, line: int, text: str) -> None:
        """Add a row of a file."""
        self.count += 1
        if len(self._shown) < FLAWS_SHOWN:
            self._shown.append(f"{name}, line {line}: {text}")

    def take(self, other: Flaws) -> None:
        """Add those of another file."""
        self.count += other.count
        self._shown += other._shown[: FLAWS_SHOWN - len(self._shown)]

    def __str__(self) -> str:
        beyond = self.count - len(self._shown)
        return "; ".join(self._shown) + (f"; and {beyond:,} more" if beyond else "")


class Ids:
    """Checks the rows of a run's sources, chunk by chunk in their order.

    `store`: the ledger that knows the rows; None where there is none yet. A source without notes is left
    alone, unless the run is a resend.
    """

    def __init__(self, job: Job, store: Store | None) -> None:
        self._job = job
        self._is_resend = job.selection is not None
        self._known = _Known(store)
        self._seen: dict[str, Seen] = {}
        self._twice: set[Row] = set()
        self._flaws = Flaws()
        self._found: Flaws = Flaws()  # of the source at hand
        self._rows = self._noted = 0
        self._without: list[tuple[int, int]] = []  # first line and number of rows of chunks without notes

    def begin(self, header: tuple[str, ...], name: str) -> None:
        """Begin with a source. Raises UsageError where its columns show that it is no failed file."""
        self._found, self._rows, self._noted, self._without = Flaws(), 0, 0, []
        refuse_header(header, name, is_resend=self._is_resend)

    def add(self, name: str, chunk: Chunk) -> None:
        """Check the rows of a chunk."""
        if not self._is_resend and not carries_notes(chunk):  # nearly always, so it costs nothing
            if chunk.kind == "records" and len(chunk) and len(self._without) < FLAWS_SHOWN:
                self._without.append((int(chunk.lines[0]), len(chunk)))
            return
        places = np.flatnonzero(~blank_rows(chunk)).tolist()
        self._rows += len(places)
        notes = carried_notes(chunk, places) if carries_notes(chunk) else [{} for _ in places]
        self._noted += sum(map(bool, notes))
        rows: dict[tuple[str, str], list[tuple[int, int]]] = {}
        for place, note in zip(places, notes, strict=True):
            line = int(chunk.lines[place])
            if (flaw := flaw_of(note)) is not None:
                self._found.add(name, line, flaw)
            elif (named := parse_id(note["id"])) is not None:
                rows.setdefault((named[0], note.get("run", "").strip()), []).append((named[1], line))
        for (uid, run), found in rows.items():
            self._add_named(name, uid, run, found)

    def end(self, name: str) -> None:
        """End a source. Raises UsageError where none of its rows has a note, and the run is a resend."""
        if self._noted:
            for line, rows in self._without:
                self._found.add(name, line, f"this and {rows - 1:,} more rows have no {ID_COLUMN}")
            self._flaws.take(self._found)
        elif self._rows and self._is_resend:
            raise no_failed_file(name)

    def refuse(self) -> None:
        """Raise UsageError where rows of any source have no id to rely on, or one id has different cells."""
        if not self._flaws.count and self._twice:
            self._compare_twice()
        if self._flaws.count:
            raise UsageError(
                f"{self._flaws}. Such rows could be sent twice, or instead of another row; nothing was sent. "
                "Give them back their _replay_id and _replay_row as the run wrote them, or remove them from "
                f"the file; new rows go into a file of their own, with `replay send`.{self._advice()}"
            )

    def _add_named(self, name: str, uid: str, run: str, found: Sequence[tuple[int, int]]) -> None:
        rows, lines = np.array(found, dtype=np.int64).T
        is_known = self._known.has(uid, run, rows)
        if not self._is_resend and not self._known.has_ledger:
            is_known[:] = True  # a first run: no row was sent before
        for place in np.flatnonzero(~is_known).tolist():
            self._found.add(
                name, int(lines[place]), f"the ledger knows no failed row {uid}-{rows[place]}{_of(run)}"
            )
        again = self._seen.setdefault(uid, Seen()).add(rows)
        self._twice.update((uid, int(row)) for row in rows[again])

    def _compare_twice(self) -> None:
        """Read the sources again, and compare the rows that share an id."""
        first: dict[Row, tuple[str, str]] = {}
        for index, source in enumerate(self._job.sources):
            with open_source(source, self._job.read_settings(index)) as reader:
                for chunk in reader:
                    self._compare(source.name, chunk, first)

    def _compare(self, name: str, chunk: Chunk, first: dict[Row, tuple[str, str]]) -> None:
        if not carries_notes(chunk):
            return
        notes = carried_notes(chunk, range(len(chunk)))
        named = {place: parse_id(note.get("id", "")) for place, note in enumerate(notes)}
        twice = {place: row for place, row in named.items() if row is not None and row in self._twice}
        for (place, row), digest in zip(twice.items(), row_digests(chunk, list(twice)), strict=True):
            line = int(chunk.lines[place])
            earlier, where = first.setdefault(row, (digest, f"{name}, line {line}"))
            if earlier != digest:
                text = f"has the {ID_COLUMN} of {where} ({row[0]}-{row[1]}), but other values"
                self._flaws.add(name, line, text)

    def _advice(self) -> str:
        return self._known.advice if self._is_resend else ""


class _Known:
    """The rows that the ledger knows to have failed, in this run or another; delivered since, or not."""

    def __init__(self, store: Store | None) -> None:
        self._store = store
        self._failed: dict[tuple[str, str], Seen | None] = {}
        self._runs: dict[str, int | None] = {}

    @property
    def has_ledger(self) -> bool:
        """Whether there is a ledger to ask."""
        return self._store is not None

    @property
    def advice(self) -> str:
        """What to do where rows are unknown."""
        name = "There is no ledger yet" if self._store is None else f"The ledger is {self._store.name}"
        return (
            f" {name}: if the run was made with another one, name it with --ledger; "
            "if it was stopped, `replay resume` it first."
        )

    def has(self, uid: str, run: str, rows: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which of these rows of a content the ledger knows; `run` "": by any run."""
        failed = self._failed_rows(uid, run)
        if failed is None or self._store is None:
            return np.zeros(len(rows), dtype=np.bool_)
        known = failed.has(rows)
        missing = [int(row) for row in rows[~known]]
        if missing:
            delivered = rows_delivered(self._store, uid, missing, self._runs.get(run))
            known |= np.isin(rows, list(delivered))
        return known

    def _failed_rows(self, uid: str, run: str) -> Seen | None:
        """The rows that a run did not deliver; None for a run that the ledger does not know."""
        if self._store is None:
            return None
        if run and run not in self._runs:
            self._runs[run] = run_id(self._store, run)
        if run and self._runs[run] is None:
            return None
        if (uid, run) not in self._failed:
            seen = Seen()
            for rows in rows_failed(self._store, uid, self._runs.get(run)):
                seen.add(np.array(rows, dtype=np.int64))
            self._failed[uid, run] = seen
        return self._failed[uid, run]


def _of(run: str) -> str:
    return f" of run {run}" if run else ""
