"""Writing down what the user found out about rows whose end was not known."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from replay.errors import BusyError, UsageError
from replay.ledger import entries
from replay.ledger.asking import is_live_run, rows_left, run_id
from replay.ledger.opening import looked_through
from replay.records import Outcome, Result

if TYPE_CHECKING:
    from collections.abc import Collection

    from replay.ledger.base import Store


def settle(
    store: Store,
    name: str,
    verdict: Literal["delivered", "undelivered"],
    only: Collection[tuple[str, int]] | None = None,
) -> int:
    """Say of a run's ambiguous rows that they arrived, or that they did not; returns how many.

    `only`: rows by their content's name and number; None for all. Raises UsageError where the ledger
    does not know the run, BusyError while it lives.
    """
    with looked_through(store):
        run = run_id(store, name)
        if run is None:
            raise UsageError(f"Run {name} does not stand in the ledger {store.name}.")
        if is_live_run(store, name):
            raise BusyError(f"Run {name} is at work right now. Wait for it, then settle.")
        rows = rows_left(store, run, Outcome.AMBIGUOUS)
        if only is not None:
            named = {
                (copy, row)
                for uid, row in only
                for (copy,) in store.ask(
                    "SELECT copies.id FROM copies JOIN contents ON contents.id = content WHERE uid = ?", uid
                )
            }
            rows = [place for place in rows if place in named]
        # a leg of its own: what the user found out comes after what any run said of these rows
        store.tell("UPDATE runs SET leg = (SELECT max(leg) + 1 FROM runs) WHERE id = ?", run)
        entries.write(store, run, [(copy, row, _result(verdict)) for copy, row in rows])
    return len(rows)


def _result(verdict: Literal["delivered", "undelivered"]) -> Result:
    if verdict == "delivered":
        return Result(Outcome.DELIVERED, None, 1, "settled as delivered")
    return Result(Outcome.EXHAUSTED, None, 1, "settled as undelivered")
