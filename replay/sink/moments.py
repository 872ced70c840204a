"""The numbers that senders share: those of one run, and those of all live runs to one target.

In one process they are an object, in several a file that all of them map.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import secrets
import struct
import time
from contextlib import ExitStack, contextmanager, suppress
from errno import ETIMEDOUT
from math import inf
from typing import TYPE_CHECKING, Final, Self

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from types import TracebackType

JOIN_SECONDS: Final = 5.0  # for which a run waits while others join or leave
_PAUSE_SECONDS: Final = 0.01


class State:
    """When the next attempt may start, how long all pause, how far the pace is lowered, and how rows ended.

    Moments are in seconds of the clock, `low` is a pace (infinite where it was never lowered), `interval` the
    seconds between two attempts that all keep (0 for each its own), `tried` and `failures` count rows,
    `halted` is not 0 once nothing may start any more. `reached`: 1 once a row is known to have been delivered
    to the target, -1 once a 2xx was not believed, 0 before. What reads one number to write another does it
    within a `with` block.
    """

    next: float
    paused_until: float
    low: float
    lowered_at: float
    climbs_from: float
    tried: float
    failures: float
    halted: float
    interval: float
    reached: float

    def __init__(self) -> None:
        self.next = self.paused_until = self.lowered_at = self.climbs_from = -inf
        self.low = inf
        self.tried = self.failures = self.halted = self.interval = self.reached = 0.0

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
    "interval",
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
    interval = _moment(8)
    reached = _moment(9)

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


class SharedPace:
    """The pace of all live runs to one target: one state, at the lowest rate that any of them asked for.

    At `place` lies the file that all of them map; beside it each has one with its own interval, locked as
    long as it lives. So a run that is killed stops counting, and the next that looks removes what it left.
    A run that finds no other alive begins with a fresh state: moments of an earlier boot mean nothing.
    """

    def __init__(self, place: Path, rate: float | None) -> None:
        self._place = place
        self._own = 0.0 if rate is None else 1.0 / rate
        self._member = place.with_name(f"{place.name}-{secrets.token_hex(8)}")
        with _alone(place), ExitStack() as opened:
            others = self._others()
            self.file = os.open(place, os.O_RDWR | os.O_CREAT, 0o600)
            opened.callback(os.close, self.file)
            self.state = SharedState(self.file) if others else SharedState.make(self.file)
            self._lock = os.open(self._member, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
            opened.callback(self._member.unlink)
            opened.callback(os.close, self._lock)
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.pwrite(self._lock, _NUMBER.pack(self._own), 0)
            self._keep_lowest([*others, self._own])
            opened.pop_all()  # until the run leaves

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave; the others continue at the lowest rate of theirs.

        The lock that it lets go of says so already: a folder that is gone or closed does not keep it.
        """
        try:
            with suppress(OSError), _alone(self._place):
                self._member.unlink(missing_ok=True)
                if others := self._others():
                    self._keep_lowest(others)
                else:
                    self._place.unlink(missing_ok=True)
        finally:
            os.close(self._lock)
            os.close(self.file)

    def look(self) -> None:
        """See which runs are still there, and keep the lowest of their rates."""
        with _alone(self._place):
            self._keep_lowest([*self._others(), self._own])

    def _others(self) -> list[float]:
        """The intervals of the other live runs; the files of those that died are removed."""
        named = f"{self._place.name}-"
        others = (path for path in self._place.parent.iterdir() if path.name.startswith(named))
        intervals = [_interval_of(path) for path in others if path != self._member]
        return [interval for interval in intervals if interval is not None]

    def _keep_lowest(self, intervals: list[float]) -> None:
        lowest = max(intervals)
        with self.state as state:
            if lowest < state.interval:  # who left was slower: its next slot may be hours away
                state.next = min(state.next, max(state.paused_until, time.monotonic() + lowest))
            state.interval = lowest


@contextmanager
def _alone(place: Path) -> Iterator[None]:
    """No other run joins or leaves meanwhile. Raises TimeoutError where one takes too long."""
    lock = os.open(place.with_name(f"{place.name}.lock"), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        _lock_soon(lock)
        yield
    finally:
        os.close(lock)


def _lock_soon(lock: int) -> None:
    """Take a lock that others hold for an instant; the event loop waits meanwhile, so not for long."""
    give_up = time.monotonic() + JOIN_SECONDS
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > give_up:
                raise TimeoutError(ETIMEDOUT, "another run holds the lock of the shared rate") from None
            time.sleep(_PAUSE_SECONDS)
        else:
            return


def _interval_of(path: Path) -> float | None:
    """What a run's file says; None, and the file is removed, where its run is gone."""
    file = os.open(path, os.O_RDWR)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raw = os.pread(file, _NUMBER.size, 0)
        return float(_NUMBER.unpack(raw)[0]) if len(raw) == _NUMBER.size else 0.0
    else:
        path.unlink()
        return None
    finally:
        os.close(file)
