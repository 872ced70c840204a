"""What is known of rows before they are sent: delivered, left ambiguous, or ended by this very run."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from replay.ledger import spans
from replay.records import Outcome

if TYPE_CHECKING:
    from replay.ledger.base import Store

_TRIED: Final = frozenset({"rejected", "exhausted", "ambiguous"})
"""Outcomes of rows that were tried: only these say anything new about a row that was ambiguous."""


@dataclass(frozen=True, slots=True)
class Past:
    """What is known of a stretch of rows of one copy, by row number.

    `delivered`: by other runs, as (first, last) stretches; `delivered_by`: the same by the run's name;
    `ambiguous`: rows that another run left
    so and none delivered, and its name; `own` and `own_delivered`: how this run has ended rows already.
    """

    delivered: list[tuple[int, int]] = field(default_factory=list)
    ambiguous: dict[int, str] = field(default_factory=dict)
    own: dict[int, Outcome] = field(default_factory=dict)
    own_delivered: list[tuple[int, int]] = field(default_factory=list)
    delivered_by: dict[str, list[tuple[int, int]]] = field(default_factory=dict)

    def was_delivered(self, row: int) -> bool:
        """Whether another run delivered this row."""
        return any(first <= row <= last for first, last in self.delivered)

    @property
    def is_blank(self) -> bool:
        """Whether nothing is known."""
        return not (self.delivered or self.ambiguous or self.own or self.own_delivered)


class History:
    """The past of one copy, asked stretch by stretch.

    `run` is the one that asks (0 for none yet); with `again` it does not look at what others did.
    What other runs did does not change while a run lives: no two live runs share a copy. Of its own
    deliveries it knows those before it was made, of an earlier leg.
    """

    def __init__(self, store: Store, copy: int, run: int = 0, *, again: bool = False) -> None:
        self._store = store
        self._copy = copy
        self._run = run
        self._again = again
        reach = store.ask(
            "SELECT run, min(first), max(last), name FROM spans JOIN runs ON runs.id = run"
            " WHERE copy = ? GROUP BY run, name ORDER BY run",
            copy,
        )
        self._reach = [part for part in reach if part[0] == run or not again]

    def past(self, first: int, last: int) -> Past:
        """What is known of the rows from `first` to `last`."""
        past = Past()
        for run, lowest, highest, name in self._reach:
            if lowest <= last and highest >= first:
                found = spans.between(self._store, self._copy, run, first, last)
                if run == self._run:
                    past.own_delivered.extend(found)
                else:
                    past.delivered.extend(found)
                    past.delivered_by[name] = found
        self._add_words(past, first, last)
        return past

    def _add_words(self, past: Past, first: int, last: int) -> None:
        words = self._store.ask(
            "SELECT row, run, outcome, name FROM words JOIN runs ON runs.id = run"
            " WHERE copy = ? AND row >= ? AND row <= ? ORDER BY words.leg",
            self._copy,
            first,
            last,
        )
        for row, run, outcome, name in words:
            if run == self._run:
                past.own[row] = Outcome(outcome)
            elif outcome in _TRIED and not self._again:
                past.ambiguous.pop(row, None)
                if outcome == "ambiguous" and not past.was_delivered(row):
                    past.ambiguous[row] = name
