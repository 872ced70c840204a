"""Writing how rows ended: delivered ones as spans, the others as words. All within a transaction."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Final

from replay.ledger import spans
from replay.records import Outcome, Result

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from replay.ledger.base import Store

Ended = tuple[int, int, Result]
"""(copy, row, how it ended)"""

_DROP_BETWEEN: Final = "DELETE FROM words WHERE copy = ? AND row >= ? AND row <= ? AND run = ?"
_WRITE: Final = (
    "INSERT INTO words SELECT ?, ?, runs.id, leg, ?, ?, ?, reasons.id"
    " FROM runs, reasons WHERE runs.id = ? AND text = ?"
    " ON CONFLICT (copy, row, run) DO UPDATE SET leg = excluded.leg, outcome = excluded.outcome,"
    " status = excluded.status, attempts = excluded.attempts, reason = excluded.reason"
)


def write(store: Store, run: int, ended: Iterable[Ended]) -> None:
    """Write how rows ended.

    A later word about a row replaces an earlier one of the same run, and PENDING takes it back. But
    delivered is for good: nothing said of such a row afterwards makes it sendable again.
    """
    delivered: dict[int, list[int]] = defaultdict(list)
    words: list[Ended] = []
    for copy, row, result in ended:
        if result.outcome is Outcome.DELIVERED:
            delivered[copy].append(row)
        else:
            words.append((copy, row, result))
    write_apart(store, run, delivered, words)


def write_apart(
    store: Store, run: int, delivered: Mapping[int, Iterable[int]], words: Iterable[Ended]
) -> None:
    """The same, of rows that were delivered, by their copy, and of others."""
    for copy, rows in delivered.items():
        added = spans.add(store, copy, run, rows)
        store.tell_many(_DROP_BETWEEN, [(copy, first, last, run) for first, last in added])
    if last_words := {(copy, row): result for copy, row, result in words}:
        _write_words(store, run, last_words)


def _write_words(store: Store, run: int, words: dict[tuple[int, int], Result]) -> None:
    delivered = _delivered(store, run, words)
    open_ = {place: result for place, result in words.items() if place not in delivered}
    store.tell_many(
        "DELETE FROM words WHERE copy = ? AND row = ? AND run = ?",
        [(copy, row, run) for (copy, row), result in open_.items() if result.outcome is Outcome.PENDING],
    )
    told = {place: result for place, result in open_.items() if result.outcome is not Outcome.PENDING}
    store.tell_many(
        "INSERT INTO reasons (text) VALUES (?) ON CONFLICT DO NOTHING",
        [(text,) for text in sorted({r.reason for r in told.values()})],
    )
    store.tell_many(
        _WRITE,
        [
            (copy, row, result.outcome.value, result.status, result.attempts, run, result.reason)
            for (copy, row), result in told.items()
        ],
    )


def _delivered(store: Store, run: int, places: Iterable[tuple[int, int]]) -> set[tuple[int, int]]:
    rows: dict[int, list[int]] = defaultdict(list)
    for copy, row in places:
        rows[copy].append(row)
    return {(copy, row) for copy in rows for row in spans.holding(store, copy, run, rows[copy])}


def _is_delivered(store: Store, run: int, copy: int, row: int) -> bool:
    return bool(spans.between(store, copy, run, row, row))


def is_written(store: Store, run: int, leg: int, place: tuple[int, int]) -> bool:
    """Whether this leg has written how a (copy, row) ended, or any leg that it was delivered."""
    said = store.one("SELECT leg FROM words WHERE copy = ? AND row = ? AND run = ?", *place, run)
    return said == leg or _is_delivered(store, run, *place)
