"""The faults of SQLite, and of the disk below it, in words."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import sqlite3

_CANNOT_OPEN: Final = "it cannot be opened; see that its folder exists and that you may write there"
_READ_ONLY: Final = "it, or its folder, is read-only; see its permissions, or name another --ledger"
_NO_PERMISSION: Final = "you may not write it, or its folder; see its permissions, or name another --ledger"
_AGAIN: Final = "then repeat the command, or `replay resume` a run that had begun"
_FULL: Final = f"the disk is full; make room, {_AGAIN}"
_FAILED: Final = f"the disk failed ({{text}}); see that it is whole and has room, {_AGAIN}"
_LOCKED: Final = "another process has held it for {seconds:g} seconds; wait for it, or name another --ledger"
_DAMAGED: Final = "it is damaged ({text}); restore it from a backup, or name another --ledger to begin anew"
_NO_DATABASE: Final = (
    "it is no ledger, or damaged ({text}); name another --ledger, or restore it from a backup"
)

_OF_SQLITE: Final = {
    3: _NO_PERMISSION,  # SQLITE_PERM
    5: _LOCKED,  # SQLITE_BUSY
    6: _LOCKED,  # SQLITE_LOCKED
    8: _READ_ONLY,  # SQLITE_READONLY
    10: _FAILED,  # SQLITE_IOERR
    11: _DAMAGED,  # SQLITE_CORRUPT
    13: _FULL,  # SQLITE_FULL
    14: _CANNOT_OPEN,  # SQLITE_CANTOPEN
    26: _NO_DATABASE,  # SQLITE_NOTADB
}
_OF_DISK: Final = {
    errno.ENOSPC: _FULL,
    errno.EDQUOT: _FULL,
    errno.EFBIG: _FULL,
    errno.EROFS: _READ_ONLY,
    errno.EACCES: _NO_PERMISSION,
    errno.EPERM: _NO_PERMISSION,
    errno.EIO: _FAILED,
    errno.ENOENT: _CANNOT_OPEN,
    errno.ENOTDIR: _CANNOT_OPEN,
}


def words_of(error: sqlite3.Error | OSError, busy_seconds: float) -> str:
    """What happened and what to do; the fault's own text where no words are known for it."""
    text = str(error)
    if isinstance(error, OSError):
        code, told = error.errno or 0, _OF_DISK
        text = error.strerror or (os.strerror(code) if code else text)
    else:
        code, told = getattr(error, "sqlite_errorcode", 0) & 0xFF, _OF_SQLITE
    return told.get(code, "{text}").format(text=text, seconds=busy_seconds)
