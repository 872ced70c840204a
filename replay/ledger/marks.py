"""A sender process's hold on the window of the run that it works for."""

from __future__ import annotations

import mmap
from typing import TYPE_CHECKING, Final

from replay.ledger.window import STATES, State, write_tally

if TYPE_CHECKING:
    from replay.records import Outcome

_STARTED: Final = int(State.STARTED)
_ANNOUNCED: Final = int(State.ANNOUNCED)


class Marks:
    """Marks rows in a window that another process keeps; while `file` is open here, the leg is alive.

    `part`: which of the window's tallies is this process's own, from 1.
    """

    def __init__(self, file: int, part: int) -> None:
        self._file = file
        self._part = part
        self._map = mmap.mmap(file, 0)

    def start(self, slot: int) -> None:
        """A request of this row is about to leave."""
        self._mark(slot, _STARTED)

    def wait(self, slot: int) -> None:
        """The row was not accepted, for sure, by any request so far, and waits for another try."""
        self._mark(slot, _ANNOUNCED)

    def end(self, slot: int, outcome: Outcome) -> None:
        """The row ended so."""
        self._mark(slot, STATES.get(outcome, _ANNOUNCED))

    def count(self, requests: int, retries: int, duplicates: int) -> None:
        """How many requests this process has made so far."""
        write_tally(self._map, self._part, requests, retries, duplicates)

    def _mark(self, slot: int, state: int) -> None:
        if slot >= len(self._map):  # the window grew
            self._map = mmap.mmap(self._file, 0)
        self._map[slot] = state
