"""What one block of a source came to, and the chunks it is handed on in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from replay.records import Chunk, Members, Unreadable
from replay.source import bounds

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pandas as pd
    from numpy.typing import NDArray


Rule = Literal["row-unreadable", "row-fields"]


@dataclass(frozen=True, slots=True)
class Stretch:
    """The records of one block, with their row and line numbers; `raw` of records only."""

    held: pd.DataFrame | Members
    rows: NDArray[np.int64]
    lines: NDArray[np.int64]
    unreadable: list[Unreadable]
    raw: Sequence[bytes] | None = None

    def chunks(
        self, kind: Literal["table", "records"], header: tuple[str, ...], position: int
    ) -> Iterator[Chunk]:
        """Chunks of a bounded number of rows, the unreadable ones counted in."""
        is_columns = kind == "table" or isinstance(self.held, Members)
        size = bounds.TABLE_ROWS if is_columns else bounds.RECORD_ROWS
        numbers = [*self.rows[[0, -1]], *(bad.row for bad in self.unreadable)] if len(self.rows) else []
        numbers = numbers or [bad.row for bad in self.unreadable]
        if not numbers:
            return
        for first in range(int(min(numbers)), int(max(numbers)) + 1, size):
            start, stop = np.searchsorted(self.rows, [first, first + size])
            yield Chunk(
                kind=kind,
                header=header,
                held=self._part(int(start), int(stop)),
                rows=self.rows[start:stop],
                lines=self.lines[start:stop],
                raw=None if self.raw is None else self.raw[start:stop],
                unreadable=tuple(bad for bad in self.unreadable if first <= bad.row < first + size),
                position=position,
            )

    @property
    def frame(self) -> pd.DataFrame:
        """The records as a frame."""
        return self.held.frame if isinstance(self.held, Members) else self.held

    def _part(self, start: int, stop: int) -> pd.DataFrame | Members:
        if stop - start == len(self.held):
            return self.held
        if isinstance(self.held, Members):
            return self.held.take(slice(start, stop))
        return self.held.iloc[start:stop].reset_index(drop=True)


def unreadable(row: int, line: int, reason: str, raw: bytes, rule: Rule = "row-unreadable") -> Unreadable:
    """A record that is no row, with as much of it as is kept."""
    return Unreadable(row, line, rule, reason, raw.rstrip(b"\r\n")[: bounds.RAW_BYTES])
