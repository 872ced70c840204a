"""Ledgers of format 1: brought to this format in one transaction, or read as they are.

Format 1 has no name for a file, no first rows of contents (`heads`) and no `readings`, does not mark the
rows that were once ambiguous (`doubted`), and does not say in which format a content and a mapping were
recorded. A run that was begun by an older version may still write: while one is live nothing is changed. An
older version that has the ledger open and begins afterwards fails before its first row, because it does not
fill `run_copies.format`.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from replay.errors import BusyError
from replay.ledger import postgres_schema
from replay.ledger.recovery import window_path
from replay.ledger.schema import FORMAT, OLD_FORMAT, STATEMENTS

if TYPE_CHECKING:
    from replay.ledger.base import Store

_OLD_STATEMENTS: Final = {
    "contents": "CREATE TABLE contents (id INTEGER PRIMARY KEY, uid TEXT NOT NULL UNIQUE)",
    "run_copies": """CREATE TABLE run_copies (
  copy INTEGER NOT NULL, run INTEGER NOT NULL, mapping TEXT, PRIMARY KEY (copy, run)) WITHOUT ROWID""",
    "words": """CREATE TABLE words (
  copy INTEGER NOT NULL, row INTEGER NOT NULL, run INTEGER NOT NULL, leg INTEGER NOT NULL,
  outcome TEXT NOT NULL, status INTEGER, attempts INTEGER NOT NULL, reason INTEGER NOT NULL,
  PRIMARY KEY (copy, row, run)) WITHOUT ROWID""",
    "words_twice": "CREATE INDEX words_twice ON words (run, outcome, leg)",
}
"""What is another table or index in this format."""

_STATEMENTS: Final = {statement.split()[2]: statement for statement in STATEMENTS}
_INDEXES: Final = ("run_copies_twice", "words_twice")
_NEW: Final = ("form", "heads", "heads_twice", "readings", "readings_twice")
"""Tables and indexes that a file of format 1 does not have."""
_NEW_IN_DATABASE: Final = ("heads", "heads_by_opening", "readings")

_WAS_DOUBTED: Final = (
    "outcome = 'ambiguous' OR reason IN (SELECT id FROM {of}reasons WHERE text = 'settled as undelivered')"
)
_COLUMNS: Final = {
    "contents": "id, uid, 1 AS format",
    "run_copies": "copy, run, mapping, 1 AS format",
    "words": f"copy, row, run, leg, outcome, status, attempts, reason, {_WAS_DOUBTED} AS doubted",
}
"""What the columns of these tables are in this format, read from a table of format 1."""
_EMPTY: Final = {
    "heads": "0 AS content, '' AS opening, '' AS rows",
    "readings": "0 AS copy, 0 AS run, 0 AS length, 0 AS rows, '' AS lines",
}
"""The columns of tables that format 1 does not have."""


def old_statements() -> set[str]:
    """The tables and indexes of a file of format 1."""
    old = {**_STATEMENTS, **_OLD_STATEMENTS}
    return {statement for name, statement in old.items() if name not in _NEW}


def refuse_live(store: Store) -> None:
    """Raise BusyError while a run is live: it was begun by the older version, which goes on writing."""
    for run, name, window, boot in store.ask('SELECT id, name, "window", boot FROM runs WHERE is_open'):
        if store.is_live(run, window_path(store.path, window), boot):
            raise BusyError(
                f"The ledger {store.name} is of format {OLD_FORMAT}, and run {name} of an older "
                f"hackle-replay is at work on it. Wait for that run, or stop it with Ctrl-C; then start "
                f"again: this version changes the ledger to format {FORMAT} first. Nothing was sent."
            )


def upgrade_file(store: Store) -> None:
    """Bring a file to this format. Within a transaction, in which its format is written, too.

    A table that was altered keeps another text than a new one, so the changed ones are made again.
    """
    for index in _INDEXES:
        store.tell(f"DROP INDEX {index}")
    for table, columns in _COLUMNS.items():
        store.tell(f"ALTER TABLE {table} RENAME TO {table}_old")
        store.tell(_STATEMENTS[table])
        store.tell(f"INSERT INTO {table} SELECT {columns.format(of='')} FROM {table}_old")  # noqa: S608
        store.tell(f"DROP TABLE {table}_old")
    for name in (*_INDEXES, *_NEW):
        store.tell(_STATEMENTS[name])
    store.tell("INSERT INTO form VALUES (?)", new_name())


def upgrade_database(store: Store) -> None:
    """Bring a schema in Postgres to this format. Within a transaction that is alone."""
    store.tell("ALTER TABLE contents ADD COLUMN format BIGINT NOT NULL DEFAULT 1")
    store.tell(f"ALTER TABLE contents ALTER COLUMN format SET DEFAULT {FORMAT}")
    store.tell("ALTER TABLE run_copies ADD COLUMN format BIGINT NOT NULL DEFAULT 1")
    store.tell("ALTER TABLE run_copies ALTER COLUMN format DROP DEFAULT")
    store.tell("ALTER TABLE words ADD COLUMN doubted BOOLEAN NOT NULL DEFAULT FALSE")
    store.tell("ALTER TABLE words ALTER COLUMN doubted DROP DEFAULT")
    store.tell(f"UPDATE words SET doubted = TRUE WHERE {_WAS_DOUBTED.format(of='')}")  # noqa: S608
    for statement in postgres_schema.STATEMENTS:
        if statement.split()[2] in _NEW_IN_DATABASE:
            store.tell(statement)
    store.tell("UPDATE form SET format = ?", FORMAT)


def read_as_new(store: Store, schema: str, *, is_named: bool) -> None:
    """Let this connection read tables of format 1 as those of this format, and change nothing.

    A temporary view hides the table of its name. `is_named`: the ledger has a name already.
    """
    for table, columns in _COLUMNS.items():
        seen = f"SELECT {columns.format(of=f'{schema}.')} FROM {schema}.{table}"  # noqa: S608
        store.tell(f"CREATE TEMPORARY VIEW {table} AS {seen}")
    for table, columns in _EMPTY.items():
        store.tell(f"CREATE TEMPORARY VIEW {table} AS SELECT {columns} WHERE 1 = 0")
    if not is_named:
        store.tell("CREATE TEMPORARY VIEW form AS SELECT '' AS name")


def new_name() -> str:
    """A name for a ledger, by which its runs know it again."""
    return os.urandom(8).hex()
