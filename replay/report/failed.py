"""The failed file of a source: its own rows, as they were read, each with a note on what became of it."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Any, Final, Protocol

import msgspec

from replay.records import CARRIED, Chunk
from replay.report.folder import PART, in_words, open_private
from replay.report.notes import COLUMNS, Note

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_ENDINGS: Final = {"csv": (".csv",), "tsv": (".tsv",), "jsonl": (".jsonl", ".ndjson")}
_COMPRESSED: Final = (".gz", ".bz2", ".xz", ".zst", ".zip")
_RAW_MEMBERS: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])


class Shape(Protocol):
    """How rows of one source are written: what stands first, and one row with its note."""

    def head(self) -> bytes:
        """What the file begins with."""

    def row(self, chunk: Chunk, place: int, note: Note) -> bytes:
        """One row and its note."""


class TableShape:
    """A CSV of the source's own columns and delimiter, quoted by the book, then the columns of the note."""

    def __init__(self, header: tuple[str, ...], delimiter: str) -> None:
        self._kept = [index for index, name in enumerate(header) if not name.startswith(CARRIED)]
        self._names = [header[index] for index in self._kept]
        self._delimiter = delimiter

    def head(self) -> bytes:
        """The header; quoted throughout where it would begin with a byte order mark."""
        marked = bool(self._names) and self._names[0].startswith("\ufeff")
        return self._line([*self._names, *COLUMNS], csv.QUOTE_ALL if marked else csv.QUOTE_MINIMAL)

    def row(self, chunk: Chunk, place: int, note: Note) -> bytes:
        """The cells as they were read, and the note's."""
        cells = chunk.cells(place)
        return self._line([*(cells[index] for index in self._kept), *note.cells()], csv.QUOTE_MINIMAL)

    def _line(self, cells: list[str], quoting: Any) -> bytes:
        text = io.StringIO(newline="")
        if any("\r" in cell for cell in cells):
            quoting = csv.QUOTE_ALL  # not every Python quotes a lone carriage return by itself
        csv.writer(text, delimiter=self._delimiter, lineterminator="\n", quoting=quoting).writerow(cells)
        return text.getvalue().encode()


class RecordsShape:
    """One JSON object a line: every member's own bytes, and the note as one member more."""

    def head(self) -> bytes:
        """Nothing."""
        return b""

    def row(self, chunk: Chunk, place: int, note: Note) -> bytes:
        """The record as it was written, member by member, and the note."""
        assert chunk.raw is not None
        members = _RAW_MEMBERS.decode(chunk.raw[place])
        members[CARRIED] = msgspec.Raw(msgspec.json.encode(note.member()))
        return msgspec.json.encode(members) + b"\n"


class FailedFile:
    """A failed file while its run lives: rows are appended to a `.part`, in the order they fail."""

    def __init__(self, path: Path, shape: Shape) -> None:
        self.path = path
        self._part = path.with_name(path.name + PART)
        self._shape = shape
        self._file: Any = None

    def append(self, chunk: Chunk, place: int, note: Note) -> None:
        """Add a row; it is with the operating system when this returns."""
        with in_words(self._part):
            if self._file is None:
                self.path.parent.mkdir(mode=0o700, exist_ok=True)
                self._file = open_private(self._part, truncate=True)
                self._file.write(self._shape.head())
            self._file.write(self._shape.row(chunk, place, note))
            self._file.flush()

    def close(self) -> None:
        """Close the `.part` as it is."""
        if self._file is not None:
            with in_words(self._part):
                self._file.close()
            self._file = None

    def keep(self) -> Path | None:
        """Give the `.part` the file's name as it is; None if there is none."""
        self.close()
        with in_words(self.path):
            if self._part.exists():
                self._part.replace(self.path)
        return self.path if self.path.exists() else None

    def finish(self, rows: Iterator[tuple[Chunk, int, Note]]) -> Path | None:
        """Write the file whole from `rows`, in their order; None if there is no row."""
        self.close()
        whole = self.path.with_name(f".{self.path.name}.tmp")
        count = 0
        for chunk, place, note in rows:
            self._append_whole(whole, chunk, place, note, first=count == 0)
            count += 1
        self.close()
        with in_words(self.path):
            if count:
                whole.replace(self.path)
            self._part.unlink(missing_ok=True)
        return self.path if count else None

    def _append_whole(self, whole: Path, chunk: Chunk, place: int, note: Note, *, first: bool) -> None:
        with in_words(whole):
            if first:
                self.path.parent.mkdir(mode=0o700, exist_ok=True)
                self._file = open_private(whole, truncate=True)
                self._file.write(self._shape.head())
            self._file.write(self._shape.row(chunk, place, note))


def shape_of(format_: str, header: tuple[str, ...], delimiter: str | None) -> Shape:
    """How the failed rows of a source are written."""
    return RecordsShape() if format_ == "jsonl" else TableShape(header, delimiter or ",")


def failed_names(sources: list[tuple[str, str]]) -> list[str]:
    """Name the failed files of (file name, format) sources: uncompressed, `-2` for equal ones."""
    taken: set[str] = set()
    return [_untaken(_plain_name(name, format_), taken) for name, format_ in sources]


def _plain_name(name: str, format_: str) -> str:
    for ending in _COMPRESSED:
        if name.lower().endswith(ending):
            name = name[: -len(ending)]
    return name if name.lower().endswith(_ENDINGS[format_]) else name + _ENDINGS[format_][0]


def _untaken(name: str, taken: set[str]) -> str:
    stem, dot, ending = name.rpartition(".")
    number, candidate = 1, name
    while candidate in taken:
        number += 1
        candidate = f"{stem}-{number}{dot}{ending}"
    taken.add(candidate)
    return candidate
