"""When a run has failed enough: too many rows, or all of the first ones with the same refusal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from replay.records import Outcome
from replay.settings import MaxFailures

if TYPE_CHECKING:
    from replay.records import Event, Result
    from replay.sink import State

SAME_REFUSALS: Final = 50


class Limits:
    """Looks at how rows end. Refusals are kept as long as all rows of the run end with the same words.

    `state` counts them, for all processes that share it; `sees_all`: every row of the run comes by here.
    """

    def __init__(self, max_failures: MaxFailures, state: State, *, sees_all: bool = True) -> None:
        self._max_failures = max_failures if max_failures != MaxFailures() else None
        self._state = state
        self._same: list[tuple[Event, Result]] | None = [] if sees_all else None

    @property
    def of_destination(self) -> list[tuple[Event, Result]]:
        """The rows that were refused for no fault of theirs; none while there are too few to tell."""
        return self._same if self._same is not None and len(self._same) >= SAME_REFUSALS else []

    def add(self, event: Event, result: Result) -> tuple[str, str] | None:
        """Take in how a row ended; by what the run should stop, and why, if it should."""
        if self._same is not None:
            self._compare(self._same, event, result)
            if refused := self.of_destination:
                return "destination", f"the first {len(refused)} answers were all: {result.reason}"
        return None if self._max_failures is None else self._count(self._max_failures, result)

    def _compare(self, same: list[tuple[Event, Result]], event: Event, result: Result) -> None:
        first = same[0][1] if same else result
        if result.outcome is Outcome.REJECTED and result.reason == first.reason:
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
