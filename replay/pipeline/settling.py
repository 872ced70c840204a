"""What comes after a run: telling of one that was killed, and settling the rows that stayed in doubt."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal

import msgspec

from replay.errors import UsageError
from replay.ledger import recover_dead, rows_recorded, run_id, settle, totals
from replay.pipeline.ledgers import is_at_work, ledger_opened, refuse_live
from replay.pipeline.whole import make_files_whole
from replay.reasons import LISTED_MAX
from replay.records import Outcome
from replay.report import (
    Files,
    Summary,
    carried_notes,
    first_name,
    flaw_of,
    keep_recorded,
    read_summary,
    recorded_before,
    shown,
    typed,
    uid_of,
    write_whole,
)
from replay.settings import ReadSettings
from replay.source import find, open_source

if TYPE_CHECKING:
    from pathlib import Path

    from replay.ledger import Store, Totals
    from replay.report import RunFolder

_TRIED: Final = ("delivered", "rejected", "exhausted", "ambiguous")
_NOT_IN_LEDGER: Final = frozenset({Outcome.SKIPPED, Outcome.DELIVERED})
"""Outcomes of which a summary gives reasons that the ledger does not keep."""


def standing(folder: RunFolder) -> dict[str, Any]:
    """A run's summary as it stands; one that was killed is interrupted, and `killed` says so."""
    summary = read_summary(folder) or {"run": folder.run}
    if summary.get("state", "running") == "running" and not is_at_work(folder):
        return summary | {"state": "interrupted", "killed": True}
    return summary


def settle_run(
    folder: RunFolder, verdict: Literal["delivered", "undelivered"], file: Path | None = None
) -> tuple[int, Summary]:
    """Settle a run's ambiguous rows, or those of a failed file alone; returns how many, and the new summary.

    Raises UsageError where the ledger or the file knows no such row, BusyError while the run lives.
    """
    only = None if file is None else _rows_of(file)
    with ledger_opened(folder) as store:
        rows = settle(store, folder.run, verdict, only)
        if not rows:
            raise UsageError(
                f"Run {folder.run} left none of these rows ambiguous: there is nothing to settle."
            )
        return rows, _tell_anew(folder, store)


def tell_if_killed(folder: RunFolder, ledger: str | None = None) -> None:
    """Tell a run that was killed to its end: what it had in flight joins its failed files.

    `ledger`: the one that was typed. Raises BusyError while it lives.
    """
    with ledger_opened(folder, given=ledger) as store:
        refuse_live(store, folder.run)
        summary = read_summary(folder)
        if summary is not None and summary["state"] == "running" and run_id(store, folder.run) is not None:
            recover_dead(store)
            _tell_anew(folder, store)


def _tell_anew(folder: RunFolder, store: Store) -> Summary:
    """Write a run's files and its summary anew, from the ledger."""
    run = run_id(store, folder.run)
    assert run is not None
    summary = _retold(folder, totals(store, run), make_files_whole(folder, store, run))
    keep_recorded(folder, max(recorded_before(folder), rows_recorded(store)[folder.run]))
    write_whole(folder.summary, summary.as_json() + b"\n")
    return summary


def _retold(folder: RunFolder, written: Totals, files: Files) -> Summary:
    """The run's summary with what the ledger says now; a run that was killed counts as interrupted."""
    document = read_summary(folder)
    if document is None:
        raise UsageError(
            f"{folder.summary} cannot be read. Continue the run first: "
            f"replay resume {typed(folder.run, shown(folder.path))}"
        )
    untold = [one for one in document["reasons"] if one["outcome"] in _NOT_IN_LEDGER]
    told = written.reasons.listed(LISTED_MAX - len(untold))
    rows = document["rows"] | {name: written.rows[name] for name in (*_TRIED, "invalid")}
    rows["pending"] = rows["read"] - sum(rows[name] for name in rows if name not in ("read", "pending"))
    document |= {
        "rows": rows,
        "requests": max(written.requests, document["requests"]),
        "retries": max(written.retries, document["retries"]),
        "possible_duplicates": max(written.duplicates, document["possible_duplicates"]),
        "reasons": told + untold,
        "state": "interrupted" if document["state"] == "running" else document["state"],
        "files": document["files"] | {"failed": list(files.failed), "unreadable": files.unreadable},
    }
    return msgspec.convert(document, Summary)


def _rows_of(file: Path) -> set[tuple[str, int]]:
    """The ambiguous rows that a failed file names, by their content and number."""
    settings = ReadSettings()
    rows: set[tuple[str, int]] = set()
    for source in find([str(file)], settings):
        with open_source(source, settings) as reader:
            for chunk in reader:
                for place, note in enumerate(carried_notes(chunk, range(len(chunk)))):
                    if note.get("outcome") != Outcome.AMBIGUOUS:
                        continue
                    if (flaw := flaw_of(note)) is not None:
                        raise UsageError(
                            f"{file}, line {chunk.lines[place]}: {flaw}. Nothing was settled. "
                            "Give the row its _replay_id back as the run wrote it."
                        )
                    name, row = first_name(note, "", 0)
                    rows.add((uid_of(name), row))
    if not rows:
        raise UsageError(f"{file}: no ambiguous row is noted in it. Give a failed file of the run.")
    return rows
