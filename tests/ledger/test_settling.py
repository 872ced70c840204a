"""What the user found out about ambiguous rows holds for every run to come."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from ledger.shelf import AMBIGUOUS, URL, opening

from replay.errors import BusyError, UsageError
from replay.ledger import NO_SLOT, Destination, History, begin, settle, totals
from replay.records import Outcome

if TYPE_CHECKING:
    from replay.ledger import Past, Store


def doubtful(store: Store, name: str) -> int:
    """A run that leaves row 3 ambiguous, or counts it so once more."""
    with begin(store, opening(store, name, destination=Destination(URL))) as book:
        (copy,) = book.copies.values()
        book.end(NO_SLOT, copy, 3, AMBIGUOUS)
        book.close()
    return copy


def past(store: Store, copy: int) -> Past:
    return History(store, copy).past(1, 9)


def test_a_row_settled_as_delivered_is_delivered(store: Store) -> None:
    copy = doubtful(store, "one")
    assert settle(store, "one", "delivered") == 1
    assert (past(store, copy).delivered, past(store, copy).ambiguous) == ([(3, 3)], {})
    assert totals(store, 1).rows == {Outcome.DELIVERED: 1}


@pytest.mark.parametrize("name", ["one", "two"])
def test_a_row_settled_as_undelivered_is_in_doubt_no_more_whichever_run_is_named(
    store: Store, name: str
) -> None:
    doubtful(store, "one")
    copy = doubtful(store, "two")
    settle(store, name, "undelivered")
    assert past(store, copy).is_blank


def test_rows_of_a_killed_run_are_told_before_they_are_settled(store: Store) -> None:
    with begin(store, opening(store, "one", destination=Destination(URL))) as book:
        (copy,) = book.copies.values()
        book.start(book.announce([(copy, 5), (copy, 6)])[0])
    assert settle(store, "one", "delivered") == 1
    assert past(store, copy).delivered == [(5, 5)]


def test_a_live_run_and_an_unknown_one_are_not_settled(store: Store) -> None:
    with begin(store, opening(store, "one", destination=Destination(URL))), pytest.raises(BusyError):
        settle(store, "one", "delivered")
    with pytest.raises(UsageError, match="never"):
        settle(store, "never", "delivered")
