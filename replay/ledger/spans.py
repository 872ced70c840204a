"""Delivered stretches of a copy: first to last row, never touching or overlapping. Within a transaction."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from typing import TYPE_CHECKING, Final

from replay.ledger.schema import SPAN_SEAL

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from replay.ledger.base import Store

Span = tuple[int, int]
"""(first, last), both delivered, and every row between them"""

NEAR_ROWS: Final = 4096  # stretches nearer than this to one another are joined in one go

_BEFORE: Final = (
    "SELECT first, last FROM spans WHERE copy = ? AND run = ? AND first < ? ORDER BY first DESC LIMIT 1"
)
_WITHIN: Final = (
    "SELECT first, last FROM spans WHERE copy = ? AND run = ? AND first >= ? AND first <= ? ORDER BY first"
)
_ADD: Final = (
    f"INSERT INTO spans SELECT copy, run, first, last, {SPAN_SEAL}"  # noqa: S608  a constant
    " FROM (SELECT CAST(? AS BIGINT) AS copy, CAST(? AS BIGINT) AS run,"
    " CAST(? AS BIGINT) AS first, CAST(? AS BIGINT) AS last) AS span"
)


def add(store: Store, copy: int, run: int, rows: Iterable[int]) -> list[Span]:
    """Add delivered rows, in any order, joined with what they touch; returns them as stretches."""
    added = list(stretches(sorted(rows)))
    for near in _neighbourhoods(added):
        known = between(store, copy, run, near[0][0] - 1, near[-1][1] + 1)
        joined = list(join(sorted([*known, *near])))
        gone, new = set(known).difference(joined), set(joined).difference(known)
        store.tell_many(
            "DELETE FROM spans WHERE copy = ? AND run = ? AND first = ?",
            [(copy, run, first) for first, _ in gone],
        )
        store.tell_many(_ADD, [(copy, run, first, last) for first, last in new])
    return added


def between(store: Store, copy: int, run: int, first: int, last: int) -> list[Span]:
    """The spans that have a row from `first` to `last`, by row."""
    before = store.ask(_BEFORE, copy, run, first)
    within = store.ask(_WITHIN, copy, run, first, last)
    return [(start, end) for start, end in [*before, *within] if end >= first]


def holding(store: Store, copy: int, run: int, rows: Iterable[int]) -> set[int]:
    """Those of some rows that stand in a span."""
    wanted = sorted(rows)
    held: set[int] = set()
    for near in _neighbourhoods(list(stretches(wanted))):
        for first, last in between(store, copy, run, near[0][0], near[-1][1]):
            held.update(wanted[bisect_left(wanted, first) : bisect_right(wanted, last)])
    return held


def stretches(rows: list[int]) -> Iterator[Span]:
    """Ascending numbers as stretches of consecutive ones."""
    if not rows:
        return
    first = last = rows[0]
    for row in rows:
        if row > last + 1:
            yield first, last
            first = row
        last = row
    yield first, last


def join(spans: list[Span]) -> Iterator[Span]:
    """Spans in order, those that touch or overlap as one."""
    if not spans:
        return
    first, last = spans[0]
    for start, end in spans:
        if start > last + 1:
            yield first, last
            first, last = start, end
        last = max(last, end)
    yield first, last


def _neighbourhoods(added: list[Span]) -> Iterator[list[Span]]:
    near: list[Span] = []
    for span in added:
        if near and span[0] > near[-1][1] + NEAR_ROWS:
            yield near
            near = []
        near.append(span)
    if near:
        yield near
