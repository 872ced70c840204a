"""Opening a source and reading it to its end, chunk by chunk, at flat memory.

A file on disk → its decompressed bytes (hashed as they flow) → UTF-8 → blocks of whole lines → chunks.
"""

from __future__ import annotations

import os
from contextlib import ExitStack
from itertools import chain
from typing import TYPE_CHECKING, Final, Literal, Protocol, Self

from replay.errors import SourceError
from replay.source import bounds
from replay.source.compression import Content
from replay.source.dialect import Dialect, Format, Header, dialect_of, format_of, read_header
from replay.source.encoding import encoding_of, refuse_if_foreign, to_utf8
from replay.source.fingerprint import Fingerprint, Fingerprinting
from replay.source.jsonl import Records
from replay.source.lines import blocks
from replay.source.opening import reading
from replay.source.table import Table

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from replay.records import Chunk
    from replay.settings import ReadSettings
    from replay.source.finding import Source
    from replay.source.stretch import Stretch

_LINE_TOO_LONG: Final = f"a line of more than {bounds.LINE_BYTES:,} bytes"


class _Records(Protocol):
    """What turns blocks into stretches: a table, or JSON Lines."""

    row: int
    line: int
    carried: bytes

    def read(self, data: bytes, /) -> Iterator[Stretch]: ...
    def finish(self, tail: bytes, /) -> Stretch: ...
    def lost(self, reason: str, raw: bytes, /) -> Stretch: ...


def open_source(source: Source, settings: ReadSettings, marks_at: Iterable[int] = ()) -> Reader:
    """Open a source and find out what it is written in.

    `marks_at`: byte positions of the decompressed content at which the fingerprint gets a mark of its own.
    Raises SourceError where it cannot be read or is refused, UsageError where the settings do not fit.
    """
    return Reader(source, settings, marks_at)


def fingerprint_of(source: Source, marks_at: Iterable[int] = ()) -> Fingerprint:
    """What the whole content of a source is known by, without reading its rows. Raises SourceError."""
    if source.path is None:
        raise SourceError(f"{source.name}: standard input is copied to a file first, then read.")
    hashing = Fingerprinting(marks_at)
    with reading(source.name), source.path.open("rb", buffering=bounds.PIECE_BYTES) as file:
        for piece in Content(file, source.name):
            hashing.update(piece)
    return hashing.finish()


class Reader:
    """One open source, to be iterated once: it gives the chunks of its rows in order.

    `format`: csv, tsv or jsonl; `compression`: gzip, bz2, xz or None; `delimiter`, `quotechar` ("" is no
    quoting): None for records; `header`: empty for records; `size`: bytes on disk. Iterating raises
    SourceError where the file system fails or a compressed file unpacks beyond all measure.
    """

    def __init__(self, source: Source, settings: ReadSettings, marks_at: Iterable[int] = ()) -> None:
        if source.path is None:
            raise SourceError(f"{source.name}: standard input is copied to a file first, then read.")
        self.source = source
        self._hashing = Fingerprinting(marks_at)
        self._fingerprint: Fingerprint | None = None
        with ExitStack() as undo, reading(source.name):
            self._file = undo.enter_context(source.path.open("rb", buffering=bounds.PIECE_BYTES))
            self.size = os.fstat(self._file.fileno()).st_size
            self._content = Content(self._file, source.name)
            self._find_out(settings)
            undo.pop_all()

    def _find_out(self, settings: ReadSettings) -> None:
        stream = iter(self._hashing.watch(self._content))
        raw, whole = _head(stream)
        self.compression = self._content.compression
        self.encoding = encoding_of(raw, settings.encoding)
        text = to_utf8(chain([raw], stream), self.encoding)
        head = next(text, b"")
        if whole:  # nothing follows but what a decoder still holds
            head += b"".join(text)
            text = iter(())
        lines = _whole_lines(head, ended=whole and not self._is_cut())
        self.format: Format = format_of(self.source.name, head, settings.format)
        is_table = self.format != "jsonl"
        refuse_if_foreign(self.source.name, self.encoding, raw, lines, table=is_table)
        dialect = dialect_of(self.format, lines, settings) if is_table else None
        header = self._header(lines, dialect) if dialect else Header((), 0)
        self.header = header.names
        self.delimiter = dialect.delimiter if dialect else None
        self.quotechar = dialect.quotechar if dialect else None
        self._records: _Records = (
            Table(dialect, len(header.names), header.lines + 1) if dialect else Records()
        )
        self._rest = chain([head[sum(map(len, lines[: header.lines])) :]], text)

    def _header(self, lines: list[bytes], dialect: Dialect) -> Header:
        try:
            return read_header(self.source.name, lines, dialect)
        except SourceError as error:
            if self._content.damage is None:
                raise
            raise SourceError(f"{error} ({self._content.damage.reason})") from error

    @property
    def fingerprint(self) -> Fingerprint:
        """What the whole content is known by; only after the iteration has ended."""
        if self._fingerprint is None:
            raise RuntimeError(f"{self.source.name}: read to the end first, its fingerprint is not known yet")
        return self._fingerprint

    def __iter__(self) -> Iterator[Chunk]:
        kind: Literal["table", "records"] = "records" if self.format == "jsonl" else "table"
        with reading(self.source.name):
            for stretch in self._stretches():
                yield from stretch.chunks(kind, self.header, self._content.consumed)
            self._fingerprint = self._hashing.finish()
        self.close()

    def _stretches(self) -> Iterator[Stretch]:
        records, tail = self._records, b""
        for block in blocks(self._rest):
            if block.kind == "whole":
                yield from records.read(block.data)
            elif block.kind == "overlong":
                yield records.finish(b"")  # a record that was still open does not go on beyond such a line
                yield records.lost(_LINE_TOO_LONG, block.data)
            else:
                tail = block.data
        if self._is_cut():
            tail, records.carried = records.carried + tail, b""
        else:
            yield records.finish(tail)
        if self._content.damage is not None:
            yield records.lost(self._content.damage.reason, tail if self._is_cut() else b"")

    @property
    def is_cut(self) -> bool:
        """Whether the content breaks off: what comes last is not whole. Known after the iteration."""
        return self._is_cut()

    def _is_cut(self) -> bool:
        return self._content.damage is not None and self._content.damage.cut

    def close(self) -> None:
        """Close the file; iterating to the end does so too."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _head(stream: Iterator[bytes]) -> tuple[bytes, bool]:
    """The beginning of a stream, and whether it is all of it."""
    head = bytearray()
    for piece in stream:
        head += piece
        if len(head) >= bounds.HEAD_BYTES:
            return bytes(head), False
    return bytes(head), True


def _whole_lines(head: bytes, *, ended: bool) -> list[bytes]:
    """The lines of a head, without the last one where it may go on."""
    lines = head.splitlines(keepends=True)
    if lines and not ended and not lines[-1].endswith(b"\n"):
        lines.pop()
    return lines
