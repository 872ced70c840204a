"""The durable truth about every run: what became of each row that was not delivered.

Format 1, one SQLite file in the runs folder (WAL, `synchronous=FULL`):

    runs     id, started (ISO 8601, UTC), command, url (no userinfo, no query)
    reasons  id, text                each reason once
    rows     run, source, row → outcome, status, attempts, reason

Invariants: a row stands at most once a run; a later word about it replaces the earlier one;
`pending` is no word and is not kept. It holds no payloads and no keys. Words are collected and
written in groups by `flush`, which may run in another thread than `record`.
"""

from __future__ import annotations

import sqlite3
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, Self

from replay.errors import StorageError
from replay.records import Outcome, Result

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from types import TracebackType

FILE_NAME: Final = "ledger.sqlite"
FORMAT: Final = 1
APPLICATION_ID: Final = 0x48526570

_SCHEMA: Final = f"""
CREATE TABLE runs (id TEXT PRIMARY KEY, started TEXT NOT NULL, command TEXT NOT NULL, url TEXT NOT NULL)
  WITHOUT ROWID;
CREATE TABLE reasons (id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE);
CREATE TABLE rows (
  run TEXT NOT NULL, source INTEGER NOT NULL, row INTEGER NOT NULL,
  outcome TEXT NOT NULL, status INTEGER, attempts INTEGER NOT NULL, reason INTEGER NOT NULL,
  PRIMARY KEY (run, source, row)) WITHOUT ROWID;
PRAGMA application_id = {APPLICATION_ID};
PRAGMA user_version = {FORMAT};
"""


class Ledger:
    """The runs of one runs folder; open it, tell it what happens, ask it what happened."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._news: dict[tuple[str, int, int], Result] = {}
        with _in_words(path):
            path.touch(mode=0o600)
            self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None, timeout=10)
            try:
                self._prepare()
            except BaseException:
                self._db.close()
                raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; what was collected and not flushed is not kept."""
        self._db.close()

    def begin(self, run: str, started: str, command: str, url: str) -> None:
        """Note that a run starts."""
        with self._lock, _in_words(self.path):
            self._db.execute("INSERT INTO runs VALUES (?, ?, ?, ?)", (run, started, command, url))

    def runs(self) -> int:
        """How many runs are known."""
        with self._lock, _in_words(self.path):
            return int(self._db.execute("SELECT count(*) FROM runs").fetchone()[0])

    def record(self, run: str, source: int, row: int, result: Result) -> None:
        """Collect how a row ended; nothing is written before the next flush."""
        with self._lock:
            self._news[run, source, row] = result

    def flush(self) -> None:
        """Write all that was collected in one transaction; what cannot be written stays collected."""
        with self._lock, _in_words(self.path):
            if self._news:
                with self._transaction():
                    self._write(self._news)
                self._news = {}

    def failures(self, run: str, source: int) -> Iterator[tuple[int, Result]]:
        """The rows of one source of a run that did not arrive, by row number."""
        with _in_words(self.path):
            cursor = self._db.execute(
                "SELECT row, outcome, status, attempts, text FROM rows JOIN reasons ON reasons.id = reason"
                " WHERE run = ? AND source = ? ORDER BY row",
                (run, source),
            )
            for row, outcome, status, attempts, reason in cursor:
                yield row, Result(Outcome(outcome), status, attempts, reason)

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:  # a full disk has rolled back by itself
                self._db.execute("ROLLBACK")
            raise

    def _prepare(self) -> None:
        # Two runs may meet at a new ledger, and a run may be killed while it makes one.
        if self._number("application_id") == 0:
            with self._transaction():
                if not self._db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
                    for statement in _SCHEMA.split(";"):
                        self._db.execute(statement)
        self._check_format()
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = FULL")

    def _number(self, pragma: str) -> int:
        return int(self._db.execute(f"PRAGMA {pragma}").fetchone()[0])

    def _check_format(self) -> None:
        application, version = self._number("application_id"), self._number("user_version")
        if application != APPLICATION_ID:
            raise StorageError(f"{self.path}: not a ledger of this tool. Name another folder with --runs.")
        if version > FORMAT:
            raise StorageError(
                f"{self.path}: written by a newer hackle-replay (format {version}; this one reads {FORMAT}). "
                "Upgrade: pip install -U hackle-replay."
            )

    def _write(self, news: dict[tuple[str, int, int], Result]) -> None:
        texts = {result.reason for result in news.values()}
        self._db.executemany("INSERT OR IGNORE INTO reasons (text) VALUES (?)", [(text,) for text in texts])
        self._db.executemany(
            "DELETE FROM rows WHERE run = ? AND source = ? AND row = ?",
            [key for key, result in news.items() if result.outcome is Outcome.PENDING],
        )
        self._db.executemany(
            "INSERT OR REPLACE INTO rows VALUES (?, ?, ?, ?, ?, ?, (SELECT id FROM reasons WHERE text = ?))",
            [
                (*key, result.outcome.value, result.status, result.attempts, result.reason)
                for key, result in news.items()
                if result.outcome is not Outcome.PENDING
            ],
        )


@contextmanager
def _in_words(path: Path) -> Iterator[None]:
    """Tell the faults of SQLite and of the disk below it in words."""
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        raise StorageError(
            f"The ledger {path} cannot be used: {error}. "
            "Nothing goes on without it; make room or mend the folder, or name another one with --runs."
        ) from error
