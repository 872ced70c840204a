"""What the columns of a job's sources look like, added up over all chunks in bounded memory."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from replay.mapping import SAMPLES, looks
from replay.pipeline.sketch import Distinct
from replay.report import ColumnProfile, short

if TYPE_CHECKING:
    from replay.mapping import Look
    from replay.masks import Mask
    from replay.pipeline.stages import Judged
    from replay.records import Chunk

COLUMNS_MAX: Final = 300
DISTINCT_EXACT: Final = 10_000
VALUE_SHOWN: Final = 40


@dataclass(slots=True)
class _Column:
    hidden: bool
    rows: int = 0
    filled: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    distinct: Distinct = field(default_factory=lambda: Distinct(DISTINCT_EXACT))
    shortest: str | None = None
    longest: str = ""
    samples: dict[str, None] = field(default_factory=dict)

    def add(self, look: Look) -> None:
        self.filled += look.filled
        self.kinds += look.kinds
        self.distinct.add(look.hashes)
        if self.shortest is None or len(look.shortest) < len(self.shortest):
            self.shortest = look.shortest
        self.longest = max(self.longest, look.longest, key=len)
        if len(self.samples) < SAMPLES:
            self.samples.update(dict.fromkeys(look.samples[: SAMPLES - len(self.samples)]))


class Profiles:
    """Looks at every chunk of a job; columns beyond COLUMNS_MAX are only counted."""

    def __init__(self, mask: Mask) -> None:
        self._mask = mask
        self._columns: dict[str, _Column] = {}
        self._rows: Counter[str] = Counter()  # rows by the header that they have
        self._headers: dict[str, tuple[str, ...]] = {}
        self._all_rows = 0
        self._first: int | None = None
        self._last: int | None = None
        self.beyond = 0

    def add(self, source: str, judged: Judged) -> None:
        """Look at the rows of a chunk that could be read."""
        if not len(judged.chunk):
            return
        self._all_rows += len(judged.chunk)
        if judged.chunk.kind == "table":
            self._rows[source] += len(judged.chunk)
            self._headers[source] = judged.chunk.header
        for look in looks(judged.chunk):
            if (column := self._column(judged.chunk, look.name)) is not None:
                column.add(look)
        times = judged.mapped.times
        if times is not None and len(times):
            self._first = min(int(times.min()), self._first if self._first is not None else int(times.min()))
            self._last = max(int(times.max()), self._last if self._last is not None else int(times.max()))

    def profiles(self) -> list[ColumnProfile]:
        """The columns in the order in which they were met."""
        return [self._profile(name, column) for name, column in self._columns.items()]

    def time_range(self) -> tuple[str, str] | None:
        """The earliest and the latest original time, where the mapping reads one."""
        if self._first is None or self._last is None:
            return None
        return _moment(self._first), _moment(self._last)

    def _column(self, chunk: Chunk, name: str) -> _Column | None:
        if name not in self._columns and len(self._columns) >= COLUMNS_MAX:
            self.beyond += 1
            return None
        return self._columns.setdefault(name, _Column(self._hides(chunk, name)))

    def _hides(self, chunk: Chunk, name: str) -> bool:
        if chunk.kind == "table":
            return name in self._mask.columns
        return self._mask.covers(name, whole=False)

    def _rows_of(self, name: str) -> int:
        """Rows of the sources that could have this column: tables with it, and all records."""
        without = sum(rows for source, rows in self._rows.items() if name not in self._headers[source])
        return self._all_rows - without

    def _profile(self, name: str, column: _Column) -> ColumnProfile:
        def shown(value: str) -> str:
            return self._mask.hash(value) if column.hidden else short(value, VALUE_SHOWN)

        rows = self._rows_of(name)
        return ColumnProfile(
            name=name,
            kinds=tuple(column.kinds.most_common()),
            filled=column.filled,
            rows=rows,
            distinct=column.distinct.count(),
            is_estimate=not column.distinct.exact,
            shortest=(len(column.shortest or ""), shown(column.shortest or "")),
            longest=(len(column.longest), shown(column.longest)),
            samples=tuple(shown(value) for value in column.samples),
        )


def _moment(micros: int) -> str:
    return f"{datetime.fromtimestamp(micros / 1e6, UTC):%Y-%m-%d %H:%M:%S} UTC"
