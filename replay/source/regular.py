"""The fast way for tables: blocks whose layout is shown to be regular, parsed by Arrow.

Arrow refuses a wrong number of cells by itself. But it reads an unclosed quote as one cell that swallows
the lines after it, drops text after a closing quote, drops blank lines, takes a byte order mark off every
block, and cuts its input in blocks without a look at quotes: none of that may be in what it is given.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd
import pyarrow as pa
from pyarrow import csv

from replay.source import bounds
from replay.source.encoding import is_utf8

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from replay.source.dialect import Dialect

_NEWLINE: Final = 0x0A
_RETURN: Final = 0x0D
_BOM: Final = b"\xef\xbb\xbf"
_UNQUOTED: Final = "\x01"  # Arrow always quotes: this is the quote character of a block that holds none
_ARROW_BLOCK: Final = bounds.MIB


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the records of a block stand.

    `end`: bytes up to the end of the last whole record. `lines`: the line each record starts on, from 0.
    `line_ends`: how many lines end before `end`. `cuts`: where the block may be cut in pieces that Arrow
    does not cut again, 0 and `end` included. `quotechar`: the one to give to Arrow.
    """

    end: int
    lines: NDArray[np.int64]
    line_ends: int
    cuts: list[int]
    quotechar: str = _UNQUOTED


def survey(data: bytes, dialect: Dialect) -> Layout | None:
    """The layout of a block of whole lines, or None where it is not shown to be regular."""
    if not (_is_plain(dialect.delimiter) and _has_plain_lines(data) and is_utf8(data)):
        return None
    if not _may_quote(data, dialect):
        return None if _UNQUOTED.encode() in data else _unquoted(data)
    return _quoted(data, dialect) if _is_plain(dialect.quotechar) else None


def load(data: bytes, layout: Layout, dialect: Dialect, width: int) -> pd.DataFrame | None:
    """The cells of a surveyed block, or None where a record has not `width` cells."""
    options = csv.ParseOptions(delimiter=dialect.delimiter, quote_char=layout.quotechar)
    try:
        frames = [_read(data[start:stop], options, width) for start, stop in pairwise(layout.cuts)]
    except pa.ArrowInvalid:
        return None
    frame = frames[0] if len(frames) == 1 else pd.concat(frames, ignore_index=True)
    return frame if len(frame) == len(layout.lines) else None


def _read(data: bytes, options: csv.ParseOptions, width: int) -> pd.DataFrame:
    # Arrow's own threads bring little here, and take memory that it does not give back.
    names = [str(column) for column in range(width)]
    table = csv.read_csv(
        pa.BufferReader(data),
        csv.ReadOptions(use_threads=False, column_names=names, block_size=len(data) + 1),
        options,
        csv.ConvertOptions(
            check_utf8=False, column_types=dict.fromkeys(names, pa.large_string()), strings_can_be_null=False
        ),
    )
    cells = {column: pd.Series(array, dtype="str") for column, array in enumerate(table.columns)}
    return pd.DataFrame(cells, columns=pd.RangeIndex(width), copy=False)


def _is_plain(character: str) -> bool:
    """Whether a delimiter or quote character is one byte that cannot be part of anything else."""
    return character == "\t" or (character.isascii() and character.isprintable())


def _has_plain_lines(data: bytes) -> bool:
    r"""Whether lines end with \n or \r\n, the last one too, and no mark is there for Arrow to take off."""
    returns = data.count(b"\r")
    paired = returns == 0 or returns == data.count(b"\r\n")
    return paired and data.endswith(b"\n") and not data.startswith(_BOM)


def _unquoted(data: bytes) -> Layout | None:
    raw = np.frombuffer(data, np.uint8)
    ends = np.flatnonzero(raw == _NEWLINE) + 1
    if _has_blank(raw, np.concatenate(([0], ends[:-1])), ends):
        return None
    return Layout(len(data), np.arange(len(ends), dtype=np.int64), len(ends), [0, len(data)])


def _may_quote(data: bytes, dialect: Dialect) -> bool:
    """Whether any cell begins with a quote; elsewhere in a cell that is not quoted it is a character."""
    quote = dialect.quotechar.encode()
    if not quote or quote not in data:
        return False
    delimiter = dialect.delimiter.encode()
    return data.startswith(quote) or any(mark + quote in data for mark in (delimiter, b"\n"))


def _quoted(data: bytes, dialect: Dialect) -> Layout | None:
    quote, delimiter = ord(dialect.quotechar), ord(dialect.delimiter)
    raw = np.frombuffer(data, np.uint8)
    quotes = np.flatnonzero(raw == quote)
    newlines = np.flatnonzero(raw == _NEWLINE)
    record_ends = newlines[np.searchsorted(quotes, newlines) % 2 == 0] + 1
    if len(record_ends) == 0:
        return None
    end = int(record_ends[-1])
    whole = quotes[: np.searchsorted(quotes, end)]
    starts = np.concatenate(([0], record_ends[:-1]))
    lines = np.searchsorted(newlines, starts)
    line_ends = int(np.searchsorted(newlines, end))
    strict = _is_strict(raw, whole, quote, delimiter)
    if not strict or _has_blank(raw, starts, record_ends) or _is_past_bounds(starts, lines, (end, line_ends)):
        return None
    if len(data) - end > bounds.RECORD_BYTES or len(newlines) - line_ends > bounds.RECORD_LINES:
        return None
    spans_lines = line_ends != len(record_ends)
    cuts = _cuts(record_ends) if spans_lines else [0, end]
    return None if cuts is None else Layout(end, lines.astype(np.int64), line_ends, cuts, dialect.quotechar)


def _is_strict(raw: NDArray[np.uint8], quotes: NDArray[np.intp], quote: int, delimiter: int) -> bool:
    """Whether every quote opens a cell at its beginning, closes it at its end, or is one of a pair inside.

    Taken in turns, quotes open and close; a pair inside a cell is then a close and an open side by side.
    """
    opens, closes = quotes[0::2], quotes[1::2]
    before = raw[opens - 1]
    before[opens == 0] = _NEWLINE
    after = raw[closes + 1]
    opens_well = (before == delimiter) | (before == _NEWLINE) | (before == quote)
    closes_well = (after == delimiter) | (after == _NEWLINE) | (after == quote) | (after == _RETURN)
    return bool(opens_well.all() and closes_well.all())


def _has_blank(raw: NDArray[np.uint8], starts: NDArray[np.intp], ends: NDArray[np.intp]) -> bool:
    sizes = ends - starts - 1
    return bool(((sizes == 0) | ((sizes == 1) & (raw[starts] == _RETURN))).any())


def _is_past_bounds(starts: NDArray[np.intp], lines: NDArray[np.intp], stop: tuple[int, int]) -> bool:
    spans = np.diff(lines, append=stop[1])
    sizes = np.diff(starts, append=stop[0])
    return bool((spans > bounds.RECORD_LINES).any() or ((spans > 1) & (sizes > bounds.RECORD_BYTES)).any())


def _cuts(record_ends: NDArray[np.intp]) -> list[int] | None:
    """Record ends at most an Arrow block apart; None where one record is longer than that."""
    cuts = [0]
    while cuts[-1] < record_ends[-1]:
        last = int(np.searchsorted(record_ends, cuts[-1] + _ARROW_BLOCK, side="right")) - 1
        if last < 0 or record_ends[last] <= cuts[-1]:
            return None
        cuts.append(int(record_ends[last]))
    return cuts
