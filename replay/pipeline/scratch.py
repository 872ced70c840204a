"""Folders for what is fetched or piped in before it is read, and the removal of what a killed command left.

A command that is alive holds a lock on its folder; the kernel takes it back when the process ends, however.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import stat
import tempfile
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

PREFIX: Final = "hackle-replay-"
SUFFIX: Final = ".tmp"
_TEMPORARY: Final = re.compile(re.escape(PREFIX) + r"[a-z0-9_]{8}" + re.escape(SUFFIX))
_RUN: Final = re.compile(r"\d{8}-\d{6}-[0-9a-f]{4}")
_COPIES: Final = frozenset({"fetched", "stdin"})  # all that a folder holds before its sources are read
_YOUNG_SECONDS: Final = 60.0  # a folder is made a moment before it is locked


@contextmanager
def scratch() -> Iterator[Path]:
    """A temporary folder, removed at the end; those of killed commands are removed first."""
    place = Path(tempfile.gettempdir())
    remove_abandoned(place, time.time())
    with tempfile.TemporaryDirectory(prefix=PREFIX, suffix=SUFFIX) as folder, held(Path(folder)):
        yield Path(folder)


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Show other commands that this folder is in use; where a file system has no locks, nothing is shown."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(descriptor)


def remove_abandoned(place: Path, now: float) -> None:
    """Remove the folders that killed commands left in `place`: temporary ones, and of runs not begun."""
    with suppress(OSError):  # a place that cannot be listed is reported by the command that needs it
        for entry in list(os.scandir(place)):
            if _TEMPORARY.fullmatch(entry.name) or _RUN.fullmatch(entry.name):
                with suppress(OSError):  # it is another's, or another command removed it first
                    _remove_if_abandoned(Path(entry.path), now)


def _remove_if_abandoned(folder: Path, now: float) -> None:
    status = folder.lstat()
    is_ours = stat.S_ISDIR(status.st_mode) and status.st_uid == os.geteuid()
    if not is_ours or now - status.st_mtime < _YOUNG_SECONDS:
        return
    if not {entry.name for entry in folder.iterdir()} <= _COPIES:
        return  # what else is in it is not a command's
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(folder)
    finally:
        os.close(descriptor)
