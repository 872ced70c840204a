"""The exact reader of tables: csv.reader over our own lines, so that the true line of every record is known.

A record that is not strictly quoted costs its first line only: reading goes on at the very next one.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from replay.source import bounds

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence

    from replay.source.dialect import Dialect

# Lines and records have bounds of our own; the csv module's, one for the process, is lower than a legal cell.
csv.field_size_limit(2**31 - 1)

_NO_MORE_LINES: Final = "unexpected end of data"
STILL_OPEN: Final = "still open"
UNCLOSED: Final = "a quote opens here and never closes"
STRAY: Final = "text follows a closing quote (a quote inside a quoted cell is written twice)"
TOO_LONG: Final = (
    f"a quoted record runs over more than {bounds.RECORD_LINES:,} lines or {bounds.RECORD_BYTES:,} bytes"
)


class Record(NamedTuple):
    """Lines `start` to `stop` (from 0, `stop` not included): their cells, or why there are none."""

    start: int
    stop: int
    cells: list[str]
    reason: str = ""


@dataclass(frozen=True, slots=True)
class _Stuck:
    """A record that began on line `start` and was still inside a quote at each line end before `until`.

    `reason` is "" where nothing but a bound is against it: it closed on the line before `until`, or
    (`open`) there are no more lines. `keeps`: the first line from which it would keep the bounds.
    """

    start: int
    until: int
    keeps: int
    reason: str = ""
    open: bool = False


def parse(lines: Sequence[bytes], dialect: Dialect, *, final: bool) -> Iterator[Record]:
    """The records of these lines in order, blank ones left out.

    Where more lines may come (`final` is false) and a record is not closed by the last of these, it is
    the last one given, with the reason STILL_OPEN.
    """
    start, stuck = 0, None
    while start < len(lines):
        if stuck is None or start + 1 >= stuck.until:
            stuck = yield from _strict(lines, start, dialect)
            if stuck is None:
                return
            start = stuck.start
        elif (alone := _alone(lines, start, dialect)) is not None:
            yield from alone
            start += 1
            continue
        # The record on this line leaves a quote open. Inside one open quote all records are in one state,
        # so what became of the first became of this one too: reading each anew would take quadratic time.
        reason = TOO_LONG if start < stuck.keeps else stuck.reason
        if not reason and not stuck.open:
            stuck = None  # from this line on it keeps the bounds, and closes
        elif not reason and not final:
            yield Record(start, len(lines), [], STILL_OPEN)
            return
        else:
            yield Record(start, start + 1, [], reason or UNCLOSED)
            start += 1


def _strict(lines: Sequence[bytes], start: int, dialect: Dialect) -> Generator[Record, None, _Stuck | None]:
    """Read records until one is not strictly quoted or past a bound; come back with that one."""
    reader = dialect.reader(lines[at].decode("utf-8", "surrogateescape") for at in range(start, len(lines)))
    first = start
    try:
        for cells in reader:
            stop = start + reader.line_num
            if stop - first > 1 and first < (keeps := _keeps_bounds(lines, first, stop)):
                return _Stuck(first, stop, keeps)
            if cells:
                yield Record(first, stop, cells)
            first = stop
    except csv.Error as error:
        stop = start + reader.line_num
        if str(error) == _NO_MORE_LINES:
            return _Stuck(first, stop, _keeps_bounds(lines, first, stop), open=True)
        keeps = _keeps_bounds(lines, first, stop) if stop - first > 1 else first
        return _Stuck(first, stop, keeps, STRAY)
    return None


def _keeps_bounds(lines: Sequence[bytes], first: int, stop: int) -> int:
    """The first line at or after `first` from which a record up to `stop` keeps the bounds."""
    size = 0
    lowest = max(first, stop - bounds.RECORD_LINES)
    for at in range(stop - 1, lowest - 1, -1):
        size += len(lines[at])
        if size > bounds.RECORD_BYTES:
            return at + 1
    return lowest


def _alone(lines: Sequence[bytes], at: int, dialect: Dialect) -> list[Record] | None:
    """The record on one line (none, if it is blank), or None where it leaves a quote open."""
    try:
        (cells,) = dialect.reader([lines[at].decode("utf-8", "surrogateescape")])
    except csv.Error as error:
        return None if str(error) == _NO_MORE_LINES else [Record(at, at + 1, [], STRAY)]
    return [Record(at, at + 1, cells)] if cells else []
