"""What a run has written, added up: the counts are whole, and reasons stay few however many there are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ledger.shelf import opening

from replay.ledger import NO_SLOT, begin, target_of, totals, was_reached, words
from replay.reasons import KEPT_MAX
from replay.records import Outcome, Result

if TYPE_CHECKING:
    from replay.ledger import Store

ROWS = 3_000


def word(number: int) -> str:
    """A word without digits for each number."""
    return "".join("klmnopqrst"[int(digit)] for digit in str(number))


def test_reasons_are_bounded_and_their_counts_are_not(store: Store) -> None:
    with begin(store, opening(store, "one")) as book:
        (copy,) = book.copies.values()
        for row in range(1, ROWS + 1):
            book.end(NO_SLOT, copy, row, Result(Outcome.REJECTED, 400, 1, f"400 no {word(row)}"))
        book.close()
        found = totals(store, book.run)
    listed = found.reasons.listed()
    assert found.rows["rejected"] == ROWS
    assert len(listed) <= 100
    assert sum(one["rows"] for one in listed) == ROWS
    assert len(found.reasons._rows) == KEPT_MAX


def test_a_row_keeps_its_own_words_and_is_counted_with_its_group(store: Store) -> None:
    with begin(store, opening(store, "one")) as book:
        (copy,) = book.copies.values()
        for row, user in enumerate(("kim", "lee"), start=1):
            result = Result(Outcome.REJECTED, 400, 1, f"400 user {user} is unknown", "400 user … is unknown")
            book.end(NO_SLOT, copy, row, result)
        book.close()
        assert [one.reason for one in words(store, book.run, copy, 1, 2).values()] == [
            "400 user kim is unknown",
            "400 user lee is unknown",
        ]
        (one,) = totals(store, book.run).reasons.listed()
    assert one == {"outcome": "rejected", "status": 400, "reason": "400 user … is unknown", "rows": 2}


def test_a_target_is_reached_once_a_row_of_any_run_was_delivered_to_it(store: Store) -> None:
    with begin(store, opening(store, "one")) as book:
        (copy,) = book.copies.values()
        target = target_of(store, book.run)
        assert not was_reached(store, target)
        book.end(NO_SLOT, copy, 1, Result(Outcome.DELIVERED, 200, 1, "200"))
        book.close()
    assert was_reached(store, target)
    assert not was_reached(store, target + 1)
