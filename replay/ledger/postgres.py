"""The ledger in Postgres: opened, its transactions, its leases, and its faults told in words.

What the file does by locks of the system, leases do here: whoever keeps a run holds it for
LEASE_SECONDS from each commit on, by the server's clock, and is taken for dead when that is over. On
the machine that the run is kept on its window tells more, and at once: a free lock is a process that is gone.

A lease that ends while its holder is only slow loses and doubles nothing: the rows that it may still
send stand announced, whoever takes it for dead makes them ambiguous in the transaction that ends its leg,
and its own next commit finds the leg ended (`Book`).
"""

from __future__ import annotations

import os
import threading
import time
from contextlib import contextmanager, suppress
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar, Final

import psycopg
from psycopg.conninfo import conninfo_to_dict

from replay.errors import StorageError, UsageError
from replay.ledger import upgrading
from replay.ledger.base import Store
from replay.ledger.postgres_faults import words_of
from replay.ledger.postgres_schema import FORMAT, SCHEMA_NAME, STATEMENTS
from replay.ledger.schema import OLD_FORMAT
from replay.ledger.window import boot_id, is_live

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

BUSY_SECONDS: Final = 10.0
LEASE_SECONDS: Final = 10.0
FROZEN_SECONDS: Final = 5.0
FETCHED_AT_ONCE: Final = 5_000  # rows of a long answer
_LOCK: Final = 0x48526570
_CONNECTION: Final[dict[str, Any]] = {
    "application_name": "hackle-replay",
    "connect_timeout": "10",
    "keepalives_idle": "5",
    "keepalives_interval": "2",
    "keepalives_count": "3",
    "tcp_user_timeout": "10000",  # ms: a cut network is an error within ten seconds, not a wait for hours
}


class PostgresStore(Store):
    """One connection to a ledger. `windows`: the folder in which this machine's windows lie.

    After a fault within a transaction no other one begins: whether it was committed is not known.
    `lease_seconds` is how long a run is held without a word from whoever keeps it.
    """

    is_shared: ClassVar[bool] = True

    def __init__(
        self,
        url: str,
        name: str,
        windows: Path,
        busy_seconds: float = BUSY_SECONDS,
        lease_seconds: float | None = None,
        *,
        reading: bool = False,
    ) -> None:
        self.name = name
        self._url = url
        self._busy_seconds = busy_seconds
        self._reading = reading
        self._windows = windows
        self.lease_seconds = LEASE_SECONDS if lease_seconds is None else lease_seconds
        self._held_at: float | None = None
        self._lock = threading.RLock()
        self._failed: StorageError | None = None
        with self.in_words():
            self._db = _connect(url, busy_seconds)
        try:
            self._prepare()
        except BaseException:
            self._db.close()
            raise

    def reconnect(self) -> None:
        """Begin anew after a fault, for those who can tell what of theirs was written."""
        with self._lock, self.in_words():
            self._db.close()
            self._db = _connect(self._url, self._busy_seconds)
            self._failed = None

    def close(self) -> None:
        """Hang up."""
        with self._lock, self.in_words():
            self._db.close()

    @contextmanager
    def transaction(self, *, alone: bool = True) -> Iterator[None]:
        """All or nothing, durable when the block ends.

        Transactions that begin or end runs are alone; those of runs that live go on side by side.
        """
        with self._lock:
            if self._failed is not None:
                raise StorageError(str(self._failed)) from self._failed
            try:
                with self.in_words():
                    self._db.execute(_BEGIN_ALONE if alone else _BEGIN)
                yield from self._committed()
            except StorageError as error:
                self._failed = error
                raise

    def ask(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        """The rows that a query gives."""
        with self._lock, self.in_words():
            return self._execute(statement, values).fetchall()

    def each(self, statement: str, *values: Any) -> Iterator[tuple[Any, ...]]:
        """The rows that a query gives, some at a time: they stay with the server until they are fetched."""
        with self._lock, self.in_words(), self._db.cursor(name="each", withhold=True) as cursor:
            cursor.itersize = FETCHED_AT_ONCE
            yield from cursor.execute(_translated(statement), _storable(values))

    def change(self, statement: str, *values: Any) -> int:
        """Run a statement; returns how many rows it changed."""
        with self._lock, self.in_words():
            return self._execute(statement, values).rowcount

    def tell_many(self, statement: str, rows: Iterable[tuple[Any, ...]]) -> None:
        """Run a statement for each of the rows, without waiting for one before the next."""
        with self._lock, self.in_words(), self._db.cursor() as cursor:
            cursor.executemany(_translated(statement), [_storable(row) for row in rows])

    def verify(self) -> None:
        """Postgres looks after its own pages: that it answers is all there is to see from here."""
        self.one("SELECT 1")

    @contextmanager
    def in_words(self) -> Iterator[None]:
        """Tell the faults of Postgres, and of the way to it, in words."""
        try:
            yield
        except OSError as error:  # of a window
            raise StorageError(f"{error.filename}: {error.strerror}. Nothing is sent without it.") from error
        except psycopg.Error as error:
            raise StorageError(
                f"The ledger {self.name} cannot be used: {words_of(error, self._busy_seconds)}. "
                "Nothing is sent without it."
            ) from error

    def is_live(self, run: int, window: Path, boot: str) -> bool:
        """Whether a run's window is locked on this machine, or somebody elsewhere holds a lease of it."""
        if boot == boot_id() and window.exists():
            return is_live(window) or self._has_workers(run)
        return self._is_held(run) or self._has_workers(run)

    def _is_held(self, run: int) -> bool:
        return bool(self.one("SELECT until > clock_timestamp() FROM leases WHERE run = ?", run))

    def _has_workers(self, run: int) -> bool:
        return bool(
            self.one(
                "SELECT 1 FROM shares WHERE run = ? AND worker IS NOT NULL AND NOT ended"
                " AND until + grace * interval '1 second' > clock_timestamp() LIMIT 1",
                run,
            )
        )

    @property
    def is_due(self) -> bool:
        """Whether a third of the lease is over."""
        return self._held_at is not None and time.monotonic() - self._held_at > self.lease_seconds / 3

    def hold(self, run: int) -> None:
        """Hold a run from now on; within a transaction that ends soon."""
        self._held_at = time.monotonic()
        self.tell(
            "INSERT INTO leases VALUES (?, clock_timestamp() + ? * interval '1 second')"
            " ON CONFLICT (run) DO UPDATE SET until = excluded.until",
            run,
            self.lease_seconds,
        )

    def refuse_unheld(self) -> None:
        """Raise StorageError where the lease is over by this machine's clock, begun before the server's."""
        if self._held_at is not None and time.monotonic() - self._held_at > self.lease_seconds:
            raise StorageError(
                f"The ledger {self.name} could not be told for {self.lease_seconds:g} seconds that the run "
                "lives, and others may take it for dead by now. Nothing more is sent; replay resume goes on."
            )

    def _execute(self, statement: str, values: tuple[Any, ...]) -> psycopg.Cursor[Any]:
        if not values:
            return self._db.execute(statement)
        return self._db.execute(_translated(statement), _storable(values))

    def _committed(self) -> Iterator[None]:
        try:
            with self.in_words():
                yield
                self._db.execute("COMMIT")
        except BaseException:
            with suppress(psycopg.Error):  # where the connection is gone, so is what was not committed
                self._db.execute("ROLLBACK")
            raise

    def _prepare(self) -> None:
        with self.transaction():
            if self.one("SELECT to_regclass(?)", f"{SCHEMA_NAME}.form") is None:
                self._create()
        self.path = self._windows / f"postgres-{self.one(_NAME)}"
        version = self._format_now()
        if version is None:
            raise self.damaged("it does not say which format it has")
        if version != FORMAT:
            raise StorageError(
                f"The ledger {self.name} was written by a newer hackle-replay "
                f"(format {version}; this one knows {FORMAT}). "
                "Upgrade: pip install --upgrade hackle-replay."
            )

    def _format_now(self) -> int | None:
        """The format of the ledger, after one of format 1 was brought to this one, or is read as it is."""
        version: int | None = self.one(_FORMAT)
        if version != OLD_FORMAT:
            return version
        if self._reading:
            upgrading.read_as_new(self, SCHEMA_NAME, is_named=True)
            return FORMAT
        with self.transaction():
            if self.one(_FORMAT) == OLD_FORMAT:
                upgrading.refuse_live(self)
                upgrading.upgrade_database(self)
        return int(self.one(_FORMAT))

    def _create(self) -> None:
        self.tell(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA_NAME}")
        for statement in STATEMENTS:
            self.tell(statement)
        self.tell("INSERT INTO salt VALUES (?)", os.urandom(16))
        self.tell("INSERT INTO form VALUES (?, ?)", FORMAT, os.urandom(4).hex())


_NAME: Final = "SELECT name FROM form"
_FORMAT: Final = "SELECT format FROM form"
_BEGIN: Final = f"BEGIN; SELECT pg_advisory_xact_lock_shared({_LOCK})"
_BEGIN_ALONE: Final = f"BEGIN; SELECT pg_advisory_xact_lock({_LOCK})"


def _connect(url: str, busy_seconds: float) -> psycopg.Connection[Any]:
    """Connect. What an address cannot be read for may hold a password, and is not repeated."""
    try:
        conninfo_to_dict(url)
    except psycopg.ProgrammingError:
        raise UsageError(
            "--ledger postgresql://…: not an address. Write it like postgresql://user@host/database."
        ) from None
    options = " ".join(
        f"-c {name}={said}"
        for name, said in {
            "search_path": SCHEMA_NAME,
            "synchronous_commit": "on",
            "lock_timeout": f"{busy_seconds * 1000:.0f}",
            # who is frozen in the middle of a transaction does not hold up the others for longer
            "idle_in_transaction_session_timeout": f"{FROZEN_SECONDS * 1000:.0f}",
        }.items()
    )
    return psycopg.connect(url, autocommit=True, options=options, **_CONNECTION)


@cache
def _translated(statement: str) -> Any:
    """A statement as psycopg wants it, where it has values."""
    return statement.replace("%", "%%").replace("?", "%s")


def _storable(values: tuple[Any, ...]) -> tuple[Any, ...]:
    """Values that Postgres takes: its texts hold no NUL."""
    if not any(isinstance(value, str) and "\0" in value for value in values):
        return values
    return tuple(value.replace("\0", "\ufffd") if isinstance(value, str) else value for value in values)
