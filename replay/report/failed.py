"""The failed file of a source: its own rows, as they were read, each with a note on what became of it.

Tables keep their delimiter, and have a header even where the source has none. Records of every format are
written as JSON Lines, which can be read however a run ends; an array that was not closed cannot.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final, Protocol

import msgspec

from replay.records import CARRIED, Chunk
from replay.report.cells import csv_line, csv_lines
from replay.report.data import data_columns, row_digests
from replay.report.notes import COLUMNS, Note, Notes
from replay.report.parts import EDITED, PartFile

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from replay.report.rowlog import RowLog

_TABLES: Final = {"csv": (".csv",), "tsv": (".tsv",)}
_RECORDS: Final = (".jsonl", ".ndjson")
_COMPRESSED: Final = (".gz", ".bz2", ".xz", ".zst", ".zip")
_NAME_BYTES: Final = 240  # file systems take 255; the rest is for `.part`, `.tmp` and copies of the file
_RAW_MEMBERS: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])


class Shape(Protocol):
    """How rows of one source are written: what stands first, and one row with its note."""

    def head(self) -> bytes:
        """What the file begins with."""

    def rows(self, chunk: Chunk, notes: Notes) -> bytes:
        """The rows that have a note, each with it."""


class TableShape:
    """A CSV of the source's own columns and delimiter, quoted by the book, then the columns of the note."""

    def __init__(self, header: tuple[str, ...], delimiter: str) -> None:
        self._kept = data_columns(header)
        self._names = [header[index] for index in self._kept]
        self._delimiter = delimiter

    def head(self) -> bytes:
        """The header; quoted throughout where it would begin with a byte order mark."""
        marked = bool(self._names) and self._names[0].startswith("\ufeff")
        return csv_line([*self._names, *COLUMNS], self._delimiter, quote_all=marked)

    def rows(self, chunk: Chunk, notes: Notes) -> bytes:
        """The cells as they were read, and the note's."""
        rows = chunk.frame.iloc[list(notes), self._kept].to_numpy(dtype=object).tolist()
        written = zip(rows, notes.values(), strict=True)
        return csv_lines(([*cells, *note.cells()] for cells, note in written), self._delimiter)


class RecordsShape:
    """One JSON object a line: every member's own bytes, and the note as one member more."""

    def head(self) -> bytes:
        """Nothing."""
        return b""

    def rows(self, chunk: Chunk, notes: Notes) -> bytes:
        """The records as they were written, member by member, and the note."""
        assert chunk.raw is not None
        return b"".join(self._line(chunk.raw[place], note) for place, note in notes.items())

    def _line(self, raw: bytes, note: Note) -> bytes:
        members = _RAW_MEMBERS.decode(raw)
        members[CARRIED] = msgspec.Raw(msgspec.json.encode(note.member()))
        return msgspec.json.encode(members) + b"\n"


class FailedFile:
    """A failed file: while its run lives rows are appended to a `.part`, in the order they fail.

    `log` keeps digests of its rows, by which one that a person edited is recognized.
    """

    def __init__(self, path: Path, shape: Shape, log: RowLog) -> None:
        self.log = log
        self._shape = shape
        self._file = PartFile(path, shape.head())
        self._continues: bool | None = None  # whether there was a file before the first row of this process

    @property
    def left_before(self) -> list[Path]:
        """The files that an earlier process left, or a person: not what this one appends to."""
        return [path for path in self._file.paths if path.exists() and self._continues is None]

    def append(self, chunk: Chunk, notes: Notes) -> None:
        """Add rows; they are with the operating system when this returns."""
        if self._continues is None:
            self._continues = self._file.exists
        self.log.append(_logged(chunk, notes), continues=self._continues)
        self._file.append(self._shape.rows(chunk, notes))

    def finish(self, rows: Iterable[tuple[Chunk, Notes]]) -> Path | None:
        """Write the file whole from `rows`, in their order; None if there is no row.

        Where that fails the `.part` stays as it is.
        """
        path = self._file.finish(self._pieces(rows))
        self.log.commit(is_there=path is not None)
        return path

    def keep(self) -> Path | None:
        """Give the `.part` the file's name as it is; None if there is no file."""
        path = self._file.keep()
        self.log.keep()
        return path

    def set_aside(self, path: Path) -> Path:
        """Keep a file that a person edited as NAME.edited (`.edited-2`…), and write another in its place."""
        return self._file.set_aside(path)

    def close(self) -> None:
        """Close the `.part` as it is."""
        self._file.close()
        self.log.close()

    def _pieces(self, rows: Iterable[tuple[Chunk, Notes]]) -> Iterator[bytes]:
        """The rows, once the log has them: it is whole before the file gets its name."""
        self.log.begin()
        try:
            for chunk, notes in rows:
                self.log.add(_logged(chunk, notes))
                yield self._shape.rows(chunk, notes)
            self.log.seal()
        finally:
            self.log.close()


def _logged(chunk: Chunk, notes: Notes) -> list[tuple[str, str]]:
    digests = row_digests(chunk, list(notes))
    return [(note.id, digest) for note, digest in zip(notes.values(), digests, strict=True)]


def shape_of(format_: str, header: tuple[str, ...], delimiter: str | None) -> Shape:
    """How the failed rows of a source are written."""
    return TableShape(header, delimiter or ",") if format_ in _TABLES else RecordsShape()


def failed_names(sources: list[tuple[str, str]]) -> list[str]:
    """Name the failed files of (file name, format) sources: uncompressed, `-2` for equal ones."""
    taken: set[str] = set()
    return [_untaken(*_plain_name(name, format_), taken) for name, format_ in sources]


def _plain_name(name: str, format_: str) -> tuple[str, str]:
    """The name without what it was compressed with, and its ending."""
    name = EDITED.sub("", name)
    for ending in _COMPRESSED:
        if name.lower().endswith(ending):
            name = name[: -len(ending)]
    for ending in _TABLES.get(format_, _RECORDS):
        if name.lower().endswith(ending):
            return name[: -len(ending)], name[-len(ending) :]
    return name, _TABLES.get(format_, _RECORDS)[0]


def _untaken(stem: str, ending: str, taken: set[str]) -> str:
    number, candidate = 1, _named(stem, ending)
    while candidate in taken:
        number += 1
        candidate = _named(stem, f"-{number}{ending}")
    taken.add(candidate)
    return candidate


def _named(stem: str, ending: str) -> str:
    """A file name that fits: a long stem is cut at a character, the ending stays."""
    room = _NAME_BYTES - len(os.fsencode(ending))
    while len(os.fsencode(stem)) > room:
        stem = stem[:-1]
    return stem + ending
