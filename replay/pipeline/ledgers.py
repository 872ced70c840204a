"""The ledger on behalf of a run: opened, looked through, asked what it knows of the destination."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
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
)
from replay.pipeline.aiming import bound_to_run, key_standing
from replay.pipeline.choosing import Known
from replay.pipeline.guarding import places_of, refuse_open_to_others
from replay.pipeline.refusing import mapping_digest
from replay.pipeline.remembering import refuse_forgotten
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
    """The ledger of a run; None for a dry run where there is none yet, because that writes nothing.

    Raises UsageError where others can write to it or to the runs folder, and where it knows less than the
    runs folder does.
    """
    if settings.cluster is not None:
        require_engine()
    place = settings.ledger_place
    refuse_open_to_others(places_of(settings))
    if isinstance(place, Path) and not place.exists():
        refuse_forgotten(None, settings)  # before a new one is made in its place
        if settings.dry_run:
            yield None
            return
    with open_ledger(place, settings.runs, reading=settings.dry_run) as store:
        refuse_forgotten(store, settings)
        yield store


def known_before(store: Store | None, settings: RunSettings, run: str, *, resumed: bool = False) -> Known:
    """What is known before a run begins: runs that died are told to their end first.

    Raises UsageError where the destination, or the target of the run that is resumed or resent, is known with
    another key, DestinationError where the environment names no proxy that can be used.
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
    target = find_target(store, destination_of(store, settings, run, resumed=resumed))
    known = Known(store, target, begun or 0, again=settings.again)
    return replace(known, new_mapping=settings.new_mapping)


def destination_of(store: Store, settings: RunSettings, run: str, *, resumed: bool = False) -> Destination:
    """Where a run sends, as the ledger knows it; a sandbox inside the run is the run's alone.

    A run that goes on, and the resend of one, are bound to that run's target.
    """
    if settings.sandbox:
        return Destination(f"sandbox of {run}", None, private=True)
    key = settings.sink.api_key or None
    same, again = settings.same_target, settings.again and not resumed
    destination = Destination(show_url(settings.sink.url), key, same_target=same, again=again)
    bound = run if resumed else settings.resent_run
    return (
        destination
        if bound is None
        else bound_to_run(store, destination, bound, is_typed=settings.url_typed or resumed)
    )


def key_is_known(store: Store, settings: RunSettings, run: str) -> bool:
    """Whether the key is known to open the target of a run that goes on; else a person has to say so.

    Raises UsageError for a key that is known for another environment.
    """
    return key_standing(store, destination_of(store, settings, run, resumed=True)) == "known"


def opening_of(
    store: Store, plan: Plan, settings: RunSettings, run: RunFolder, command: str, *, resumed: bool
) -> Opening:
    """What the ledger records when a run begins; a resend by its run's own mapping accepts no other one."""
    accepts_mapping = plan.job.selection is None or settings.new_mapping
    return Opening(
        name=run.run,
        command=command,
        started=datetime.now(UTC).isoformat(timespec="seconds"),
        destination=destination_of(store, settings, run.run, resumed=resumed),
        contents=[(source.content, source.resolved) for source in plan.sources],
        carried=frozenset(plan.carried),
        mapping=mapping_digest(plan.job.mapping) if accepts_mapping else None,
    )


def ledger_opened(folder: RunFolder, *, reading: bool = False, given: str | None = None) -> Store:
    """The ledger that knows a run, opened; `reading`: nothing will be written to it, `given`: it was typed.

    Raises StorageError where it is gone, UsageError where others can write to it.
    """
    place = ledger_of(folder, given)
    if not reading:
        ledger = [place] if isinstance(place, Path) else []
        refuse_open_to_others([folder.path.parent, folder.path, *ledger])
    return open_ledger(place, folder.path.parent, reading=reading)


def refuse_live(store: Store, run: str) -> None:
    """Raise BusyError where a process is at work on a run."""
    if is_live_run(store, run):
        raise busy(store, run)


def is_at_work(folder: RunFolder) -> bool:
    """Whether a process is at work on a run, as far as its ledger can be asked."""
    try:
        with ledger_opened(folder, reading=True) as store:
            return is_live_run(store, folder.run)
    except (StorageError, UsageError):
        return False
