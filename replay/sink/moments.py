"""The numbers that all senders of a run share: in one process, or in several through a mapped file."""

from __future__ import annotations

import fcntl
import mmap
import os
import struct
from math import inf
from typing import TYPE_CHECKING, Final, Self

if TYPE_CHECKING:
    from types import TracebackType


class State:
    """When the next attempt may start, how long all pause, how far the pace is lowered, and how rows ended.

    Moments are in seconds of the clock, `low` is a pace (infinite where it was never lowered), `tried`
    and `failures` count rows, `halted` is not 0 once nothing may start any more. `reached`: 1 once a row is
    known to have been delivered to the target, -1 once a 2xx was not believed, 0 before. A process that
    reads one number to write another does so within a `with` block.
    """

    next: float
    paused_until: float
    low: float
    lowered_at: float
    climbs_from: float
    tried: float
    failures: float
    halted: float
    reached: float

    def __init__(self) -> None:
        self.next = self.paused_until = self.lowered_at = self.climbs_from = -inf
        self.low = inf
        self.tried = self.failures = self.halted = self.reached = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let go of what `with` took hold of: nothing."""


_NAMES: Final = (
    "next",
    "paused_until",
    "low",
    "lowered_at",
    "climbs_from",
    "tried",
    "failures",
    "halted",
    "reached",
)
_NUMBER: Final = struct.Struct("d")
_SIZE: Final = _NUMBER.size * len(_NAMES)


def _moment(place: int) -> property:
    """A number of the shared memory, read and written whole."""

    def read(state: SharedState) -> float:
        return state.numbers[place]

    def write(state: SharedState, moment: float) -> None:
        state.numbers[place] = moment

    return property(read, write)


class SharedState(State):
    """The same of all processes that map one file.

    The lock is the system's: a process that dies lets go of it.
    """

    next = _moment(0)
    paused_until = _moment(1)
    low = _moment(2)
    lowered_at = _moment(3)
    climbs_from = _moment(4)
    tried = _moment(5)
    failures = _moment(6)
    halted = _moment(7)
    reached = _moment(8)

    def __init__(self, file: int) -> None:
        self._file = file
        self.numbers = memoryview(mmap.mmap(file, _SIZE)).cast("d")

    @classmethod
    def make(cls, file: int) -> SharedState:
        """Fill an empty file and share it."""
        fresh = State()
        os.pwrite(file, struct.pack(f"{len(_NAMES)}d", *(getattr(fresh, name) for name in _NAMES)), 0)
        return cls(file)

    def __enter__(self) -> Self:
        fcntl.lockf(self._file, fcntl.LOCK_EX)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let the other processes in."""
        fcntl.lockf(self._file, fcntl.LOCK_UN)
