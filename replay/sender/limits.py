"""When a run has failed enough: too many rows, the same refusal of all first ones, or a 2xx that is none."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from replay.reasons import normalised
from replay.records import Outcome
from replay.settings import MaxFailures
from replay.sink import Meaning

if TYPE_CHECKING:
    from replay.records import Event, Result
    from replay.sink import Answer, State

SAME_REFUSALS: Final = 50


class Limits:
    """Looks at how rows end. Refusals are kept as long as all rows of the run end with the same words.

    Words are the same where they differ in ids, times, numbers and values of the row alone.
    `state` counts them, for all processes that share it; `sees_all`: every row of the run comes by here,
    from its first on.
    """

    def __init__(self, max_failures: MaxFailures, state: State, *, sees_all: bool = True) -> None:
        self._max_failures = max_failures if max_failures != MaxFailures() else None
        self._state = state
        self._has_reached = False
        self._same: list[tuple[Event, Result]] | None = [] if sees_all else None

    @property
    def of_destination(self) -> list[tuple[Event, Result]]:
        """The rows that were refused for no fault of theirs; none while there are too few to tell."""
        return self._same if self._same is not None and len(self._same) >= SAME_REFUSALS else []

    def reach(self) -> None:
        """A row is known to have been delivered to the target."""
        if not self._has_reached:
            self._has_reached = True
            with self._state as state:
                state.reached = state.reached or 1.0

    def believed(self, answer: Answer) -> Answer:
        """What a 2xx means: a delivery, unless the first one that came says that it is none.

        Once a row was delivered the status line alone decides. Once one was not believed, none is that
        says the same, whatever else is under way at that moment.
        """
        if not answer.reports_failure:
            self.reach()
            return answer
        with self._state as state:
            state.reached = state.reached or -1.0
            if state.reached > 0:
                return answer
        return replace(answer, meaning=Meaning.DISBELIEVED, stopped_by="destination")

    def add(self, event: Event, result: Result) -> tuple[str, str] | None:
        """Take in how a row ended; by what the run should stop, and why, if it should."""
        if self._same is not None:
            self._compare(self._same, event, result)
            if refused := self.of_destination:
                return "destination", f"the first {len(refused)} answers were all: {result.reason}"
        return None if self._max_failures is None else self._count(self._max_failures, result)

    def _compare(self, same: list[tuple[Event, Result]], event: Event, result: Result) -> None:
        first = same[0][1] if same else result
        if result.outcome is Outcome.REJECTED and _is_alike(result, first):
            same.append((event, result))
        elif not self.of_destination:
            self._same = None

    def _count(self, most: MaxFailures, last: Result) -> tuple[str, str] | None:
        with self._state as state:
            state.tried += 1
            state.failures += last.outcome is not Outcome.DELIVERED
            failures, tried = int(state.failures), int(state.tried)
        if not most.reached(failures, tried):
            return None
        self._state.halted = 1.0
        return "max-failures", f"{failures} of {tried} rows failed; the last: {last.reason}"


def _is_alike(result: Result, first: Result) -> bool:
    if result.status != first.status:
        return False
    return (result.group or normalised(result.reason)) == (first.group or normalised(first.reason))
