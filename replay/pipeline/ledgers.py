"""The ledger on behalf of a run: opened, looked through, asked what it knows of the destination."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from replay.cluster import require_engine
from replay.errors import StorageError, UsageError
from replay.ledger import (
    Destination,
    Opening,
    busy,
    find_target,
    is_live_run,
    open_ledger,
    recover_dead,
    run_id,
    target_of,
)
from replay.pipeline.choosing import Known
from replay.pipeline.refusing import mapping_digest
from replay.pipeline.resuming import ledger_of
from replay.settings import show_url
from replay.sink import proxy_for

if TYPE_CHECKING:
    from collections.abc import Iterator

    from replay.ledger import Store
    from replay.pipeline.plan import Plan
    from replay.report import RunFolder
    from replay.settings import RunSettings


@contextmanager
def opened(settings: RunSettings) -> Iterator[Store | None]:
    """The ledger of a run; None for a dry run where there is none yet, because that writes nothing."""
    if settings.cluster is not None:
        require_engine()
    place = settings.ledger_place
    if settings.dry_run and isinstance(place, Path) and not place.exists():
        yield None
        return
    with open_ledger(place, settings.runs) as store:
        yield store


def known_before(store: Store | None, settings: RunSettings, run: str, *, resumed: bool = False) -> Known:
    """What is known before a run begins: runs that died are told to their end first.

    Raises UsageError where the destination is known with another key, DestinationError where the environment
    names no proxy that can be used.
    """
    if not (settings.dry_run or settings.sandbox):
        proxy_for(settings.sink.url)
    if store is None:
        return Known()
    if resumed:
        refuse_live(store, run)
    if not settings.dry_run:
        recover_dead(store)
    begun = run_id(store, run) if resumed else None
    destination = destination_of(settings, run, resumed=resumed)
    target = find_target(store, destination) if begun is None else target_of(store, begun)
    return Known(store, target, begun or 0, again=settings.again)


def destination_of(settings: RunSettings, run: str, *, resumed: bool = False) -> Destination:
    """Where a run sends, as the ledger knows it; a sandbox inside the run is the run's alone.

    A run that goes on may come with another key: its target is the same.
    """
    if settings.sandbox:
        return Destination(f"sandbox of {run}", None, private=True)
    key = settings.sink.api_key or None
    same = settings.same_target or resumed
    return Destination(show_url(settings.sink.url), key, same_target=same, again=settings.again)


def opening_of(plan: Plan, settings: RunSettings, run: str, command: str, *, resumed: bool) -> Opening:
    """What the ledger is told when a run begins."""
    return Opening(
        name=run,
        command=command,
        started=datetime.now(UTC).isoformat(timespec="seconds"),
        destination=destination_of(settings, run, resumed=resumed),
        contents=[(source.content, source.resolved) for source in plan.sources],
        carried=frozenset(plan.carried),
        mapping=None if plan.job.selection else mapping_digest(plan.job.mapping),
    )


def ledger_opened(folder: RunFolder) -> Store:
    """The ledger that knows a run, opened. Raises StorageError where it is gone."""
    return open_ledger(ledger_of(folder), folder.path.parent)


def refuse_live(store: Store, run: str) -> None:
    """Raise BusyError where a process is at work on a run."""
    if is_live_run(store, run):
        raise busy(store, run)


def is_at_work(folder: RunFolder) -> bool:
    """Whether a process is at work on a run, as far as its ledger can be asked."""
    try:
        with ledger_opened(folder) as store:
            return is_live_run(store, folder.run)
    except (StorageError, UsageError):
        return False
