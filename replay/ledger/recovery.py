"""Ending runs that died: telling what became of the rows they had announced.

All of it happens within the transaction of whoever asks, so that nobody begins in between: a run is
dead when it is open (or has batches left) and nobody holds the lock of its window. Windows are only
removed once that transaction is durable.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from replay.ledger import batches, entries, shares
from replay.ledger.window import boot_id, durable_commits, read_left_behind, tallies

if TYPE_CHECKING:
    from pathlib import Path

    from replay.ledger.base import Store

_UNENDED = (
    'SELECT id, leg, name, "window", boot, commits FROM runs WHERE is_open OR id IN (SELECT run FROM batches)'
)
_NAME = re.compile(r"(?P<run>.+)\.(?P<leg>[0-9]+)\.[0-9a-f]{8}\.window")


def window_name(run: str, leg: int) -> str:
    """A new name for the window of a leg."""
    return f"{run}.{leg}.{os.urandom(4).hex()}.window"


def window_path(ledger: Path, window: str) -> Path:
    """Where a window lies."""
    return ledger.with_name(f"{ledger.name}.{window}")


def end_dead_runs(store: Store) -> list[Path]:
    """End every run that died; returns the windows that nobody needs once this is durable."""
    _refuse_strays(store)
    needed = set()
    for run, leg, name, window, boot, commits in store.ask(_UNENDED):
        path = window_path(store.path, window)
        if store.is_live(run, path, boot):
            needed.add(path)
        else:
            said = read_left_behind(path)
            _refuse_missing(store, name, durable_commits(said) - commits)
            end(store, run, leg, said if boot == boot_id() else b"")
    return [path for path in _known_windows(store) if path not in needed]


def end(store: Store, run: int, leg: int, window: bytes) -> None:
    """End a leg of a run: each row that it had announced gets the outcome that its window tells."""
    ended = batches.end_all(store, run, leg, window)
    if store.is_shared:
        ended += shares.end_all(store, run)
    entries.write(store, run, ended)
    store.tell(
        "UPDATE runs SET is_open = FALSE, requests = greatest(requests, ?), retries = greatest(retries, ?),"
        " duplicates = greatest(duplicates, ?) WHERE id = ?",
        *tallies(window),
        run,
    )


def _refuse_strays(store: Store) -> None:
    if store.one("SELECT count(*) FROM batches WHERE run NOT IN (SELECT id FROM runs)"):
        raise store.damaged("rows are announced by a run that it does not know")


def _refuse_missing(store: Store, name: str, commits: int) -> None:
    if commits > 0:
        raise store.damaged(f"the last {commits} entries of run {name} are missing")


def _known_windows(store: Store) -> list[Path]:
    """The windows of this ledger, all of legs that it knows or that never wrote anything."""
    found = []
    prefix = f"{store.path.name}."
    for path in store.path.parent.iterdir():
        match = _NAME.fullmatch(path.name.removeprefix(prefix)) if path.name.startswith(prefix) else None
        if match is not None:
            leg = store.one("SELECT leg FROM runs WHERE name = ?", match["run"])
            if leg is None or int(match["leg"]) > leg:
                _refuse_missing(store, match["run"], durable_commits(read_left_behind(path)))
            found.append(path)
    return found
