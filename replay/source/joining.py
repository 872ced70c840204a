"""Several files as one content: each ends with a line end, and tables have their header once."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

from replay.errors import SourceError
from replay.source import bounds
from replay.source.encoding import encoding_of, to_utf8, without_mark
from replay.source.written import Head, find_out, lines_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from replay.settings import ReadSettings


def head_of(pieces: Iterator[bytes]) -> tuple[bytes, bool]:
    """The beginning of a stream, and whether it is all of it."""
    head = bytearray()
    for piece in pieces:
        head += piece
        if len(head) >= bounds.HEAD_BYTES:
            return bytes(head), False
    return bytes(head), True


class Joint:
    """Joins files, one added after the other; how they are written is found out from the first."""

    def __init__(self, name: str, settings: ReadSettings) -> None:
        self._name = name
        self._settings = settings
        self._first: str | None = None
        self._first_head = bytearray()
        self._encoding = ""
        self._header = b""
        self._last = b""

    def add(self, name: str, pieces: Iterator[bytes]) -> Iterator[bytes]:
        """What a file adds to the content."""
        if self._first is None:
            self._first = name
            for piece in self._kept(pieces):
                self._first_head += piece[: bounds.HEAD_BYTES - len(self._first_head)]
                yield piece
            return
        if not self._encoding:
            self._find_out(f"{self._name}: {self._first}", bytes(self._first_head))
        begin = self._without_header(name, without_mark(head_of(pieces)[0], self._encoding))
        if begin:
            yield from self._line_end()
            yield from self._kept(chain([begin], pieces))

    def _find_out(self, name: str, raw: bytes) -> None:
        """What the others must be like."""
        self._encoding = encoding_of(raw, self._settings.encoding)
        text = b"".join(to_utf8([raw], self._encoding))
        lines = lines_of(text, ended=len(raw) < bounds.HEAD_BYTES)
        written = find_out(name, Head(raw, text, lines, self._encoding), self._settings)
        header = b"".join(lines[: written.header.lines]).strip(b"\r\n")
        self._header = header.decode().encode(self._encoding)

    def _without_header(self, name: str, begin: bytes) -> bytes:
        """The beginning of a file without the header that all share; raises SourceError if it has another."""
        if not self._header or not begin:
            return begin
        feed, back = ("\n".encode(self._encoding), "\r".encode(self._encoding))
        rest = begin.removeprefix(self._header)
        ends = next((end for end in (back + feed, feed, back) if rest.startswith(end)), b"")
        if len(rest) == len(begin) or (rest and not ends):
            raise SourceError(
                f"{self._name}: {name} in it has another header than {self._first}: unpack it, and name "
                "the files one by one. (For tables without a header, name the columns with --columns.)"
            )
        return rest[len(ends) :]

    def _line_end(self) -> Iterator[bytes]:
        ends = tuple(character.encode(self._encoding) for character in "\n\r")
        if self._last and not self._last.endswith(ends):
            yield "\n".encode(self._encoding)

    def _kept(self, pieces: Iterable[bytes]) -> Iterator[bytes]:
        """The same pieces; what they end with is kept in mind."""
        for piece in pieces:
            self._last = piece[-4:] or self._last
            yield piece
