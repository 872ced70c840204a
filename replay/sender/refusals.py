"""Whether the destination refuses every row: the first rows of all end with the same refusal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from replay.records import Outcome

if TYPE_CHECKING:
    from replay.records import Event, Result

SAME_REFUSALS: Final = 50


class Refusals:
    """The refused rows that a run begins with, as long as they are refused with the same words."""

    def __init__(self) -> None:
        self._same: list[tuple[Event, Result]] | None = []

    @property
    def of_destination(self) -> list[tuple[Event, Result]]:
        """The rows that were refused for no fault of theirs; none while there are too few to tell."""
        return self._same if self._same is not None and len(self._same) >= SAME_REFUSALS else []

    def add(self, event: Event, result: Result) -> None:
        """Note how a row ended."""
        if self._same is None:
            return
        first = self._same[0][1] if self._same else result
        if result.outcome is Outcome.REJECTED and result.reason == first.reason:
            self._same.append((event, result))
        elif not self.of_destination:
            self._same = None
