"""JSON Lines, block by block: an object a line, each value with the type and digits it is written with."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import msgspec
import numpy as np
import pandas as pd

from replay.source import bounds
from replay.source.broken import TOO_DEEP, reason_of
from replay.source.lines import blocks
from replay.source.members import members_of
from replay.source.number import DECODER
from replay.source.shape import lines_of
from replay.source.stretch import Stretch, unreadable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from replay.records import Unreadable

PASSED_BY: Final = 8  # blocks, once one was of too many shapes


class _NotReadError(ValueError):
    """Why a line is no record."""


_ENCODER: Final = msgspec.json.Encoder()


def read_record(line: bytes) -> dict[str, Any]:
    """The object on one line; raises ValueError, saying why, where there is not exactly one."""
    try:
        value = DECODER.decode(line)
    except RecursionError as error:
        raise _NotReadError(TOO_DEEP) from error
    except ValueError as error:
        raise _NotReadError(reason_of(line, error)) from error
    if type(value) is not dict:
        raise _NotReadError("not an object: each record is one JSON object")
    inside = line.count(b"{") + line.count(b"[") - 1
    if inside >= bounds.DEPTH:
        _check_depth(value)
    if not (inside == 0 and _has_as_many_commas(line, value)) and not _shows_unique_names(line, value):
        _check_names(line)
    return value


def _has_as_many_commas(line: bytes, value: dict[str, Any]) -> bool:
    """Whether as many commas are written as stand between the members that were read: none was lost.

    For an object with nothing inside; a comma in a text counts only where it is written.
    """
    return line.count(b",") + 1 == len(value)


def _shows_unique_names(line: bytes, value: dict[str, Any]) -> bool:
    """Whether as many names are read as are written: shown by writing the value again, and counting colons.

    A colon inside a text counts on both sides, or, if its member was lost, on the written one alone. Only
    one that is written as an escape could count on the other side alone.
    """
    if b"\\" in line and b"\\u003" in line:
        return False
    return _ENCODER.encode(value).count(b":") == line.count(b":")


def _check_names(line: bytes) -> None:
    json.loads(line, object_pairs_hook=_unique, parse_int=len, parse_float=len)


def _unique(pairs: list[tuple[str, Any]]) -> None:
    seen: set[str] = set()
    for name, _ in pairs:
        if name in seen:
            raise _NotReadError(f"the name {json.dumps(name, ensure_ascii=False)} comes twice in one object")
        seen.add(name)


def _check_depth(value: object) -> None:
    layer: list[Any] = [value]
    for _ in range(bounds.DEPTH):
        inside = (item.values() if type(item) is dict else item for item in layer)
        layer = [member for members in inside for member in members if type(member) in (dict, list)]
        if not layer:
            return
    raise _NotReadError(TOO_DEEP)


class Records:
    """Reads the blocks of a JSON Lines source in order; `row` and `line` are those of the next record."""

    def __init__(self) -> None:
        self.row = 1
        self.line = 1
        self.carried = b""
        self._passed_by = 0  # blocks that are not tried the fast way

    def read(self, data: bytes) -> Iterator[Stretch]:
        """Read a block of whole lines, a chunk of them at a time; lines of white space are no records."""
        stretch = self._shaped(data)
        if stretch is not None:
            yield stretch
            return
        for part in blocks([data], bounds.PART_BYTES):  # so that one odd line slows down its part only
            stretch = self._shaped(part.data)
            if stretch is not None:
                yield stretch
            else:
                yield from self._exactly(part.data)
        self._passed_by = max(0, self._passed_by - 1)

    def _exactly(self, data: bytes) -> Iterator[Stretch]:
        lines = data.splitlines()
        for start in range(0, len(lines), bounds.RECORD_ROWS):
            yield self._read(lines[start : start + bounds.RECORD_ROWS])

    def _shaped(self, data: bytes) -> Stretch | None:
        """The records of lines that are of few shapes; None where that is not shown."""
        lines = None if self._passed_by else lines_of(data)
        if lines is None:
            return None
        try:
            found = members_of(lines, read_record)
        except ValueError:  # a value that is none
            return None
        if found is None:
            self._passed_by = PASSED_BY
            return None
        is_row = np.ones(len(lines.ends), dtype=np.int64)
        is_row[found.blank] = 0
        rows = np.cumsum(is_row) + (self.row - 1)
        flaws = [
            unreadable(int(rows[at]), self.line + at, reason, lines.line(at))
            for at, reason in sorted(found.flaws.items())
        ]
        stretch = Stretch(found.records, rows[found.at], found.at + self.line, flaws, found.records.raw)
        self.row += int(is_row.sum())
        self.line += len(is_row)
        return stretch

    def finish(self, tail: bytes) -> Stretch:
        """Read the last line, where it has no line end."""
        return self._read([tail] if tail else [])

    def lost(self, reason: str, raw: bytes) -> Stretch:
        """Count one row that is not read at all, on the next line."""
        bad = unreadable(self.row, self.line, reason, raw)
        self.row += 1
        self.line += 1
        none = np.array([], np.int64)
        return Stretch(pd.DataFrame({0: pd.Series([], dtype=object)}), none, none, [bad], [])

    def _read(self, lines: list[bytes]) -> Stretch:
        values: list[dict[str, Any]] = []
        raw: list[bytes] = []
        places: list[tuple[int, int]] = []
        flaws: list[Unreadable] = []
        for line in lines:
            if line and not line.isspace():
                try:
                    values.append(read_record(line))
                    raw.append(line)
                    places.append((self.row, self.line))
                except ValueError as error:
                    flaws.append(unreadable(self.row, self.line, str(error), line))
                self.row += 1
            self.line += 1
        rows, starts = np.array(places, np.int64).reshape(-1, 2).T
        return Stretch(pd.DataFrame({0: pd.Series(values, dtype=object)}), rows, starts, flaws, raw)
