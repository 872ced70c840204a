"""What a run wrote into a failed file, row by row, so that a file that a person edited is recognized.

A line a row, in the order of the file: its id and the digest of its data. A blank line ends what was
appended at once. A log is written before the rows that it speaks of. So whatever a kill leaves, a file that
no log speaks of was edited: at most the rows of the last append are in a log and not in the file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from replay.report.folder import PART, PrivateFile, in_words

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

Row = tuple[str, str]
"""A row's id, and the digest of its data."""


class RowLog:
    """The logs of one failed file: of the whole one, of the one that replaces it, and of its `.part`."""

    def __init__(self, path: Path) -> None:
        self._whole = path
        self._new = path.with_name(path.name + ".new")
        self._part = path.with_name(path.name + PART)
        self._file: PrivateFile | None = None

    def is_of(self, log: Path, *, is_part: bool) -> bool:
        """Whether a log has the name that belongs to the file, or to its `.part`."""
        return log == (self._part if is_part else self._whole)

    @property
    def paths(self) -> list[Path]:
        """The logs that there are."""
        return [path for path in (self._whole, self._new, self._part) if path.exists()]

    def append(self, rows: Iterable[Row], *, continues: bool) -> None:
        """Add rows to the log of the `.part`; `continues`: the file has rows of an earlier session."""
        with in_words(self._part):
            begun = b""
            if self._file is None:
                self._file = self._opened(continues=continues)
                begun = b"\n" if continues else b""  # what was there before is no part of this append
            self._file.write(begun + _lines(rows) + b"\n")

    def begin(self) -> None:
        """Begin the log of a file that is written whole."""
        self.close()
        with in_words(self._new):
            self._new.parent.mkdir(mode=0o700, exist_ok=True)
            self._file = PrivateFile(self._new)

    def add(self, rows: Iterable[Row]) -> None:
        """Add rows to it."""
        assert self._file is not None
        with in_words(self._new):
            self._file.write(_lines(rows))

    def seal(self) -> None:
        """See it safe on the disk: from now on the file may get its name."""
        assert self._file is not None
        with in_words(self._new):
            self._file.sync()
        self.close()

    def commit(self, *, is_there: bool) -> None:
        """Make it the log of the file, which has its name by now; `is_there`: there is a file."""
        with in_words(self._whole):
            if is_there and self._new.exists():
                self._new.replace(self._whole)
            else:
                self._whole.unlink(missing_ok=True)
            self._new.unlink(missing_ok=True)
            self._part.unlink(missing_ok=True)

    def keep(self) -> None:
        """The `.part` got the file's name: so does its log."""
        self.close()
        with in_words(self._whole):
            if self._part.exists():
                self._part.replace(self._whole)

    def replace(self, rows: Iterable[Row], *, is_part: bool) -> None:
        """Write the log of a file that was compared with other logs, or with its source."""
        self.begin()
        try:
            for row in rows:
                self.add([row])
            self.seal()
        finally:
            self.close()
        wanted, other = (self._part, self._whole) if is_part else (self._whole, self._part)
        with in_words(self._new):
            self._new.replace(wanted)
            other.unlink(missing_ok=True)

    def close(self) -> None:
        """Close what is being written."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _opened(self, *, continues: bool) -> PrivateFile:
        self._part.parent.mkdir(mode=0o700, exist_ok=True)
        if continues and not self._part.exists() and self._whole.exists():
            self._whole.replace(self._part)
        if continues and self._part.exists():
            return PrivateFile(self._part, goes_on=True)
        return PrivateFile(self._part)


def logged(path: Path) -> Iterator[tuple[Row, bool]]:
    """The rows of a log, and whether each is of the last append; never, where it was written whole."""
    with path.open("rb") as lines:
        appends = sum(1 for line in lines if line == b"\n")
    done = 0
    with path.open("rb") as lines:
        for line in lines:
            if line == b"\n":
                done += 1
                continue
            id_, _, digest = line.decode("utf-8", "replace").rstrip("\n").partition(" ")
            yield (id_, digest), appends > 0 and done >= appends - 1


def _lines(rows: Iterable[Row]) -> bytes:
    return "".join(f"{id_} {digest}\n" for id_, digest in rows).encode()
