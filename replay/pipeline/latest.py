"""Which run `last` is: the one that was started last, by the ledger and not by the clock."""

from __future__ import annotations

from collections import defaultdict
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from replay.errors import StorageError, UsageError
from replay.ledger import open_ledger, runs_in_order
from replay.pipeline.resuming import ledger_of
from replay.report import all_runs, find_run, typed_runs

if TYPE_CHECKING:
    from pathlib import Path

    from replay.report import RunFolder

_Begun = tuple["RunFolder", dict[str, Any]]
"""A run's folder, and its record."""


def found_run(name: str, runs: Path) -> RunFolder | None:
    """The run that an id, a folder or `last` names; None if it names none."""
    return last_run(runs) if name == "last" else find_run(name, runs)


def run_named(name: str, runs: Path) -> RunFolder:
    """The run that an id, a folder or `last` names. Raises UsageError where it names none."""
    folder = found_run(name, runs)
    if folder is None:
        raise UsageError(f"There is no run {name} in {runs}. `{typed_runs(runs)}` lists those there are.")
    return folder


def last_run(runs: Path) -> RunFolder | None:
    """The run of a runs folder that was started last: of each ledger by its order, between them by time."""
    by_ledger: dict[str, list[_Begun]] = defaultdict(list)
    for folder in all_runs(runs):
        with suppress(UsageError):  # a record that cannot be read names no ledger and no time
            record = folder.read_record()
            by_ledger[str(record.get("ledger"))].append((folder, record))
    last = [_last_of(begun) for begun in by_ledger.values()]
    return max(last, key=_started)[0] if last else None


def _last_of(begun: list[_Begun]) -> _Begun:
    """The last of some runs of one ledger: by time only where that does not know them, or cannot be read."""
    known = {folder.run: (folder, record) for folder, record in begun}
    try:
        with open_ledger(ledger_of(begun[0][0]), begun[0][0].path.parent, reading=True) as store:
            order = [name for name in runs_in_order(store) if name in known]
    except (StorageError, UsageError, KeyError):
        order = []
    return known[order[-1]] if order else max(begun, key=_started)


def _started(begun: _Begun) -> tuple[str, int]:
    folder, record = begun
    return str(record.get("started", "")), (folder.path / "run.toml").stat().st_mtime_ns
