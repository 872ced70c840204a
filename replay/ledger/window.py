"""The window: one byte a row in flight, in a memory-mapped file that outlives a killed process.

A leg of a run makes its own window under a new name and never touches an older one, so that what a
dead leg left behind stands until the database has taken it up. Page 0 holds the number of commits
that were durable when it was written, and how many requests, retries and possible duplicates the run
has made, in one part for the run itself and one for each of its sender processes; rows live in the pages
after it. Sender processes map the same file and hold it open, so the lock is free once all are gone.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import struct
import time
from enum import IntEnum
from pathlib import Path
from typing import TYPE_CHECKING, Final

from replay.errors import StorageError
from replay.records import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable

PAGE_ROWS: Final = 1024
GROW_PAGES: Final = 64
_COUNT_BYTES: Final = 8
_TALLIES: Final = struct.Struct("<3q")
PARTS: Final = (PAGE_ROWS - _COUNT_BYTES) // _TALLIES.size
"""How many tallies page 0 has room for: the run's own, and one for each sender process."""
_CLOSED: Final = -1
ORPHAN_SECONDS: Final = 3.0
_NAP_SECONDS: Final = 0.01
_own: Final[set[tuple[int, int]]] = set()
"""The windows of this process, by device and inode: it is let in by its own lock, and would lose it there."""


class State(IntEnum):
    """What a byte of the window says of its row."""

    ANNOUNCED = 0
    STARTED = 1
    DELIVERED = 2
    REJECTED = 3
    EXHAUSTED = 4
    AMBIGUOUS = 5


STATES: Final = {
    Outcome.DELIVERED: int(State.DELIVERED),
    Outcome.REJECTED: int(State.REJECTED),
    Outcome.EXHAUSTED: int(State.EXHAUSTED),
    Outcome.AMBIGUOUS: int(State.AMBIGUOUS),
}
"""How a row's end is marked; other ends need no mark."""


class Window:
    """A live leg's window, locked while it lives; pages of PAGE_ROWS bytes are lent to batches."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Sender processes have no part in this one, so that it tells their run from them.
            fcntl.lockf(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._pages = 0
            self._free: list[int] = []
            self._grow()
            self._free.remove(0)
            self._identity = _identity(os.fstat(self._file))
            _own.add(self._identity)
        except BaseException:
            os.close(self._file)
            raise

    @property
    def file(self) -> int:
        """The descriptor by which sender processes share it, and its lock."""
        return self._file

    def lend(self) -> int:
        """A page that nobody uses, all ANNOUNCED."""
        if not self._free:
            self._grow()
        page = self._free.pop()
        start = page * PAGE_ROWS
        self._map[start : start + PAGE_ROWS] = bytes(PAGE_ROWS)
        return page

    def give_back(self, page: int) -> None:
        """A page whose batch is gone."""
        self._free.append(page)

    def mark(self, slot: int, state: int) -> None:
        """Say where a row stands; it is with the operating system when this returns."""
        self._map[slot] = state

    def count(self, commits: int) -> None:
        """Say how many commits are durable."""
        self._map[:_COUNT_BYTES] = commits.to_bytes(_COUNT_BYTES, "little")

    def tally(self, requests: int, retries: int, duplicates: int) -> None:
        """Say how many requests the run has made; it is with the operating system when this returns."""
        write_tally(self._map, 0, requests, retries, duplicates)

    def tallied(self, part: int) -> tuple[int, int, int]:
        """Requests, retries and duplicates as one part of the tallies has them."""
        requests, retries, duplicates = _TALLIES.unpack_from(self._map, _place_of(part))
        return requests, retries, duplicates

    def state(self, slot: int) -> State:
        """Where a row stands."""
        return State(self._map[slot])

    def contents(self) -> bytes:
        """What it says now, in the form that `read_left_behind` gives."""
        return self._map[:]

    def close(self, *, remove: bool) -> None:
        """Let go of the lock; `remove` when every row's end is in the database."""
        if self._file == _CLOSED:
            return
        if remove:
            self.path.unlink(missing_ok=True)
        self._map.close()
        _own.discard(self._identity)
        os.close(self._file)
        self._file = _CLOSED

    def _grow(self) -> None:
        """Add pages, written to the disk: a full disk is an error here and never a SIGBUS later.

        The event loop may be marking rows through the old map meanwhile: both show the same memory.
        """
        pages = self._pages + GROW_PAGES
        try:
            _fill(self._file, self._pages * PAGE_ROWS, pages * PAGE_ROWS)
            self._map = mmap.mmap(self._file, pages * PAGE_ROWS)
        except OSError as error:
            raise StorageError(
                f"{self.path} cannot grow: {error.strerror}. Nothing is sent without it; "
                "make room, then repeat the command, or `replay resume` a run that had begun."
            ) from error
        self._free.extend(range(pages - 1, self._pages - 1, -1))
        self._pages = pages


def _fill(file: int, start: int, end: int) -> None:
    """Write zeros to a part of a file: every system takes room for them, not all know fallocate."""
    while start < end:
        start += os.pwrite(file, bytes(end - start), start)


def is_live(path: Path) -> bool:
    """Whether a process holds the lock of a window.

    Sender processes that outlive their run end by themselves within moments, which are waited for.
    """
    try:
        if _identity(path.stat()) in _own:
            return True
        file = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        end = time.monotonic() + ORPHAN_SECONDS
        while is_held := not _takes(fcntl.flock, file):
            if time.monotonic() > end or not _takes(fcntl.lockf, file):
                break
            time.sleep(_NAP_SECONDS)
        return is_held
    finally:
        os.close(file)


def _identity(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino


def _takes(lock: Callable[[int, int], None], file: int) -> bool:
    """Whether nobody else holds a lock of a file."""
    try:
        lock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def read_left_behind(path: Path) -> bytes:
    """What the window of a dead leg says; nothing where there is none."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""


def durable_commits(window: bytes) -> int:
    """How many commits a window knows to be durable."""
    return int.from_bytes(window[:_COUNT_BYTES], "little")


def tallies(window: bytes) -> tuple[int, int, int]:
    """Requests, retries and possible duplicates, as a window knows them; 0 where it says nothing."""
    if len(window) < PAGE_ROWS:
        return 0, 0, 0
    parts = _TALLIES.iter_unpack(window[_COUNT_BYTES : _COUNT_BYTES + PARTS * _TALLIES.size])
    requests, retries, duplicates = map(sum, zip(*parts, strict=True))
    return requests, retries, duplicates


def write_tally(window: mmap.mmap, part: int, requests: int, retries: int, duplicates: int) -> None:
    """Write one part of the tallies; it is with the operating system when this returns."""
    _TALLIES.pack_into(window, _place_of(part), requests, retries, duplicates)


def _place_of(part: int) -> int:
    """Where a part of the tallies stands in page 0."""
    return _COUNT_BYTES + part * _TALLIES.size


def boot_id() -> str:
    """What tells this boot of the machine from others; never the same twice where nothing does."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
    except OSError:
        return f"unknown {os.urandom(8).hex()}"
