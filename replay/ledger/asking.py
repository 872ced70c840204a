"""Questions to the ledger that a plan, a report or a settling asks; none of them writes."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from replay.errors import BusyError
from replay.ledger import spans
from replay.ledger.batches import PLACE_BYTES
from replay.ledger.recovery import window_path
from replay.reasons import parted
from replay.records import Outcome, Result

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from replay.ledger.base import Store

_ROWS_AT_ONCE: Final = 50_000


def copy_of(store: Store, target: int, content: int) -> int | None:
    """A content at a target, if any of it was ever sent there."""
    known = store.one("SELECT id FROM copies WHERE target = ? AND content = ?", target, content)
    return None if known is None else int(known)


def content_of_uid(store: Store, uid: str) -> int | None:
    """A content by its name."""
    known = store.one("SELECT id FROM contents WHERE uid = ?", uid)
    return None if known is None else int(known)


def has_any_arrived(store: Store, target: int, contents: Iterable[int]) -> bool:
    """Whether any row of some contents was delivered to a target, or is ambiguous there."""
    copies = (copy_of(store, target, content) for content in contents)
    return any(copy is not None and has_arrived(store, copy) for copy in copies)


def was_reached(store: Store, target: int) -> bool:
    """Whether any row was ever delivered to a target."""
    return bool(
        store.one("SELECT 1 FROM spans JOIN copies ON copies.id = copy WHERE target = ? LIMIT 1", target)
    )


def mappings_delivered(store: Store, copy: int) -> set[str]:
    """Digests of the mappings that rows of a copy were delivered with; resends do not count."""
    found = store.ask(
        "SELECT DISTINCT mapping FROM run_copies WHERE copy = ? AND mapping IS NOT NULL"
        " AND EXISTS (SELECT 1 FROM spans WHERE spans.copy = run_copies.copy AND spans.run = run_copies.run)",
        copy,
    )
    return {str(mapping) for (mapping,) in found}


def rows_recorded(store: Store) -> dict[str, int]:
    """How many rows of each run, by its name, were ever recorded as delivered or ambiguous.

    Settling them or sending them again does not lower it. Rows that a run has announced count: once it is
    over, what became of them is recorded.
    """
    known: Counter[int] = Counter()
    for statement in (
        "SELECT run, sum(last - first + 1) FROM spans GROUP BY run",
        "SELECT run, count(*) FROM words WHERE doubted GROUP BY run",
        f"SELECT run, sum(length(rows) / {PLACE_BYTES}) FROM batches GROUP BY run",  # noqa: S608
    ):
        known.update({run: int(rows) for run, rows in store.ask(statement)})
    return {name: known[run] for run, name in store.ask("SELECT id, name FROM runs")}


def last_mapping(store: Store, copy: int) -> str | None:
    """The digest of the mapping that was last accepted for rows of a copy; None where none was recorded."""
    found = store.one(
        "SELECT mapping FROM run_copies WHERE copy = ? AND mapping IS NOT NULL ORDER BY run DESC LIMIT 1",
        copy,
    )
    return None if found is None else str(found)


def has_arrived(store: Store, copy: int) -> bool:
    """Whether any row of a copy was delivered, or is ambiguous."""
    return bool(
        store.one("SELECT 1 FROM spans WHERE copy = ? LIMIT 1", copy)
        or store.one("SELECT 1 FROM words WHERE copy = ? AND outcome = 'ambiguous' LIMIT 1", copy)
    )


def run_id(store: Store, name: str) -> int | None:
    """A run's id in the ledger, by its name."""
    known = store.one("SELECT id FROM runs WHERE name = ?", name)
    return None if known is None else int(known)


def runs_in_order(store: Store) -> list[str]:
    """The names of all runs, in the order in which they were begun."""
    return [str(name) for (name,) in store.ask("SELECT name FROM runs ORDER BY id")]


def open_runs(store: Store) -> list[str]:
    """The names of the runs that are not ended: they live, or died and were not looked at since."""
    return [str(name) for (name,) in store.ask("SELECT name FROM runs WHERE is_open")]


def runs_known(store: Store) -> int:
    """How many runs the ledger knows."""
    return int(store.one("SELECT count(*) FROM runs"))


def words(store: Store, run: int, copy: int, first: int, last: int) -> dict[int, Result]:
    """How a run ended rows of a copy that it did not deliver, by row, ascending."""
    found = store.ask(
        "SELECT row, outcome, status, attempts, text FROM words JOIN reasons ON reasons.id = reason"
        " WHERE copy = ? AND row >= ? AND row <= ? AND run = ? ORDER BY row",
        copy,
        first,
        last,
        run,
    )
    return {
        row: Result(Outcome(outcome), status, attempts, *parted(text))
        for row, outcome, status, attempts, text in found
    }


def rows_left(store: Store, run: int, outcome: Outcome) -> list[tuple[int, int]]:
    """The (copy, row) that a run ended so."""
    found = store.ask(
        "SELECT copy, row FROM words WHERE run = ? AND outcome = ? ORDER BY copy, row", run, outcome.value
    )
    return [(int(copy), int(row)) for copy, row in found]


def has_words(store: Store, run: int, copies: Iterable[int]) -> bool:
    """Whether a run ended any row of some copies otherwise than delivered."""
    return any(
        store.one("SELECT 1 FROM words WHERE copy = ? AND run = ? LIMIT 1", copy, run) is not None
        for copy in copies
    )


def rows_failed(store: Store, uid: str, run: int | None = None) -> Iterator[list[int]]:
    """Rows of a content that a run (None: any) ended otherwise than delivered, some at a time."""
    where, values = ("", ()) if run is None else (" AND run = ?", (run,))
    for copy in copies_of(store, uid):
        last = 0
        while found := store.ask(
            f"SELECT DISTINCT row FROM words WHERE copy = ? AND row > ?{where}"  # noqa: S608  a constant
            f" ORDER BY row LIMIT {_ROWS_AT_ONCE}",
            copy,
            last,
            *values,
        ):
            yield [int(row) for (row,) in found]
            last = int(found[-1][0])


def rows_delivered(store: Store, uid: str, rows: Iterable[int], run: int | None = None) -> set[int]:
    """Those of some rows of a content that a run (None: any) delivered."""
    wanted = list(rows)
    found: set[int] = set()
    for copy in copies_of(store, uid):
        known = store.ask("SELECT DISTINCT run FROM spans WHERE copy = ?", copy)
        for (other,) in known if run is None else [(run,)]:
            found |= spans.holding(store, copy, other, wanted)
    return found


def copies_of(store: Store, uid: str) -> list[int]:
    """A content at every target that any of it was sent to."""
    found = store.ask(
        "SELECT copies.id FROM copies JOIN contents ON contents.id = content"
        " WHERE uid = ? ORDER BY copies.id",
        uid,
    )
    return [int(copy) for (copy,) in found]


def runs_that_failed(store: Store, uid: str, row: int) -> list[str]:
    """The names of the runs that ended a row of a content otherwise than delivered, the latest first."""
    found = store.ask(
        "SELECT DISTINCT name, run FROM words JOIN runs ON runs.id = run JOIN copies ON copies.id = copy"
        " JOIN contents ON contents.id = content WHERE uid = ? AND row = ? ORDER BY run DESC",
        uid,
        row,
    )
    return [str(name) for name, _ in found]


def target_of(store: Store, run: int) -> int:
    """The target that a run sends to."""
    return int(store.one("SELECT target FROM runs WHERE id = ?", run))


def busy(store: Store, run: str) -> BusyError:
    """The error of a run whose rows somebody is sending right now."""
    killed = " One that was killed is known to be dead within a minute." if store.is_shared else ""
    return BusyError(f"Run {run} is at work right now. Wait for it, or stop it with Ctrl-C first.{killed}")


def is_live_run(store: Store, name: str) -> bool:
    """Whether a process is at work on a run right now."""
    found = store.ask('SELECT id, "window", boot FROM runs WHERE name = ? AND is_open', name)
    return any(store.is_live(run, window_path(store.path, window), boot) for run, window, boot in found)
