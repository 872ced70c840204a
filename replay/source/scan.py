"""Finding where JSON values begin and end in a stream of bytes, without reading what is in them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from replay.source import bounds
from replay.source.lines import count_lines

if TYPE_CHECKING:
    from collections.abc import Iterator

_NOT_SPACE: Final = re.compile(rb"[^ \t\r\n]")
_STRING: Final = re.compile(rb'"(?:[^"\\]++|\\.)*+"', re.DOTALL)
_WORD: Final = re.compile(rb'[^\s,:"{}\[\]]+')
_UP_TO_BRACKET: Final = re.compile(rb'(?:[^"{}\[\]]++|"(?:[^"\\]++|\\.)*+")*+[{}\[\]]', re.DOTALL)
_OPENING: Final = b"{["  # what closes them comes two code points later
_RETURN: Final = 0x0D
ENDS: Final = "the file ends in the middle of it"
ENDS_EARLY: Final = "the file ends before its JSON does"
TOO_LONG: Final = f"one value of more than {bounds.LINE_BYTES:,} bytes"


class BrokenJsonError(Exception):
    """Why nothing more can be told apart in a document."""


class Scan:
    """A stream of JSON text and a place in it; what is before the place is forgotten."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._buffer = b""
        self._at = 0
        self._before = 0  # bytes that are forgotten
        self._counted = 0  # up to here, lines are counted
        self._line = 1

    @property
    def offset(self) -> int:
        """The place, in bytes from the beginning."""
        return self._before + self._at

    @property
    def line(self) -> int:
        """The line that the place is on."""
        self._line += count_lines(self._buffer[self._counted : self._at])
        self._counted = self._at
        return self._line

    @property
    def ahead(self) -> bytes:
        """What follows, as far as it is known and kept of what cannot be read."""
        return self._buffer[self._at : self._at + bounds.RAW_BYTES]

    def peek(self) -> str:
        """The next character that is no white space; "" at the end."""
        while True:
            match = _NOT_SPACE.search(self._buffer, self._at)
            if match is not None:
                self._at = match.start()
                return chr(match[0][0])
            self._at = len(self._buffer)
            if self._more() is None:
                return ""

    def take(self, character: str) -> bool:
        """Go over the next character, if it is this one."""
        if self.peek() != character:
            return False
        self._at += 1
        return True

    def expect(self, character: str) -> None:
        """Go over this character; raises BrokenJsonError where it does not come."""
        if not self.take(character):
            found = self.peek()
            raise BrokenJsonError(f"{character!r} is missing" if found else ENDS_EARLY)

    def value(self) -> bytes:
        """Go over the next value; returns its bytes. Raises BrokenJsonError where its end is not found."""
        first = self.peek()
        if first in ("{", "["):
            return self._over(self._bracketed())
        pattern = _STRING if first == '"' else _WORD
        while True:
            match = pattern.match(self._buffer, self._at)
            if match is not None and (match.end() < len(self._buffer) or first == '"'):
                return self._over(match.end())
            if self._more() is None:
                break
        if match is None:
            raise BrokenJsonError(ENDS if first in ('"', "") else f"{first!r} begins no value")
        return self._over(match.end())

    def _over(self, end: int) -> bytes:
        value = self._buffer[self._at : end]
        self._at = end
        return value

    def _bracketed(self) -> int:
        """Where the object or array that begins here ends."""
        end = self._at
        open_ = bytearray()
        while True:
            match = _UP_TO_BRACKET.match(self._buffer, end)
            if match is None:
                forgotten = self._more()
                if forgotten is None:
                    raise BrokenJsonError(ENDS)
                end -= forgotten
                continue
            end = match.end()
            bracket = self._buffer[end - 1]
            if bracket in _OPENING:
                open_.append(bracket)
            elif open_.pop() != bracket - 2:
                raise BrokenJsonError("an object or array in it is not closed")
            if not open_:
                return end

    def _more(self) -> int | None:
        """Read on; returns how many bytes were forgotten for it, None at the end of the stream."""
        if len(self._buffer) - self._at > bounds.LINE_BYTES:
            raise BrokenJsonError(TOO_LONG)
        piece = next((piece for piece in self._pieces if piece), None)
        if piece is None:
            return None
        # a \r may be half of a \r\n, which is one line end
        cut = self._at - (self._at > 0 and self._buffer[self._at - 1] == _RETURN)
        if self._counted < cut:
            self._line += count_lines(self._buffer[self._counted : cut])
        self._counted = max(0, self._counted - cut)
        self._buffer = self._buffer[cut:] + piece
        self._before += cut
        self._at -= cut
        return cut

    def drain(self) -> None:
        """Read the stream to its end."""
        for _ in self._pieces:
            pass
