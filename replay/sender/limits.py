"""When a run has failed enough: too many rows, or all of the first ones with the same refusal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from replay.records import Outcome

if TYPE_CHECKING:
    from replay.records import Event, Result
    from replay.settings import MaxFailures

SAME_REFUSALS: Final = 50


class Limits:
    """Counts how rows end. Refusals are kept as long as all rows of the run end with the same words."""

    def __init__(self, max_failures: MaxFailures) -> None:
        self._max_failures = max_failures
        self._same: list[tuple[Event, Result]] | None = []
        self._tried = 0
        self._failures = 0

    @property
    def of_destination(self) -> list[tuple[Event, Result]]:
        """The rows that were refused for no fault of theirs; none while there are too few to tell."""
        return self._same if self._same is not None and len(self._same) >= SAME_REFUSALS else []

    def add(self, event: Event, result: Result) -> tuple[str, str] | None:
        """Count how a row ended; by what the run should stop, and why, if it should."""
        self._tried += 1
        if result.outcome is not Outcome.DELIVERED:
            self._failures += 1
        elif not self._failures:
            self._same = None
            return None
        if self._same is not None:
            self._compare(self._same, event, result)
        return self._reached(result)

    def _compare(self, same: list[tuple[Event, Result]], event: Event, result: Result) -> None:
        first = same[0][1] if same else result
        if result.outcome is Outcome.REJECTED and result.reason == first.reason:
            same.append((event, result))
        elif not self.of_destination:
            self._same = None

    def _reached(self, last: Result) -> tuple[str, str] | None:
        if refused := self.of_destination:
            return "destination", f"the first {len(refused)} answers were all: {last.reason}"
        if self._max_failures.reached(self._failures, self._tried):
            return "max-failures", f"{self._failures} of {self._tried} rows failed; the last: {last.reason}"
        return None
