"""Writing how rows ended: delivered ones as spans, the others as words. All within a transaction."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Final

from replay.ledger import spans
from replay.reasons import joined
from replay.records import Outcome, Result

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from replay.ledger.base import Store

Ended = tuple[int, int, Result]
"""(copy, row, how it ended)"""

_DROP_BETWEEN: Final = "DELETE FROM words WHERE copy = ? AND row >= ? AND row <= ? AND run = ?"
_WRITE: Final = (
    "INSERT INTO words SELECT ?, ?, runs.id, leg, ?, ?, ?, reasons.id, ?"
    " FROM runs, reasons WHERE runs.id = ? AND text = ?"
    " ON CONFLICT (copy, row, run) DO UPDATE SET leg = excluded.leg, outcome = excluded.outcome,"
    " status = excluded.status, attempts = excluded.attempts, reason = excluded.reason,"
    " doubted = words.doubted OR excluded.doubted"
)


def write(
    store: Store, run: int, ended: Iterable[Ended], delivered: Mapping[int, Sequence[int]] | None = None
) -> None:
    """Write how rows ended; `delivered`: numbers of rows that were, by their copy, where they come in lists.

    A later word about a row replaces an earlier one of the same run, and PENDING takes it back. But
    delivered is for good: nothing said of such a row afterwards makes it sendable again.
    """
    rows_of: dict[int, list[int]] = defaultdict(list)
    for copy, numbers in (delivered or {}).items():
        rows_of[copy].extend(numbers)
    words: dict[tuple[int, int], Result] = {}
    for copy, row, result in ended:
        if result.outcome is Outcome.DELIVERED:
            rows_of[copy].append(row)
        else:
            words[copy, row] = result
    for copy, rows in rows_of.items():
        added = spans.add(store, copy, run, rows)
        store.tell_many(_DROP_BETWEEN, [(copy, first, last, run) for first, last in added])
    if words:
        _write_words(store, run, words)


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
        [(text,) for text in sorted({joined(r.reason, r.group) for r in told.values()})],
    )
    store.tell_many(
        _WRITE,
        [
            (
                copy,
                row,
                result.outcome.value,
                result.status,
                result.attempts,
                result.outcome is Outcome.AMBIGUOUS,
                run,
                joined(result.reason, result.group),
            )
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
