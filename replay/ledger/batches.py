"""Batches: the rows that a live run has announced, by the page of the window that holds their state."""

from __future__ import annotations

import struct
from itertools import chain
from typing import TYPE_CHECKING, Final
from zlib import crc32

from replay.ledger.entries import is_written
from replay.ledger.window import PAGE_ROWS, State
from replay.records import Outcome, Result

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from replay.ledger.base import Store
    from replay.ledger.entries import Ended

Place = tuple[int, int]
"""(copy, row)"""

KILLED: Final = "the run ended while the request was under way"
UNWRITTEN: Final = "the run ended before the reason was written down"
POWER_LOST: Final = "the machine stopped, or the disk went, after the row was announced"

_SEAL: Final = struct.Struct("<I")
_ROW: Final = struct.Struct("<qq")
PLACE_BYTES: Final = _ROW.size
_ENDS: Final = {
    State.DELIVERED: Outcome.DELIVERED,
    State.REJECTED: Outcome.REJECTED,
    State.EXHAUSTED: Outcome.EXHAUSTED,
    State.AMBIGUOUS: Outcome.AMBIGUOUS,
}


def pack(run: int, page: int, rows: Sequence[Place]) -> bytes:
    """The rows of a batch as bytes, under a seal that tells a bit that changed."""
    packed = struct.pack(f"<{2 * len(rows)}q", *chain.from_iterable(rows))
    return packed + _SEAL.pack(_seal(run, page, packed))


def unpack(store: Store, run: int, page: int, packed: bytes) -> list[Place]:
    """The rows that `pack` packed. Raises StorageError where the seal is broken."""
    rows, seal = packed[: -_SEAL.size], packed[-_SEAL.size :]
    if seal != _SEAL.pack(_seal(run, page, rows)):
        raise store.damaged(f"the announced rows of run {run} are not those that were written")
    return [(copy, row) for copy, row in _ROW.iter_unpack(rows)]


def announce(store: Store, run: int, lent: Iterable[tuple[int, Sequence[Place]]]) -> None:
    """Write new batches. Within a transaction."""
    store.tell_many(
        "INSERT INTO batches VALUES (?, ?, ?)", [(run, page, pack(run, page, rows)) for page, rows in lent]
    )


def drop(store: Store, run: int, pages: Iterable[int]) -> None:
    """Take batches out whose last row's end is written in the same transaction."""
    store.tell_many("DELETE FROM batches WHERE run = ? AND page = ?", [(run, page) for page in pages])


def end_all(store: Store, run: int, leg: int, window: bytes) -> list[Ended]:
    """Take out the batches of a run; returns how their rows ended that this leg did not write, by its window.

    Where the window has no byte for a row, it is ambiguous. Within a transaction.
    """
    batches = store.ask("SELECT page, rows FROM batches WHERE run = ?", run)
    ended = [
        (*place, result)
        for page, packed in batches
        for place, result in _told(page, unpack(store, run, page, packed), window)
        if not is_written(store, run, leg, place)
    ]
    drop(store, run, [page for page, _ in batches])
    return ended


def _seal(run: int, page: int, packed: bytes) -> int:
    return crc32(packed, crc32(_ROW.pack(run, page)))


def _told(page: int, rows: list[Place], window: bytes) -> Iterator[tuple[Place, Result]]:
    start = page * PAGE_ROWS
    said = window[start : start + len(rows)]
    for place, state in zip(rows, said, strict=False):
        if state != State.ANNOUNCED:
            yield place, _result(state)
    for place in rows[len(said) :]:
        yield place, Result(Outcome.AMBIGUOUS, None, 1, POWER_LOST)


def result_of(state: int) -> Result | None:
    """How a row ended, by its mark alone; None where it is pending."""
    return None if state == State.ANNOUNCED else _result(state)


def _result(state: int) -> Result:
    if state == State.STARTED:
        return Result(Outcome.AMBIGUOUS, None, 1, KILLED)
    return Result(_ENDS.get(state, Outcome.AMBIGUOUS), None, 1, UNWRITTEN)  # type: ignore[call-overload]
