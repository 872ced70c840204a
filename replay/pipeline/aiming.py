"""Where rows go that were sent before: to the target of their run, and only with a key that opens it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Literal

from replay import hackle
from replay.errors import UsageError
from replay.ledger import (
    FILE_NAME,
    Destination,
    environment_of,
    find_target,
    opens,
    rows_recorded,
    run_id,
    target_of,
)
from replay.pipeline.resuming import ledger_of
from replay.settings import Postgres, check_url, parse_ledger, show_url

if TYPE_CHECKING:
    from pathlib import Path

    from replay.ledger import Store
    from replay.pipeline.choosing import Known
    from replay.report import RunFolder
    from replay.settings import RunSettings

SANDBOX: Final = "sandbox"


@dataclass(frozen=True, slots=True)
class Aim:
    """Where a resend goes. `run`: the run whose target that is; None where another one was typed.

    `run_sent_to`: where the run sent, for people.
    """

    url: str
    sandbox: bool
    run: str | None = None
    run_sent_to: str | None = None
    url_typed: bool = False

    def of(self, settings: RunSettings) -> RunSettings:
        """The same settings, bound to the run."""
        return replace(settings, resent_run=self.run, run_sent_to=self.run_sent_to, url_typed=self.url_typed)


def aim(folder: RunFolder | None, name: str, url: str | None, *, sandbox: bool) -> Aim:
    """Where the failed rows of a run go: where the run went, unless an address or a sandbox was typed.

    `name`: the run or file as it was typed. Raises UsageError where it is not known where the run went.
    """
    if folder is None:
        if url is None and not sandbox:
            raise UsageError(
                f"{name}: the run that wrote this file is not known here, so it is not known where its rows "
                "went. Name its runs folder with --runs, or say with --url where they go."
            )
        return Aim(url or hackle.URL, sandbox)
    record = folder.read_record()
    went = str(record["url"])
    sent_to = "an embedded sandbox" if went == SANDBOX else went
    if sandbox or (url is not None and show_url(check_url(url)) != went):
        return Aim(url or hackle.URL, sandbox, None, sent_to)
    if went == SANDBOX:
        return Aim(hackle.URL, sandbox=True, run=folder.run, run_sent_to=sent_to)
    if url is None and record.get("url_had_more"):
        raise UsageError(
            f"The address of run {folder.run} had a query or a user in it, which is not kept. Give it again: "
            f"--url {went}…"
        )
    return Aim(url or went, False, folder.run, sent_to, url_typed=url is not None)


def ledger_aimed_at(folder: RunFolder | None, runs: Path, typed: str | None) -> str | None:
    """The ledger of a resend: the one typed, else its run's own; None for the one in the runs folder.

    Another ledger knows neither what was delivered since nor which key opens the run's target.
    """
    if typed is not None or folder is None:
        return typed
    record = folder.read_record()
    kept = parse_ledger(str(record["ledger"]))
    if isinstance(kept, Postgres):
        if record.get("ledger_had_more"):
            raise UsageError(
                f"The address of the ledger of run {folder.run} had options, which are not kept. "
                f"Give it again: --ledger '{kept}?…'"
            )
        return str(kept)
    usual = (runs / FILE_NAME).resolve()
    moved = folder.path.resolve().parent / kept.name
    return None if usual in (kept, moved) else str(ledger_of(folder))


def bound_to_run(store: Store, destination: Destination, run: str, *, is_typed: bool = False) -> Destination:
    """A destination bound to the target of a run that is resumed or resent.

    A run to the documented address that never delivered a row goes on with any key that is not known for
    another environment. `is_typed`: a person typed the address. Raises UsageError where no one did and the
    ledger does not know the run: nothing then says that its address may have the key.
    """
    known = run_id(store, run)
    if known is None:
        if is_typed or destination.url == show_url(hackle.URL):
            return destination
        raise UsageError(
            f"The ledger {store.name} does not know run {run}, so nothing but its run.toml says that rows "
            f"and the API key may go to {destination.url}. If they may, say so: --url {destination.url}"
        )
    never = destination.url == show_url(hackle.URL) and not rows_recorded(store)[run]
    same = destination.same_target or never
    return replace(destination, bound=target_of(store, known), same_target=same)


def key_standing(store: Store, destination: Destination) -> Literal["known", "unknown"]:
    """Whether a key is known to open the target that a destination is bound to.

    "known" as well where nothing has to be asked. Raises UsageError for a key that is known for another
    environment of the same address.
    """
    if destination.bound is None or destination.key is None:
        return "known"
    find_target(store, replace(destination, same_target=True, again=False))
    if destination.same_target or opens(store, destination.bound, destination.key):
        return "known"
    return "unknown"


def other_environment(known: Known, settings: RunSettings) -> str | None:
    """How the run's environment and the one that a resend goes to differ, in words; None if they do not."""
    store, target, name = known.store, known.target, settings.resent_run
    run = None if store is None or name is None else run_id(store, name)
    if store is None or run is None or settings.sandbox or (went := target_of(store, run)) == target:
        return None
    environment = environment_of(store, went)[1]
    now = "a new environment" if target is None else f"environment {environment_of(store, target)[1]}"
    return f"{now} of it; run {name} sent to environment {environment}"
