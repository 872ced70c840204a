"""The progress of a run while it lives, and what observes it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from replay.pipeline.places import Place
    from replay.records import Answers, Result
    from replay.report import Counts


@dataclass(frozen=True, slots=True)
class Progress:
    """The progress of a run at this moment; `tried`: rows that ended in this leg, `rate`: the most for now.

    `rows`: those that this leg has to send in all, `place`: how far it is in the sources. `answers`: what
    came back from this leg's requests; it goes on counting, so copy what is to be kept.
    """

    counts: Counts
    tried: int
    in_flight: int
    rate: float | None
    waiting_for: str | None
    answers: Answers
    rows: int
    place: Place


class Observer(Protocol):
    """Observes how a run goes."""

    def on_progress(self, progress: Progress) -> None:
        """Called several times a second while the run lives."""

    def on_row(self, source: str, row: int, result: Result) -> None:
        """Called for each row that failed."""

    def on_duplicate(self, source: str, row: int) -> None:
        """Called for each request that may have made a row arrive once more."""

    def on_stop(self, reason: str) -> None:
        """Called once when the run stops before its end."""


class Silent:
    """An observer that says nothing."""

    def on_progress(self, progress: Progress) -> None:
        """Say nothing."""

    def on_row(self, source: str, row: int, result: Result) -> None:
        """Say nothing."""

    def on_duplicate(self, source: str, row: int) -> None:
        """Say nothing."""

    def on_stop(self, reason: str) -> None:
        """Say nothing."""
