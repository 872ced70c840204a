"""A live run writes down what it is about to send, and how it ended."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest
from ledger.shelf import (
    AMBIGUOUS,
    DELIVERED,
    EXHAUSTED,
    PENDING,
    REJECTED,
    opening,
    refusing_batches,
    said_of,
    take_for_dead,
    windows,
)

from replay.errors import BusyError, StorageError
from replay.ledger import NO_SLOT, begin, open_ledger, recover_dead, reopen, totals
from replay.ledger.window import GROW_PAGES, PAGE_ROWS
from replay.records import Outcome, Result

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from replay.ledger import Book, Store
    from replay.settings import Postgres


@pytest.fixture
def book(store: Store) -> Iterator[Book]:
    with begin(store, opening(store, "run-1")) as begun:
        yield begun


def only_copy(book: Book) -> int:
    (copy,) = book.copies.values()
    return copy


def send(book: Book, results: dict[int, Result]) -> list[int]:
    copy = only_copy(book)
    slots = book.announce([(copy, row) for row in results])
    for slot, (row, result) in zip(slots, results.items(), strict=True):
        book.start(slot)
        book.end(slot, copy, row, result)
    return slots


def test_how_rows_ended_adds_up_in_the_totals(store: Store, book: Book) -> None:
    send(book, {1: DELIVERED, 2: REJECTED, 3: DELIVERED, 4: EXHAUSTED, 5: AMBIGUOUS})
    book.end(NO_SLOT, only_copy(book), 6, Result(Outcome.INVALID, None, 0, "cast-failed"))
    book.count(7, 2, 1)
    book.close()
    counted = totals(store, book.run)
    assert counted.rows == {"delivered": 2, "rejected": 1, "exhausted": 1, "ambiguous": 1, "invalid": 1}
    refused = {"outcome": "rejected", "status": 400, "reason": "no", "rows": 1}
    assert refused in counted.reasons.listed()
    assert (counted.requests, counted.retries, counted.duplicates) == (7, 2, 1)


def test_a_closed_run_leaves_no_window_and_no_batch(store: Store, book: Book) -> None:
    send(book, {1: DELIVERED})
    assert windows(store.path)
    book.close()
    assert windows(store.path) == []
    assert store.ask("SELECT * FROM batches") == []


def test_rows_that_were_announced_but_not_started_are_pending_after_a_close(store: Store, book: Book) -> None:
    copy = only_copy(book)
    slots = book.announce([(copy, 1), (copy, 2)])
    book.start(slots[1])
    book.wait(slots[1])
    book.close()
    assert said_of(store, copy, range(1, 3)) == {}


def test_a_row_that_was_started_and_never_ended_is_ambiguous_after_a_close(store: Store, book: Book) -> None:
    copy = only_copy(book)
    book.start(book.announce([(copy, 1)])[0])
    book.close()
    assert said_of(store, copy, range(1, 2)) == {1: Outcome.AMBIGUOUS}


@pytest.mark.parametrize("written_between", [False, True])
def test_a_row_taken_back_is_pending_again(store: Store, book: Book, *, written_between: bool) -> None:
    (slot,) = send(book, {1: REJECTED})
    if written_between:
        book.write()
    book.end(slot, only_copy(book), 1, PENDING)
    book.close()
    assert said_of(store, only_copy(book), range(1, 2)) == {}
    assert totals(store, book.run).rows.total() == 0


def test_a_row_taken_back_does_not_free_the_batch_of_others(store: Store, book: Book) -> None:
    copy = only_copy(book)
    first, second = book.announce([(copy, 1), (copy, 2)])
    book.start(first)
    book.start(second)
    book.end(first, copy, 1, REJECTED)
    book.write()
    book.end(first, copy, 1, PENDING)
    book.write()
    assert store.one("SELECT count(*) FROM batches") == 1
    book.close()
    assert said_of(store, copy, range(1, 3)) == {2: Outcome.AMBIGUOUS}


def test_a_late_word_replaces_an_earlier_one(store: Store, book: Book) -> None:
    send(book, {1: REJECTED})
    book.write()
    book.end(NO_SLOT, only_copy(book), 1, AMBIGUOUS)
    book.close()
    assert totals(store, book.run).rows == {"delivered": 0, "ambiguous": 1}


@pytest.mark.parametrize("written_between", [False, True])
def test_a_row_delivered_after_another_word_counts_once(
    store: Store, book: Book, *, written_between: bool
) -> None:
    send(book, {1: REJECTED})
    if written_between:
        book.write()
    book.end(NO_SLOT, only_copy(book), 1, DELIVERED)
    book.close()
    assert totals(store, book.run).rows == {"delivered": 1}


@pytest.mark.parametrize("late", [PENDING, REJECTED, AMBIGUOUS])
@pytest.mark.parametrize("written_between", [False, True])
def test_delivered_is_for_good(store: Store, book: Book, late: Result, *, written_between: bool) -> None:
    send(book, {1: DELIVERED})
    if written_between:
        book.write()
    book.end(NO_SLOT, only_copy(book), 1, late)
    book.close()
    assert totals(store, book.run).rows == {"delivered": 1}


def test_a_batch_stands_until_its_last_row_is_written(store: Store, book: Book) -> None:
    copy = only_copy(book)
    slots = book.announce([(copy, row) for row in (1, 2)])
    book.end(slots[0], copy, 1, DELIVERED)
    book.write()
    assert store.one("SELECT count(*) FROM batches") == 1
    book.end(slots[1], copy, 2, DELIVERED)
    book.write()
    assert store.one("SELECT count(*) FROM batches") == 0


def test_a_page_that_is_used_again_says_announced(store: Store, book: Book) -> None:
    copy = only_copy(book)
    (first,) = send(book, {1: DELIVERED})
    book.write()
    (again,) = book.announce([(copy, 2)])
    assert again == first
    book.close()
    assert said_of(store, copy, range(1, 3)) == {1: Outcome.DELIVERED}


def test_more_rows_than_a_page_holds_are_announced_together(store: Store, book: Book) -> None:
    rows = 2 * PAGE_ROWS + 7
    slots = send(book, dict.fromkeys(range(1, rows + 1), DELIVERED))
    assert len(set(slots)) == rows
    book.close()
    assert totals(store, book.run).rows == {"delivered": rows}
    assert store.ask("SELECT first, last FROM spans") == [(1, rows)]


def test_the_window_grows_while_rows_are_marked(store: Store, book: Book) -> None:
    copy = only_copy(book)
    (slot,) = book.announce([(copy, 1)])
    stop = threading.Event()

    def mark() -> None:
        while not stop.is_set():
            book.start(slot)
            book.wait(slot)
        book.start(slot)

    marking = threading.Thread(target=mark)
    marking.start()
    for row in range(2, GROW_PAGES + 9):
        book.announce([(copy, row)])
    stop.set()
    marking.join()
    book.close()
    assert said_of(store, copy, range(1, GROW_PAGES + 9)) == {1: Outcome.AMBIGUOUS}


def test_nothing_told_while_a_commit_is_under_way_is_lost(store: Store, book: Book) -> None:
    copy, rows = only_copy(book), 20_000
    done = threading.Event()

    def write() -> None:
        while not done.is_set():
            book.write()

    writing = threading.Thread(target=write)
    writing.start()
    for row in range(1, rows + 1):
        book.end(NO_SLOT, copy, row, DELIVERED)
    done.set()
    writing.join()
    book.close()
    assert totals(store, book.run).rows == {"delivered": rows}


def test_the_history_may_be_asked_while_a_batch_is_written(store: Store, book: Book) -> None:
    copy = only_copy(book)
    seen: list[int] = []
    asking = threading.Thread(
        target=lambda: seen.extend(len(said_of(store, copy, range(1, 5_000))) for _ in range(50))
    )
    asking.start()
    for start in range(1, 5_000, 100):
        send(book, dict.fromkeys(range(start, start + 100), REJECTED))
        book.write()
    asking.join()
    assert len(seen) == 50
    assert all(count % 100 == 0 for count in seen)  # a commit is seen whole or not at all


def test_a_resumed_run_counts_all_its_legs(store: Store) -> None:
    for rows in ({1: DELIVERED, 2: REJECTED}, {3: DELIVERED}):
        opened = opening(store, "run-1")
        with (reopen if 3 in rows else begin)(store, opened) as book:
            send(book, rows)
            book.count(2, 1, 0)
            book.close()
    counted = totals(store, book.run)
    assert counted.rows == {"delivered": 2, "rejected": 1}
    assert (counted.requests, counted.retries) == (4, 2)


def test_a_run_that_was_taken_for_dead_writes_nothing_more(
    store: Store, book: Book, ledger: Path | Postgres, tmp_path: Path
) -> None:
    send(book, {1: DELIVERED})
    take_for_dead(store)
    with open_ledger(ledger, tmp_path) as other:
        recover_dead(other)
    with pytest.raises(BusyError, match="took this run for dead"):
        book.announce([(only_copy(book), 2)])


def test_after_a_fault_in_a_commit_nothing_more_is_announced(
    store: Store, book: Book, ledger: Path | Postgres, tmp_path: Path
) -> None:
    send(book, {1: DELIVERED})
    with refusing_batches(store), pytest.raises(StorageError):
        book.announce([(only_copy(book), 2)])
    with pytest.raises(StorageError):
        book.announce([(only_copy(book), 2)])
    with pytest.raises(StorageError):
        book.close()
    book.__exit__(None, None, None)
    with open_ledger(ledger, tmp_path) as other:
        recover_dead(other)
        assert said_of(other, only_copy(book), range(1, 3)) == {1: Outcome.DELIVERED}


def test_rows_in_any_order_take_less_than_two_bytes_each(store: Store, book: Book) -> None:
    rows, scatter = 20_000 if store.is_shared else 200_000, 2_000
    order = [row + (row * 7919) % scatter for row in range(1, rows + 1)]
    numbers = sorted(range(1, rows + 1), key=lambda row: order[row - 1])
    for start in range(0, rows, 1_000):
        send(book, dict.fromkeys(numbers[start : start + 1_000], DELIVERED))
        book.write()
    book.close()
    assert totals(store, book.run).rows == {"delivered": rows}
    assert store.ask("SELECT first, last FROM spans") == [(1, rows)]
    if not store.is_shared:
        assert store.path.stat().st_size < 2 * rows


def test_what_a_killed_run_counted_after_its_last_commit_is_not_forgotten(store: Store, book: Book) -> None:
    book.announce([(only_copy(book), 1)])
    book.count(7, 3, 2)
    book.__exit__(None, None, None)
    recover_dead(store)
    known = totals(store, book.run)
    assert (known.requests, known.retries, known.duplicates) == (7, 3, 2)
