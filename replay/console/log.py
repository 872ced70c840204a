"""The log file: what happened to a run and its rows, as lines of JSON; no values of the data in it."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, Self

from replay.errors import StorageError, UsageError

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

    from replay.pipeline import Progress
    from replay.records import Result

PROGRESS_SECONDS: Final = 10.0
_BEGINNING: Final = b'{"at": "'


class LogFile:
    """An observer that adds lines to a file: progress now and then, each row that failed, the stop."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._next = time.monotonic()
        self._last: Progress | None = None

    def __enter__(self) -> Self:
        try:
            _refuse_what_is_no_log(self._path)
            self._file = self._path.open("a", encoding="utf-8", buffering=1)
        except OSError as error:
            raise StorageError(f"--log-file {self._path} cannot be written: {error.strerror}.") from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._last is not None:
            self._progress(self._last, "ended")
        self._file.close()

    def on_progress(self, progress: Progress) -> None:
        """Add a line if it is time."""
        self._last = progress
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + PROGRESS_SECONDS
            self._progress(progress, "progress")

    def on_row(self, source: str, row: int, result: Result) -> None:
        """Add a line: which row, and how it ended; the reason may hold values and is left out."""
        self._write(
            event="row",
            source=source,
            row=row,
            outcome=result.outcome.value,
            status=result.status,
            attempts=result.attempts,
        )

    def on_duplicate(self, source: str, row: int) -> None:
        """Add a line: which row may now be there twice."""
        self._write(event="possible-duplicate", source=source, row=row)

    def on_stop(self, reason: str) -> None:
        """Add a line."""
        self._write(event="stop", reason=reason)

    def _progress(self, progress: Progress, event: str) -> None:
        counts = progress.counts
        self._write(
            event=event,
            rows=counts.by_outcome(),
            requests=counts.requests,
            retries=counts.retries,
            in_flight=progress.in_flight,
            waiting_for=progress.waiting_for,
        )

    def _write(self, **members: Any) -> None:
        line = {"at": datetime.now(UTC).isoformat(timespec="milliseconds"), **members}
        try:
            self._file.write(json.dumps(line, ensure_ascii=False) + "\n")
        except OSError as error:
            raise StorageError(f"--log-file {self._path} cannot be written: {error.strerror}.") from error


def _refuse_what_is_no_log(path: Path) -> None:
    """Nothing is added to a file of the user's: what is there must begin as a log does."""
    if not path.is_file():
        return
    with path.open("rb") as file:
        start = file.read(len(_BEGINNING))
    if start and start != _BEGINNING:
        raise UsageError(
            f"--log-file {path}: the file is there, and is no log of this tool. Name another one."
        )
