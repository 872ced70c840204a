"""Every TOML text is read here: its size and depth are bounded before it is parsed.

A parser keeps every prefix of a dotted key: one of 100,000 parts, in a file of 200 KB, takes gigabytes.
A `replay.toml` is read because it is there, no matter who wrote it.
"""

from __future__ import annotations

import re
import tomllib
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from pathlib import Path

MAX_BYTES: Final = 1 << 20
MAX_DEPTH: Final = 32  # tables and arrays inside one another, each part of a dotted key counted in
MAX_WORD: Final = 1_000  # characters of a number, a date or a bare key
_NOT_WORDS: Final = "\"'#"
_UNENDED: Final = ('"', "'")  # alone: a string that does not end, where the parser stops

_TOKEN: Final = re.compile(
    r'"""(?:[^\\]|\\.)*?"{3,5}'
    r"|'''.*?'{3,5}"
    r'|"(?:[^"\\\n]|\\.)*+"'
    r"|'[^'\n]*+'"
    r"|\#[^\n]*+"
    r"|[A-Za-z0-9_+-]++"
    r"""|[\[\]{}.=,\n"']""",
    re.DOTALL,
)


class TomlError(ValueError):
    """A text that is no TOML, or past a bound; the message names the line, if it is known."""


def load(path: Path, max_bytes: int = MAX_BYTES, max_depth: int = MAX_DEPTH) -> dict[str, Any]:
    """Read a file, and no more of it than `max_bytes`. Raises OSError and TomlError."""
    with path.open("rb") as file:
        data = file.read(max_bytes + 1)
    try:
        text = data[:max_bytes].decode("utf-8-sig")
    except UnicodeDecodeError as error:
        if len(data) <= max_bytes:
            raise TomlError(
                f"not UTF-8 ({error.reason}, byte {error.start + 1}): save the file as UTF-8"
            ) from error
        text = ""  # cut within a character; its size is the fault
    if len(data) > max_bytes:
        raise _too_large(max_bytes)
    return loads(text, max_bytes, max_depth)


def loads(text: str, max_bytes: int = MAX_BYTES, max_depth: int = MAX_DEPTH) -> dict[str, Any]:
    """Parse a text. Raises TomlError."""
    if len(text) > max_bytes or len(text.encode("utf-8", "surrogatepass")) > max_bytes:
        raise _too_large(max_bytes)
    fault = find_fault(text, max_depth)
    if fault is not None:
        raise TomlError(fault)
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise TomlError(f"not TOML: {error}") from error


def find_fault(text: str, max_depth: int = MAX_DEPTH) -> str | None:
    """Why a text is not given to the parser, by its brackets, dots and words alone; None if it may be.

    A text that is no TOML is scanned up to the place where the parser stops, too.
    """
    nesting, line = _Nesting(), 1
    for match in _TOKEN.finditer(text):
        lexeme = match[0]
        if lexeme in _UNENDED:
            return None
        if len(lexeme) > MAX_WORD and lexeme[0] not in _NOT_WORDS:
            return f"line {line}: a number or a name of more than {MAX_WORD:,} characters"
        nesting.add(lexeme)
        if nesting.depth > max_depth:
            return f"line {line}: more than {max_depth} tables and arrays inside one another"
        line += lexeme.count("\n")
    return None


class _Nesting:
    """How deep a place in a text lies: its header, the open brackets, and the dots of its key."""

    def __init__(self) -> None:
        self._header = 0
        self._in_header = False
        self._starts_line = True
        self._opened: list[int] = []  # what each open bracket adds: itself, and its dotted key
        self._sum = 0
        self._dots = 0

    @property
    def depth(self) -> int:
        """The tables and arrays around the place."""
        return self._header + self._sum + self._dots

    def add(self, lexeme: str) -> None:
        """Go over one word or sign."""
        if lexeme == "\n":
            self._in_header, self._dots = False, 0
        elif self._starts_line and lexeme == "[" and not self._opened:
            self._in_header, self._header = True, 1
        elif self._in_header:
            self._header += lexeme in ".["
        else:
            self._add_to_value(lexeme)
        self._starts_line = lexeme == "\n"

    def _add_to_value(self, lexeme: str) -> None:
        if lexeme == ".":
            self._dots += 1
        elif lexeme in ("[", "{"):
            self._opened.append(1 + self._dots)
            self._sum += 1 + self._dots
            self._dots = 0
        elif lexeme in ("]", "}", ",", "="):
            if lexeme in "]}" and self._opened:
                self._sum -= self._opened.pop()
            self._dots = 0 if lexeme != "=" else self._dots


def _too_large(max_bytes: int) -> TomlError:
    return TomlError(f"larger than {max_bytes:,} bytes")
