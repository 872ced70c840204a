"""How rows ended that is not written yet: told from the event loop, taken by the thread that writes."""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from itertools import chain
from typing import TYPE_CHECKING, Final

from replay.ledger.window import PAGE_ROWS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from replay.ledger.entries import Ended
    from replay.records import Result

NO_SLOT: Final = -1

Delivered = tuple["Sequence[int]", "Sequence[int]", "Sequence[int]"]
"""Slots, copies and numbers of rows, as long as one another: rows by the thousand come in few lists."""


class Ends:
    """What was told since it was last taken. One may tell while another takes."""

    def __init__(self) -> None:
        self._ended: deque[tuple[int, Ended]] = deque()
        self._delivered: deque[Delivered] = deque()

    def __bool__(self) -> bool:
        return bool(self._ended or self._delivered)

    def tell(self, slot: int, copy: int, row: int, result: Result) -> None:
        """A row ended so; NO_SLOT for one that was never announced."""
        self._ended.append((slot, (copy, row, result)))

    def tell_delivered(self, slots: Sequence[int], copies: Sequence[int], rows: Sequence[int]) -> None:
        """Rows were delivered."""
        self._delivered.append((slots, copies, rows))

    def take(self) -> Taken:
        """What was told so far, which is then known here no more."""
        ended = [self._ended.popleft() for _ in range(len(self._ended))]
        return Taken(ended, [self._delivered.popleft() for _ in range(len(self._delivered))])


class Taken:
    """Ends on their way into the ledger: those `ended` one by one, and rows `delivered` in lists, by copy.

    `pages`: how many rows of each page of the window they tell of.
    """

    def __init__(self, ended: list[tuple[int, Ended]], delivered: list[Delivered]) -> None:
        self.ended = [end for _, end in ended]
        self.delivered: dict[int, list[int]] = defaultdict(list)
        slots = chain((slot for slot, _ in ended), chain.from_iterable(group[0] for group in delivered))
        self.pages = Counter([slot // PAGE_ROWS for slot in slots])
        self.pages.pop(NO_SLOT, None)  # -1 // PAGE_ROWS
        for _, copies, rows in delivered:
            self._add(copies, rows)

    def _add(self, copies: Sequence[int], rows: Sequence[int]) -> None:
        if len(set(copies)) == 1:
            self.delivered[copies[0]].extend(rows)
            return
        for copy, row in zip(copies, rows, strict=True):
            self.delivered[copy].append(row)
