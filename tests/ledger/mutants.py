"""Ledgers that break a promise, to show that a proof would notice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from replay.ledger import Book, batches, entries, recovery
from replay.ledger.store import SqliteStore

if TYPE_CHECKING:
    from collections.abc import Callable


def become(name: str) -> None:
    """Change this process's ledger for good."""
    if name:
        MUTANTS[name]()


def start_after_the_send() -> None:
    start, end = Book.start, Book.end

    def late(book: Book, slot: int, *told: Any) -> None:
        start(book, slot)
        end(book, slot, *told)

    Book.start = lambda book, slot: None  # type: ignore[method-assign]
    Book.end = late  # type: ignore[method-assign]


def batch_gone_before_its_outcomes() -> None:
    write = entries.write
    held: list[Any] = [[]]

    def late(store: SqliteStore, run: int, *told: Any) -> None:
        before, held[:] = list(held), told
        write(store, run, *before)

    entries.write = late
    close = Book.close

    def close_late(book: Book) -> None:
        book._commit([], book._ends.take())
        book._commit([], book._ends.take())
        entries.write = write
        close(book)
        entries.write = late

    Book.close = close_late  # type: ignore[method-assign]


def without_fsync() -> None:
    prepare = SqliteStore._prepare

    def careless(store: SqliteStore) -> None:
        prepare(store)
        store.ask("PRAGMA synchronous = OFF")

    SqliteStore._prepare = careless  # type: ignore[method-assign]


def any_window_is_trusted() -> None:
    end = recovery.end

    def trusting(store: SqliteStore, run: int, leg: int, window: bytes) -> None:
        name = store.one("SELECT window FROM runs WHERE id = ?", run)
        end(store, run, leg, recovery.read_left_behind(recovery.window_path(store.path, name)))

    recovery.end = trusting


def announced_without_a_commit() -> None:
    batches.announce = lambda *_: None


MUTANTS: dict[str, Callable[[], None]] = {
    mutant.__name__: mutant
    for mutant in (
        start_after_the_send,
        batch_gone_before_its_outcomes,
        without_fsync,
        any_window_is_trusted,
        announced_without_a_commit,
    )
}
