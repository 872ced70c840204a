"""Beginning a run, or going on with one: nothing of it is sent before, and nobody else sends the same."""

from __future__ import annotations

from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from replay.errors import BusyError, StorageError
from replay.ledger import recovery
from replay.ledger.book import Book
from replay.ledger.contents import Content, Resolved, of_uid, remember, resolve
from replay.ledger.readings import remember_readings
from replay.ledger.schema import FORMAT
from replay.ledger.targets import Destination, find_target, remember_target
from replay.ledger.window import Window, boot_id
from replay.reasons import Reasons, parted
from replay.records import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from replay.ledger.base import Store
    from replay.ledger.readings import Reading


@dataclass(frozen=True, slots=True)
class Opening:
    """What a run is about to read and where it sends: all that is needed to begin it.

    `contents`: the sources' own; `carried`: names of contents that failed files speak of.
    `mapping`: a digest of the mapping, None for a resend.
    """

    name: str
    command: str
    started: str
    destination: Destination
    contents: Sequence[tuple[Content, Resolved]]
    carried: frozenset[str] = frozenset()
    mapping: str | None = None


@dataclass(slots=True)
class Totals:
    """What a run has written so far, over all its legs."""

    rows: Counter[str] = field(default_factory=Counter)
    reasons: Reasons = field(default_factory=Reasons)
    requests: int = 0
    retries: int = 0
    duplicates: int = 0


def begin(store: Store, opening: Opening) -> Book:
    """Begin a run: nothing of it is sent before this returns.

    Runs that died are ended first. Raises BusyError where a live run is sending one of its contents
    or the ledger has learnt of them since they were resolved, UsageError where the key is not the
    one that the destination is known with, StorageError where the ledger is damaged.
    """
    with looked_through(store):
        target = remember_target(store, opening.destination, find_target(store, opening.destination))
        run = store.one(
            'INSERT INTO runs (name, started, command, target, again, is_open, leg, "window", boot)'
            " VALUES (?, ?, ?, ?, ?, FALSE, 0, '', '') RETURNING id",
            opening.name,
            opening.started,
            opening.command,
            target,
            opening.destination.again,
        )
        return _live(store, opening, run, target)


def reopen(store: Store, opening: Opening) -> Book:
    """Go on with a run that was begun before.

    Raises BusyError where it, or one that shares a copy, is live; else as `begin` does.
    """
    with looked_through(store):
        found = store.ask("SELECT id, target FROM runs WHERE name = ?", opening.name)
        if not found:
            raise StorageError(
                f"Run {opening.name} does not stand in the ledger {store.name}. "
                "Was it made with another --ledger?"
            )
        run, target = found[0]
        remember_target(store, opening.destination, _bound_to(store, opening.destination, target))
        return _live(store, opening, run, target)


def _bound_to(store: Store, destination: Destination, target: int) -> int:
    """A run goes on where it began. Raises UsageError where the key is not known to open that."""
    if not destination.private:
        find_target(store, replace(destination, bound=target, again=False))
    return target


def recover_dead(store: Store) -> None:
    """End every run that died."""
    with looked_through(store):
        pass


@contextmanager
def looked_through(store: Store) -> Iterator[None]:
    """A transaction on a ledger that was looked through, in which no dead run is left."""
    store.verify()
    with store.transaction():
        unneeded = recovery.end_dead_runs(store)
        yield
    with store.in_words():
        for path in unneeded:
            path.unlink(missing_ok=True)


def _live(store: Store, opening: Opening, run: int, target: int) -> Book:
    """A new leg of a run. The transaction's commit makes it known, and its window is locked before."""
    copies = _copies(store, opening, target)
    _refuse_if_busy(store, run, copies.values())
    store.tell_many(
        "INSERT INTO run_copies VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
        [(copy, run, opening.mapping, FORMAT) for copy in set(copies.values())],
    )
    remember_readings(store, run, _readings(opening, copies))
    leg = int(store.one("SELECT max(leg) + 1 FROM runs"))
    window = recovery.window_name(opening.name, leg)
    store.tell(
        'UPDATE runs SET is_open = TRUE, leg = ?, "window" = ?, boot = ?, commits = 0 WHERE id = ?',
        leg,
        window,
        boot_id(),
        run,
    )
    store.hold(run)
    return Book(store, run, copies, Window(recovery.window_path(store.path, window)))


def _copies(store: Store, opening: Opening, target: int) -> dict[str, int]:
    """The copies that a run reads, by the name of their content; made where they are new."""
    _refuse_if_stale(store, opening.contents, target)
    ids = {resolved.uid: remember(store, content, resolved) for content, resolved in opening.contents}
    ids |= {uid: of_uid(store, uid) for uid in opening.carried if uid not in ids}
    return {uid: _copy(store, target, content) for uid, content in ids.items()}


def _readings(opening: Opening, copies: dict[str, int]) -> dict[int, Reading]:
    """How a run reads its copies; of two sources of one content, the longer one's reading."""
    found: dict[int, Reading] = {}
    for content, resolved in opening.contents:
        copy = copies[resolved.uid]
        if content.reading is not None:
            found[copy] = max(found.get(copy, content.reading), content.reading)
    return found


def _copy(store: Store, target: int, content: int) -> int:
    store.tell("INSERT INTO copies (target, content) VALUES (?, ?) ON CONFLICT DO NOTHING", target, content)
    return int(store.one("SELECT id FROM copies WHERE target = ? AND content = ?", target, content))


def _refuse_if_stale(store: Store, contents: Iterable[tuple[Content, Resolved]], target: int) -> None:
    """Between a plan and its run another run may have taught the ledger what a source is."""
    if any(resolve(store, content, target) != resolved for content, resolved in contents):
        raise BusyError(
            "Another run began with the same rows while this one was being planned. "
            "Nothing was sent; start again."
        )


def _refuse_if_busy(store: Store, run: int, copies: Iterable[int]) -> None:
    """Every open run is live here, for the dead ones were ended; one that dies by now is still in the way."""
    mine = set(copies)
    for other, name, copy in store.ask(
        "SELECT id, name, copy FROM runs LEFT JOIN run_copies ON run = id WHERE is_open"
    ):
        if other == run or copy in mine:
            raise BusyError(
                f"Run {name} is sending these rows right now. Wait for it, or stop it with Ctrl-C first."
            )


def totals(store: Store, run: int) -> Totals:
    """What a run has written, over all its legs."""
    counted = Totals()
    delivered = store.one("SELECT coalesce(sum(last - first + 1), 0) FROM spans WHERE run = ?", run)
    counted.rows[Outcome.DELIVERED] = int(delivered)
    for outcome, status, text, rows in store.each(_BY_REASON, run):
        counted.rows[outcome] += rows
        counted.reasons.add(outcome, status, *parted(text), rows=rows)
    ((counted.requests, counted.retries, counted.duplicates),) = store.ask(
        "SELECT requests, retries, duplicates FROM runs WHERE id = ?", run
    )
    return counted


_BY_REASON: Final = """
SELECT outcome, status, text, many FROM (
  SELECT outcome, status, reason, count(*) AS many FROM words WHERE run = ? GROUP BY outcome, status, reason
) AS counted JOIN reasons ON reasons.id = counted.reason
"""
