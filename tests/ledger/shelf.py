"""Ledgers for tests: contents, openings, and what a ledger says of rows."""

from __future__ import annotations

from contextlib import contextmanager
from hashlib import blake2b
from typing import TYPE_CHECKING

from replay.ledger import (
    Content,
    Destination,
    FirstRows,
    History,
    Opening,
    beginnings,
    entry,
    lengths,
    resolve,
)
from replay.records import Outcome, Result

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from replay.ledger import Store

URL = "https://api.hackle.io/v1/track"
DELIVERED = Result(Outcome.DELIVERED, 200, 1, "")
REJECTED = Result(Outcome.REJECTED, 400, 1, "no")
EXHAUSTED = Result(Outcome.EXHAUSTED, 429, 6, "busy")
AMBIGUOUS = Result(Outcome.AMBIGUOUS, None, 1, "reset")
PENDING = Result(Outcome.PENDING, None, 1, "")


def digest(data: bytes) -> str:
    return blake2b(data, digest_size=16).hexdigest()


def content_of(data: bytes, store: Store | None = None, *, torn: bool = False) -> Content:
    """What a source's room would say of these bytes; with a ledger, marked where that one asks for it."""
    lines = data.splitlines(keepends=True)
    whole = b"".join(line for line in lines if line.endswith((b"\n", b"\r")))
    ended = [] if whole == data else [digest(data + end) for end in (b"\n", b"\r", b"\r\n")]
    rows = [line.rstrip() for line in lines[1:] if line.endswith((b"\n", b"\r")) or not torn]
    heads = (
        [digest(b"\n".join([lines[0].rstrip(), *rows[:count]])) for count in range(len(rows) + 1)]
        if lines
        else [""]
    )
    entries = [entry(bytes.fromhex(head), row) for row, head in enumerate(heads[1:], 1)]
    marks = {n: digest(data[:n]) for n in (lengths(store) if store else []) if n <= len(data)}
    return Content(
        len(data),
        digest(data),
        heads[-1],
        marks,
        beginnings((len(data), digest(data)), (len(whole), digest(whole)), ended, torn=torn),
        FirstRows(b"".join(entries), are_all=True, old_heads=tuple(heads)),
    )


def opening(
    store: Store, name: str, *sources: bytes, destination: Destination | None = None, torn: bool = False
) -> Opening:
    contents = [content_of(data, store, torn=torn) for data in sources or (b"a,b\n1,2\n",)]
    return Opening(
        name,
        "send",
        "2026-11-23T08:12:10Z",
        destination or Destination(URL, "key"),
        [(content, resolve(store, content)) for content in contents],
        mapping="m",
    )


def said_of(store: Store, copy: int, rows: range) -> dict[int, Outcome]:
    """How the ledger would treat these rows in a run to come: what is not in it is pending."""
    past = History(store, copy).past(rows.start, rows.stop - 1)
    said = dict.fromkeys(past.ambiguous, Outcome.AMBIGUOUS)
    for row, outcome in store.ask("SELECT row, outcome FROM words WHERE copy = ?", copy):
        said.setdefault(row, Outcome(outcome))
    for first, last in past.delivered:
        said |= dict.fromkeys(range(first, last + 1), Outcome.DELIVERED)
    return said


def take_for_dead(store: Store) -> None:
    """Let the next who looks take every run for dead, whoever lives."""
    for window in windows(store.path):
        window.unlink()
    expire(store)


def expire(store: Store) -> None:
    """Let every lease be over."""
    if store.is_shared:
        for table in ("leases", "shares"):
            store.tell(f"UPDATE {table} SET until = clock_timestamp()")


@contextmanager
def refusing_batches(store: Store) -> Iterator[None]:
    """Nothing can be announced meanwhile."""
    if store.is_shared:
        store.tell("ALTER TABLE batches RENAME TO away")
    else:
        store.tell("CREATE TRIGGER fault BEFORE INSERT ON batches BEGIN SELECT raise(ABORT, 'no'); END")
    yield
    store.tell("ALTER TABLE away RENAME TO batches" if store.is_shared else "DROP TRIGGER fault")


def windows(ledger: Path) -> list[Path]:
    return sorted(ledger.parent.glob("*.window"))
