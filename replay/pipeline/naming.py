"""The first names of rows: the content they first came from, and their number there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from replay.report import carried_notes, carries_notes, first_name, uid_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from replay.records import Chunk

_PAGE_ROWS: Final = 1 << 16


@dataclass(frozen=True, slots=True)
class Names:
    """The first name of each row of a chunk: its content's, and its number there.

    `notes`: what each row carries of an earlier run, where the chunk carries any.
    """

    uids: list[str]
    rows: NDArray[np.int64]
    notes: list[dict[str, str]] | None = None

    def by_content(self) -> Iterator[tuple[str, NDArray[np.intp]]]:
        """The places of the rows of each content."""
        if self.notes is None:
            if self.uids:
                yield self.uids[0], np.arange(len(self.rows))
            return
        uids = np.array(self.uids, dtype=object)
        for uid in dict.fromkeys(self.uids):
            yield uid, np.flatnonzero(uids == uid)

    def upto(self, end: int) -> Names:
        """Those before this place."""
        return Names(self.uids[:end], self.rows[:end], self.notes and self.notes[:end])


def names_of(chunk: Chunk, uid: str) -> Names:
    """The first names of a chunk's rows: those they carry, else the source's own."""
    if not carries_notes(chunk):
        return Names([uid] * len(chunk), chunk.rows)
    notes = carried_notes(chunk, range(len(chunk)))
    named = [first_name(note, uid, int(row)) for note, row in zip(notes, chunk.rows.tolist(), strict=True)]
    rows = np.array([row for _, row in named], dtype=np.int64)
    return Names([uid_of(name) for name, _ in named], rows, notes)


class Seen:
    """The rows of one content that came by; a byte a row, where they are dense."""

    def __init__(self) -> None:
        self._pages: dict[int, NDArray[np.bool_]] = {}

    def add(self, rows: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Add rows; returns which of them came by before, here or earlier."""
        again = np.ones(len(rows), dtype=np.bool_)
        again[np.unique(rows, return_index=True)[1]] = False
        pages = rows // _PAGE_ROWS
        for number in np.unique(pages).tolist():
            here = np.flatnonzero(pages == number)
            page = self._pages.setdefault(number, np.zeros(_PAGE_ROWS, dtype=np.bool_))
            again[here] |= page[rows[here] % _PAGE_ROWS]
            page[rows[here] % _PAGE_ROWS] = True
        return again

    def has(self, rows: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which of these rows came by."""
        found = np.zeros(len(rows), dtype=np.bool_)
        pages = rows // _PAGE_ROWS
        for number in np.unique(pages).tolist():
            if (page := self._pages.get(number)) is not None:
                here = np.flatnonzero(pages == number)
                found[here] = page[rows[here] % _PAGE_ROWS]
        return found
