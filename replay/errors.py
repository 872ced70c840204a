"""What stops a run. One tree, split by what the caller does next.

    ReplayError
    ├── UsageError         exit 2  what was typed cannot be done: type it otherwise
    │   └── MappingError   exit 2  the mapping does not fit itself or its source: mend the mapping
    ├── SourceError        exit 1  a source cannot be opened, or changed under the run: mend the file
    ├── DestinationError   exit 1  the destination cannot take any row: mend the address
    │   └── AuthError      exit 1  the key was refused: mend the key
    ├── StorageError       exit 1  the disk or the ledger failed: make room, then resume
    └── BusyError          exit 1  another process is at work on the same rows: wait for it

A row that fails is no exception: it is a value with an outcome.
"""

from __future__ import annotations

from typing import ClassVar


class ReplayError(Exception):
    """The root of everything this package raises on purpose.

    The text of every error says what happened, where, and what to do next.
    """

    kind: ClassVar[str] = "error"
    exit_code: ClassVar[int] = 1


class UsageError(ReplayError):
    """What was typed cannot be done."""

    kind = "usage"
    exit_code = 2


class MappingError(UsageError):
    """The mapping is broken, or does not fit the source."""

    kind = "mapping"


class SourceError(ReplayError):
    """A source cannot be opened or read at all, or changed while a run read it."""

    kind = "source"


class DestinationError(ReplayError):
    """The destination refuses the whole run."""

    kind = "destination"


class AuthError(DestinationError):
    """The API key is missing where it is needed, or was refused."""

    kind = "auth"


class StorageError(ReplayError):
    """The disk or the ledger failed; nothing goes on without its memory."""

    kind = "storage"


class BusyError(ReplayError):
    """Another process is at work on the same run, or on the same rows."""

    kind = "busy"
