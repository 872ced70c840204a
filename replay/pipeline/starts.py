"""On which lines the rows of a source begin: equal for two readings that number the same rows the same."""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from replay.records import Chunk


class RowStarts:
    """Digests of the lines on which the first N rows begin, for each N that is `asked`: fed chunk by chunk.

    `reading`: the number of the last row that could be read, and the digest up to it; None without one.
    """

    def __init__(self, asked: Iterable[int] = ()) -> None:
        self.digests: dict[int, str] = {}
        self.reading: tuple[int, str] | None = None
        self._hash = blake2b(digest_size=16)
        self._rows = 0
        self._asked = sorted(set(asked))

    def add(self, chunk: Chunk) -> None:
        """Take in the rows of the next chunk, those that could not be read among them."""
        lines = _lines(chunk)
        last = int(chunk.rows[-1]) if len(chunk) else 0
        first, end = self._rows, self._rows + len(lines)
        for stop in sorted({*(rows for rows in self._asked if first < rows <= end), last, end}):
            if stop > self._rows:
                self._hash.update(lines[self._rows - first : stop - first].tobytes())
                self._rows = stop
                self.digests[stop] = self._hash.hexdigest()
        if last:
            self.reading = (last, self.digests[last])
        self.digests = {rows: self.digests[rows] for rows in self._asked if rows in self.digests}


def _lines(chunk: Chunk) -> NDArray[np.int64]:
    """The line of every row, in the order of the rows."""
    rows = np.concatenate([chunk.rows, np.array([bad.row for bad in chunk.unreadable], dtype=np.int64)])
    lines = np.concatenate([chunk.lines, np.array([bad.line for bad in chunk.unreadable], dtype=np.int64)])
    return np.ascontiguousarray(lines[np.argsort(rows, kind="stable")].astype("<i8"))
