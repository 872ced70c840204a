"""The SQLite file: opened, checked, its transactions, and its faults told in words."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from replay.errors import StorageError
from replay.ledger import upgrading
from replay.ledger.base import Store
from replay.ledger.faults import words_of
from replay.ledger.schema import APPLICATION_ID, FORMAT, OLD_FORMAT, STATEMENTS
from replay.ledger.window import is_live

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

FILE_NAME: Final = "ledger.sqlite"
BUSY_SECONDS: Final = 10.0
_PAUSE_SECONDS: Final = 0.01


class SqliteStore(Store):
    """One open ledger file.

    After a fault within a transaction no other one begins: what the disk holds is no longer known.
    """

    def __init__(self, path: Path, busy_seconds: float = BUSY_SECONDS, *, reading: bool = False) -> None:
        self.path = path
        self.name = str(path)
        self._busy_seconds = busy_seconds
        self._reading = reading
        self._lock = threading.RLock()
        self._failed: StorageError | None = None
        with self.in_words():
            if not path.exists():
                path.touch(mode=0o600)
            self._db = sqlite3.connect(
                path, check_same_thread=False, isolation_level=None, timeout=busy_seconds
            )
        self._db.create_function("greatest", 2, max, deterministic=True)
        try:
            self._prepare()
        except BaseException:
            self._db.close()
            raise

    def close(self) -> None:
        """Close the file; nothing is pending here that a commit did not write."""
        with self._lock, self.in_words():
            self._db.close()

    @contextmanager
    def transaction(self, *, alone: bool = True) -> Iterator[None]:
        """All or nothing, durable when the block ends; other writers wait."""
        with self._lock:
            if self._failed is not None:
                raise StorageError(str(self._failed)) from self._failed
            with self.in_words():
                self._db.execute("BEGIN IMMEDIATE")
            try:
                yield from self._committed()
            except StorageError as error:
                self._failed = error
                raise

    def ask(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        """The rows that a query gives."""
        with self._lock, self.in_words():
            return self._db.execute(statement, values).fetchall()

    def each(self, statement: str, *values: Any) -> Iterator[tuple[Any, ...]]:
        """The rows that a query gives, one after another."""
        with self._lock, self.in_words():
            yield from self._db.execute(statement, values)

    def change(self, statement: str, *values: Any) -> int:
        """Run a statement; returns how many rows it changed."""
        with self._lock, self.in_words():
            return self._db.execute(statement, values).rowcount

    def tell_many(self, statement: str, rows: Iterable[tuple[Any, ...]]) -> None:
        """Run a statement for each of the rows."""
        with self._lock, self.in_words():
            self._db.executemany(statement, rows)

    def verify(self) -> None:
        """Look at every page: what decides whether a row is sent stands twice, or under a seal."""
        found = self.one("PRAGMA integrity_check(1)")
        if found != "ok":
            raise self.damaged(str(found))

    def settle_down(self) -> None:
        """Move everything from the journal into the file itself, where nobody is reading."""
        self.ask("PRAGMA wal_checkpoint(TRUNCATE)")

    def is_live(self, run: int, window: Path, boot: str) -> bool:
        """Whether a process holds the lock of a run's window."""
        return is_live(window)

    @contextmanager
    def in_words(self) -> Iterator[None]:
        """Tell the faults of SQLite, and of the disk below it, in words."""
        try:
            yield
        except UnicodeDecodeError as error:  # a name or a text in it, or in SQLite's own complaint
            raise self.damaged("a text in it is not what was written") from error
        except (sqlite3.Error, OSError) as error:
            raise StorageError(
                f"The ledger {self.path} cannot be used: {words_of(error, self._busy_seconds)}. "
                "Nothing is sent without it."
            ) from error

    def _committed(self) -> Iterator[None]:
        try:
            with self.in_words():
                yield
                self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:
                with self.in_words():
                    self._db.execute("ROLLBACK")
            raise

    def _prepare(self) -> None:
        with self.in_words():
            self._refuse_foreign()
            self._db.execute("PRAGMA synchronous = EXTRA")  # FULL, and the folder where a journal is removed
            self._journal_ahead()
            self._db.execute("PRAGMA fullfsync = ON")  # macOS: fsync alone stops at the drive's cache
        if self._is_empty():
            with self.transaction():
                if self._is_empty():
                    self._create()
        self._bring_to_format()
        self._check()

    def _is_empty(self) -> bool:
        return not self.one("SELECT count(*) FROM sqlite_master")

    def _journal_ahead(self) -> None:
        """Write ahead (WAL). Two that open a new file at once refuse each other without waiting."""
        give_up = time.monotonic() + self._busy_seconds
        while True:
            try:
                mode = self.one("PRAGMA journal_mode = WAL")
            except StorageError:
                if time.monotonic() >= give_up:
                    raise
                time.sleep(_PAUSE_SECONDS)
                continue
            if mode != "wal":
                raise StorageError(
                    f"The ledger {self.path} cannot be kept there: its file system shares no memory between "
                    "processes. Name one on a local disk with --ledger."
                )
            return

    def _refuse_foreign(self) -> None:
        empty = self._is_empty()  # asked first: another process may be making it a ledger right now
        application = self.one("PRAGMA application_id")
        if application != APPLICATION_ID and not (application == 0 and empty):
            raise StorageError(
                f"{self.path} is not a ledger of this tool. Name another one with --ledger or --runs."
            )

    def _create(self) -> None:
        for statement in STATEMENTS:
            self._db.execute(statement)
        self._db.execute("INSERT INTO form VALUES (?)", (upgrading.new_name(),))
        self._db.execute("INSERT INTO salt VALUES (?)", (os.urandom(16),))
        self._db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        self._db.execute(f"PRAGMA user_version = {FORMAT}")

    def _check(self) -> None:
        self._refuse_foreign()
        version = self.one("PRAGMA user_version")
        if version > FORMAT:
            raise StorageError(
                f"{self.path} was written by a newer hackle-replay "
                f"(format {version}; this one knows {FORMAT}). "
                "Upgrade: pip install --upgrade hackle-replay."
            )
        is_old = self._reading and version == OLD_FORMAT
        self._check_tables(version, upgrading.old_statements() if is_old else set(STATEMENTS))

    def _check_tables(self, version: int, wanted: set[str]) -> None:
        tables = {text for (text,) in self.ask("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL")}
        if version < OLD_FORMAT or tables != wanted:
            raise self.damaged(f"its tables are not those of format {version or FORMAT}")

    def _bring_to_format(self) -> None:
        """Bring a file of format 1 to this format, or read it as it is."""
        if self.one("PRAGMA user_version") != OLD_FORMAT:
            return
        if self._reading:
            upgrading.read_as_new(self, "main", is_named=False)
            return
        self.verify()
        with self.transaction():
            if self.one("PRAGMA user_version") == OLD_FORMAT:
                self._check_tables(OLD_FORMAT, upgrading.old_statements())
                upgrading.refuse_live(self)
                upgrading.upgrade_file(self)
                self._db.execute(f"PRAGMA user_version = {FORMAT}")


def open_file(path: Path, busy_seconds: float = BUSY_SECONDS, *, reading: bool = False) -> Store:
    """Open a ledger file, making it where there is none.

    `busy_seconds`: how long to wait while another process holds it. `reading`: nothing will be written, and
    one of an older format stays as it is. Raises StorageError in words.
    """
    return SqliteStore(path, busy_seconds, reading=reading)
