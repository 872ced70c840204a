"""Whether the ledger still knows what the runs of the runs folder sent: one that does not sends it again."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from replay.errors import StorageError, UsageError
from replay.ledger import is_live_run, open_runs, recover_dead, rows_recorded
from replay.report import all_runs, has_reached_a_target, recorded_before
from replay.settings import Postgres, parse_ledger

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from replay.ledger import Store
    from replay.report import RunFolder
    from replay.settings import RunSettings

RUNS_SHOWN: Final = 3
_UNKNOWN: Final = -1


@dataclass(frozen=True, slots=True)
class Forgotten:
    """A run that recorded `rows` as delivered or ambiguous; the ledger knows fewer, or not the run (-1)."""

    folder: RunFolder
    rows: int
    known: int

    def __str__(self) -> str:
        knows = "does not know the run" if self.known == _UNKNOWN else f"knows {self.known:,} of them"
        return f"run {self.folder.run} recorded {self.rows:,} rows, and the ledger {knows}"


def refuse_forgotten(store: Store | None, settings: RunSettings) -> None:
    """Refuse to go on with a ledger that forgot rows of runs in the runs folder.

    With `accept_ledger` keep that it was accepted, so that the next command goes on, too. `store` None: there
    is no ledger. A rehearsal in a sandbox sends nothing twice. Raises UsageError.
    """
    found = [] if settings.sandbox else list(_forgotten(store, settings))
    if found and store is not None and not settings.dry_run:
        recover_dead(store)  # what runs that died had in flight is recorded by that
        found = list(_forgotten(store, settings))
    if not found:
        return
    if not settings.accept_ledger:
        raise UsageError(_refusal(found, settings))
    if store is not None and not settings.dry_run:
        for one in found:
            _accept(one, store.identity)


def refuse_forgotten_beside(folder: RunFolder | None, store: Store | None, settings: RunSettings) -> None:
    """The same for the runs beside a run that is resent from another runs folder. Raises UsageError."""
    if folder is not None and folder.path.parent.resolve() != settings.runs.resolve():
        refuse_forgotten(store, replace(settings, runs=folder.path.parent))


def _forgotten(store: Store | None, settings: RunSettings) -> Iterator[Forgotten]:
    # the folders are read first: a run that begins or goes on meanwhile is then known to the ledger
    runs = [(folder, _record(folder), recorded_before(folder)) for folder in all_runs(settings.runs)]
    known = {} if store is None else rows_recorded(store)
    identity = "" if store is None else store.identity
    unended = set(open_runs(store)) if store is not None and settings.dry_run else ()
    for folder, record, rows in runs:
        if (
            folder.run in unended
            or record.get("url") in (None, "sandbox")
            or not _names(record, identity, settings)
        ):
            continue
        knows = known.get(folder.run, _UNKNOWN)
        if knows >= rows or (knows == _UNKNOWN and not has_reached_a_target(folder)):
            continue
        is_alive = store is not None and is_live_run(store, folder.run)
        if not is_alive and not _is_accepted(record, identity, knows):
            yield Forgotten(folder, rows, knows)


def _record(folder: RunFolder) -> dict[str, Any]:
    """A run's record; none where it cannot be read, which is reported where it is needed."""
    try:
        return folder.read_record()
    except UsageError:
        return {}


def _names(record: dict[str, Any], identity: str, settings: RunSettings) -> bool:
    """Whether a run was made with this ledger, by its id or by its place."""
    if identity and record.get("ledger_id") == identity:
        return True
    try:
        recorded = parse_ledger(str(record.get("ledger", "")))
    except UsageError:
        return False
    place = settings.ledger_place
    if isinstance(place, Postgres) or isinstance(recorded, Postgres):
        return str(place) == str(recorded)
    return _is_same_file(recorded, place.resolve(), settings.runs.resolve())


def _is_same_file(recorded: Path, place: Path, runs: Path) -> bool:
    """Whether a recorded ledger is that at `place`; the runs folder may have been moved together with it."""
    has_moved = place.parent == runs and recorded.name == place.name and not recorded.parent.exists()
    return recorded == place or has_moved


def _is_accepted(record: dict[str, Any], identity: str, knows: int) -> bool:
    """Whether a person has accepted that this ledger knows as little of the run as it does."""
    accepted = record.get("ledger_accepted")
    if not isinstance(accepted, dict) or not identity or accepted.get("ledger") != identity:
        return False
    rows = accepted.get("rows")
    return isinstance(rows, int) and knows >= rows


def _accept(forgotten: Forgotten, identity: str) -> None:
    accepted = {"ledger": identity, "rows": forgotten.known}
    folder = forgotten.folder
    try:
        folder.write_record({**folder.read_record(), "ledger_accepted": accepted})
    except StorageError as error:
        raise StorageError(f"{error} It would have kept that the ledger was accepted.") from error


def _refusal(found: list[Forgotten], settings: RunSettings) -> str:
    runs = "; ".join(map(str, found[:RUNS_SHOWN]))
    more = f"; and {len(found) - RUNS_SHOWN:,} more runs" if len(found) > RUNS_SHOWN else ""
    return (
        f"The ledger {settings.ledger_place} knows less than the runs in {settings.runs}: {runs}{more}. "
        "It was removed, replaced or restored from a backup, and a backup does not know what was sent after "
        "it was made: those rows would be sent a second time. Nothing was sent. Put the newest ledger back; "
        "or add --accept-ledger to go on with what this one knows."
    )
