"""The rows that a run ever recorded as delivered or ambiguous, and the target that it is bound to."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from ledger.shelf import AMBIGUOUS, DELIVERED, PENDING, REJECTED, URL, opening

from replay.errors import UsageError
from replay.ledger import (
    Book,
    Destination,
    Store,
    begin,
    find_target,
    recover_dead,
    reopen,
    rows_recorded,
    settle,
    target_of,
)

if TYPE_CHECKING:
    from replay.records import Result

BOUND = Destination(URL, "key", bound=1)


def end(book: Book, ends: dict[int, Result]) -> None:
    (copy,) = book.copies.values()
    for slot, (row, result) in zip(book.announce([(copy, row) for row in ends]), ends.items(), strict=True):
        book.start(slot)
        book.end(slot, copy, row, result)


def test_rows_delivered_and_ambiguous_count(store: Store) -> None:
    book = begin(store, opening(store, "run"))
    end(book, {1: DELIVERED, 2: DELIVERED, 3: AMBIGUOUS, 4: REJECTED, 5: PENDING})
    book.close()
    assert rows_recorded(store) == {"run": 3}


@pytest.mark.parametrize("verdict", ["delivered", "undelivered"])
def test_settling_does_not_lower_it(store: Store, verdict: str) -> None:
    book = begin(store, opening(store, "run"))
    end(book, {1: AMBIGUOUS, 2: AMBIGUOUS, 3: DELIVERED})
    book.close()
    settle(store, "run", verdict)  # type: ignore[arg-type]
    assert rows_recorded(store) == {"run": 3}


@pytest.mark.parametrize(("result", "rows"), [(REJECTED, 1), (DELIVERED, 1), (AMBIGUOUS, 1)])
def test_sending_a_row_again_neither_lowers_nor_raises_it(store: Store, result: Result, rows: int) -> None:
    book = begin(store, opening(store, "run"))
    end(book, {1: AMBIGUOUS})
    book.close()
    book = reopen(store, opening(store, "run"))
    end(book, {1: result})
    book.close()
    assert rows_recorded(store) == {"run": rows}


def test_rows_that_a_killed_run_announced_count_until_it_is_known_what_became_of_them(store: Store) -> None:
    with begin(store, opening(store, "run")) as book:
        (copy,) = book.copies.values()
        slots = book.announce([(copy, row) for row in (1, 2, 3)])
        book.start(slots[0])
        assert rows_recorded(store) == {"run": 3}
        book.close()
    recover_dead(store)
    assert rows_recorded(store) == {"run": 1}


def test_a_run_is_bound_to_the_target_that_its_key_opens(store: Store) -> None:
    begin(store, opening(store, "run")).close()
    begin(store, opening(store, "other", destination=Destination(URL, "other", again=True))).close()
    (run, other) = (target_of(store, number) for number in (1, 2))
    bound = replace(BOUND, bound=run)
    assert find_target(store, bound) == run
    assert find_target(store, replace(bound, key=None)) == run
    assert find_target(store, replace(bound, key="new", same_target=True)) == run
    assert find_target(store, replace(bound, key="new", again=True)) is None
    assert find_target(store, replace(bound, key="other", again=True)) == other
    for key, same in (("new", False), ("other", False), ("other", True)):
        with pytest.raises(UsageError):
            find_target(store, replace(bound, key=key, same_target=same))
    with pytest.raises(UsageError, match="who changed the runs folder"):
        find_target(store, replace(bound, url="https://elsewhere.example"))


def test_a_run_is_not_reopened_with_the_key_of_another_environment(store: Store) -> None:
    begin(store, opening(store, "run")).close()
    begin(store, opening(store, "other", destination=Destination(URL, "other", again=True))).close()
    for key in ("other", "unknown"):
        with pytest.raises(UsageError):
            reopen(store, opening(store, "run", destination=Destination(URL, key, again=True)))
    reopen(store, opening(store, "run")).close()
