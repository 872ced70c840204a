"""What is told of rows' ends is taken once, whoever tells meanwhile, and counted by page and copy."""

from __future__ import annotations

from threading import Thread

from ledger.shelf import DELIVERED, REJECTED

from replay.ledger.ends import NO_SLOT, Ends
from replay.ledger.window import PAGE_ROWS

GROUPS = 2_000


def test_rows_are_told_by_copy_and_counted_by_page() -> None:
    ends = Ends()
    assert not ends
    ends.tell_delivered([PAGE_ROWS, PAGE_ROWS + 1, 2 * PAGE_ROWS], [7, 7, 7], [3, 4, 5])
    ends.tell_delivered([2 * PAGE_ROWS + 1, 2 * PAGE_ROWS + 2], [7, 8], [6, 1])
    ends.tell(PAGE_ROWS + 2, 7, 9, DELIVERED)
    ends.tell(PAGE_ROWS + 3, 7, 10, REJECTED)
    ends.tell(NO_SLOT, 8, 2, REJECTED)
    assert ends
    taken = ends.take()
    assert taken.delivered == {7: [3, 4, 5, 6], 8: [1]}
    assert taken.ended == [(7, 9, DELIVERED), (7, 10, REJECTED), (8, 2, REJECTED)]
    assert taken.pages == {1: 4, 2: 3}
    assert not ends
    assert not ends.take().pages


def test_nothing_is_lost_or_taken_twice_while_one_tells_and_another_takes() -> None:
    ends = Ends()
    rows: list[int] = []
    pages = 0

    def tell() -> None:
        for group in range(GROUPS):
            ends.tell_delivered([PAGE_ROWS] * 3, [1] * 3, [3 * group, 3 * group + 1, 3 * group + 2])
            ends.tell(2 * PAGE_ROWS, 1, group, REJECTED)

    teller = Thread(target=tell)
    teller.start()
    while teller.is_alive() or ends:
        taken = ends.take()
        rows += taken.delivered[1]
        pages += sum(taken.pages.values())
    assert rows == [*range(3 * GROUPS)]
    assert pages == 4 * GROUPS
