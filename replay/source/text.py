"""Reading a source of text: a table, JSON Lines, or JSON documents.

A file on disk → its decompressed bytes (hashed as they flow) → UTF-8 → blocks of whole lines → chunks.
"""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, BinaryIO, Final, Protocol

from replay.errors import SourceError
from replay.source import bounds
from replay.source.compression import PARQUET_MAGIC
from replay.source.content import content_of
from replay.source.documents import Documents
from replay.source.encoding import encoding_of, to_utf8, without_mark
from replay.source.fingerprint import Fingerprint, Fingerprinting
from replay.source.joining import head_of
from replay.source.jsonl import Records
from replay.source.lines import blocks
from replay.source.reader import Reader
from replay.source.table import Table
from replay.source.written import Head, find_out, lines_of

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator

    from replay.settings import ReadSettings
    from replay.source.finding import Source
    from replay.source.stretch import Stretch
    from replay.source.written import Written

_LINE_TOO_LONG: Final = f"a line of more than {bounds.LINE_BYTES:,} bytes"


class _Lines(Protocol):
    """What turns blocks into stretches: a table, or JSON Lines."""

    row: int
    line: int
    carried: bytes

    def read(self, data: bytes, /) -> Iterator[Stretch]: ...
    def finish(self, tail: bytes, /) -> Stretch: ...
    def lost(self, reason: str, raw: bytes, /) -> Stretch: ...


class TextReader(Reader):
    """A reader of tables, JSON Lines and JSON documents, compressed or not."""

    def __init__(
        self, source: Source, file: BinaryIO, settings: ReadSettings, marks_at: Iterable[int] = ()
    ) -> None:
        super().__init__(source, file)
        self._content = content_of(file, source.name, settings)
        self._hashing = Fingerprinting(marks_at)
        stream = iter(self._hashing.watch(self._content))
        raw, whole = head_of(stream)
        self.compression = self._content.compression
        self.encoding = encoding_of(raw, settings.encoding)
        self._mark_bytes = len(raw) - len(without_mark(raw, self.encoding))
        text = to_utf8(chain([raw], stream), self.encoding)
        begin = next(text, b"")
        if whole:  # nothing follows but what a decoder still holds
            begin += b"".join(text)
            text = iter(())
        lines = lines_of(begin, ended=whole and not self._breaks_off)
        written = self._find_out(Head(raw, begin, lines, self.encoding), settings)
        self.format = written.format
        self.header = written.header.names
        if written.dialect is not None:
            self.delimiter, self.quotechar = written.dialect.delimiter, written.dialect.quotechar
        self._rest = chain([begin[sum(map(len, lines[: written.header.lines])) :]], text)
        self._records = _records_of(source.name, written, settings)

    def _find_out(self, head: Head, settings: ReadSettings) -> Written:
        inside = self._content.inside
        name = f"{self.source.name}: {inside}" if inside else self.source.name
        try:
            if head.raw.startswith(PARQUET_MAGIC):
                raise SourceError(f"{name}: Parquet, {self.compression} around it: unpack it first.")
            return find_out(name, head, settings)
        except SourceError as error:
            if self._content.damage is None:
                raise
            raise SourceError(f"{error} ({self._content.damage.reason})") from error

    @property
    def is_cut(self) -> bool:
        """Whether the content breaks off: what comes last is not whole. Known after the iteration."""
        is_open = isinstance(self._records, Documents) and self._records.rest is not None
        return is_open or self._breaks_off

    @property
    def _breaks_off(self) -> bool:
        """Whether the file is damaged so that content is missing at its end."""
        return self._content.damage is not None and self._content.damage.cut

    def _position(self) -> int:
        return self._content.consumed

    def _finish(self) -> Fingerprint:
        return self._hashing.finish()

    def _stretches(self) -> Iterator[Stretch]:
        records, content = self._records, self._content
        if isinstance(records, Documents):
            yield from records.read(self._rest)
            tail: bytes | None = records.rest
            if self.encoding == "utf-8":
                self.whole_bytes = records.whole_bytes + self._mark_bytes
            if tail is not None and not self._breaks_off:
                yield records.lost(records.reason, tail)
        else:
            tail = yield from self._in_blocks(records)
        if content.damage is not None:
            yield records.lost(content.damage.reason, tail or b"")

    def _in_blocks(self, records: _Lines) -> Generator[Stretch, None, bytes]:
        """Read block after block; come back with what is not read because the content is cut there."""
        tail = b""
        for block in blocks(self._rest):
            if block.kind == "whole":
                yield from records.read(block.data)
            elif block.kind == "overlong":
                yield records.finish(b"")  # a record that was still open does not go on beyond such a line
                yield records.lost(_LINE_TOO_LONG, block.data)
            else:
                tail = block.data
        if self._breaks_off:
            return records.carried + tail
        yield records.finish(tail)
        return b""


def _records_of(name: str, written: Written, settings: ReadSettings) -> Table | Records | Documents:
    """What reads the rows of a source that is written so."""
    if written.dialect is not None:
        return Table(written.dialect, len(written.header.names), written.header.lines + 1)
    return Documents(name, settings.records_path) if written.format == "json" else Records()
