"""Samples: how a run went over time, for its report. No invariant rests on them, and no row's fate.

What stands in them is the report's own affair: a text a place, at most some hundreds of places a run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from replay.ledger.base import Store


def write_samples(store: Store, run: int, samples: Iterable[tuple[int, str]], *, anew: bool) -> None:
    """Write (place, text) of a run, in the stead of what stood at these places; `anew`: of all places."""
    with store.transaction():
        if anew:
            store.tell("DELETE FROM samples WHERE run = ?", run)
        store.tell_many(
            "INSERT INTO samples (run, place, text) VALUES (?, ?, ?)"
            " ON CONFLICT (run, place) DO UPDATE SET text = excluded.text",
            [(run, place, text) for place, text in samples],
        )


def samples_of(store: Store, run: int) -> list[tuple[int, str]]:
    """The (place, text) of a run, by place."""
    found = store.ask("SELECT place, text FROM samples WHERE run = ? ORDER BY place", run)
    return [(int(place), str(text)) for place, text in found]
