"""A table, block by block: the fast way where a block is shown to be regular, the exact one everywhere else.

Both give the same frame (one column a header name, dtype str), rows and lines.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd

from replay.source import bounds, regular
from replay.source.encoding import is_utf8
from replay.source.exact import STILL_OPEN, Record, parse
from replay.source.lines import blocks
from replay.source.stretch import Rule, Stretch, unreadable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from replay.records import Unreadable
    from replay.source.dialect import Dialect

    _Reason = tuple[Rule, str]

NOT_DECODED: Final = "bytes that do not decode: the line is in another encoding than the rest, or damaged"


class Table:
    """Reads the blocks after the header in order.

    `row` and `line` are those of the next record; `carried` its first lines, where it is still open.
    """

    def __init__(self, dialect: Dialect, width: int, line: int) -> None:
        self.row = 1
        self.line = line
        self.carried = b""
        self._dialect = dialect
        self._width = width

    def read(self, data: bytes) -> Iterator[Stretch]:
        """Read a block of whole lines; a record that is still open at its end is carried to the next."""
        stretch = self._fast(data)
        if stretch is not None:
            yield stretch
            return
        for part in blocks([data], bounds.PART_BYTES):  # so that one odd record slows down its part only
            yield self._fast(part.data) or self._exactly(self.carried + part.data, final=False)

    def finish(self, tail: bytes) -> Stretch:
        """Read what is left at the end of the source: an open record, and a last line without an end."""
        return self._exactly(self.carried + tail, final=True)

    def lost(self, reason: str, raw: bytes) -> Stretch:
        """Count one row that is not read at all, on the line where the next record would begin."""
        bad = unreadable(self.row, self.line, reason, raw)
        self.row += 1
        self.line += 1
        none = np.array([], np.int64)
        return Stretch(self._frame([]), none, none, [bad])

    def _fast(self, data: bytes) -> Stretch | None:
        data = self.carried + data
        layout = regular.survey(data, self._dialect)
        frame = regular.load(data, layout, self._dialect, self._width) if layout else None
        if layout is None or frame is None:
            return None
        lines = layout.lines + self.line
        rows = np.arange(self.row, self.row + len(frame), dtype=np.int64)
        self.row += len(frame)
        self.line += layout.line_ends
        self.carried = data[layout.end :]
        return Stretch(frame, rows, lines, [])

    def _exactly(self, data: bytes, *, final: bool) -> Stretch:
        lines = data.splitlines(keepends=True)
        clean = is_utf8(data)
        cells: list[list[str]] = []
        places: list[tuple[int, int]] = []
        flaws: list[Unreadable] = []
        used = len(lines)
        for record in parse(lines, self._dialect, final=final):
            if record.reason == STILL_OPEN:
                used = record.start
                break
            fits = clean and not record.reason and len(record.cells) == self._width
            reason = None if fits else self._reason(record, lines)
            if reason is None:
                cells.append(record.cells)
                places.append((self.row, self.line + record.start))
            else:
                flaws.append(self._flaw(record, lines, reason))
            self.row += 1
        self.carried = b"".join(lines[used:])
        self.line += used
        rows, starts = np.array(places, np.int64).reshape(-1, 2).T
        return Stretch(self._frame(cells), rows, starts, flaws)

    def _reason(self, record: Record, lines: list[bytes]) -> _Reason | None:
        """Why a record is no row, if it is not."""
        if record.reason:
            return "row-unreadable", record.reason
        if not is_utf8(b"".join(lines[record.start : record.stop])):
            return "row-unreadable", NOT_DECODED
        if len(record.cells) != self._width:
            return "row-fields", f"{_cells(len(record.cells))} where the header has {self._width}"
        return None

    def _flaw(self, record: Record, lines: list[bytes], reason: _Reason) -> Unreadable:
        rule, text = reason
        raw = b"".join(lines[record.start : record.stop])
        return unreadable(self.row, self.line + record.start, text, raw, rule)

    def _frame(self, rows: list[list[str]]) -> pd.DataFrame:
        cells = np.array(rows, dtype=object).reshape(-1, self._width)
        return pd.DataFrame(cells, dtype="str")


def _cells(count: int) -> str:
    return "1 cell" if count == 1 else f"{count} cells"
