"""The nouns that stages hand to one another.

Up to the request body everything is a Chunk (a pandas frame with row and line numbers) and what the
mapping makes of it, Mapped (a column a target). After that border everything is an Event: one row,
its body as bytes, its place in its user's order.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from bisect import bisect_left
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final, Literal

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

Target = tuple[str, ...]
"""Where a value goes in the request: ("event", "key"), ("user", "properties", "grade")."""

CARRIED: Final = "_replay"
"""Columns and members whose name starts so are our own notes on a failed row, never data."""


class Outcome(StrEnum):
    """What became of a row; every row that is read ends in exactly one."""

    DELIVERED = "delivered"
    REJECTED = "rejected"
    EXHAUSTED = "exhausted"
    AMBIGUOUS = "ambiguous"
    INVALID = "invalid"
    SKIPPED = "skipped"
    PENDING = "pending"


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A record that could not be read: one invalid row.

    `raw` is the record as it stands in the file (decompressed), at most 64 KiB of it.
    """

    row: int
    line: int
    rule: Literal["row-unreadable", "row-fields"]
    reason: str
    raw: bytes


class Members(ABC):
    """Records whose members are known a column at a time, each record a dict only where it is asked for."""

    @property
    @abstractmethod
    def names(self) -> tuple[str, ...]:
        """The names that the records have, in the order in which they come first."""

    @property
    @abstractmethod
    def paths(self) -> tuple[tuple[str, ...], ...] | None:
        """The paths of all values, through objects; None where it takes the records themselves to say."""

    @property
    @abstractmethod
    def frame(self) -> pd.DataFrame:
        """The records as the frame of a chunk."""

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def column(self, path: tuple[str, ...]) -> Any:
        """What stands at a path, one value a record: an Arrow array of one type, or a list.

        Of texts, int64, doubles or booleans; what is null or not there is null in an array, None in a list.
        None: it takes the records themselves to say.
        """

    @abstractmethod
    def take(self, places: NDArray[np.bool_] | slice) -> Members:
        """Some of the records."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """Consecutive records of one source.

    `frame` of a table: one column a header name, labelled 0, 1, 2…, dtype `str`, an empty cell is "".
    `frame` of records: one column labelled 0, dtype object, a dict a row; made of `held` when it is needed.
    `rows` and `lines`: int64, one a frame row; rows count from 1 in the source (unreadable ones
    included), a row's line is the one it starts on.
    `raw` of records: each record's own bytes; of a table None.
    `unreadable`: the records in this stretch that could not be read, by row.
    `position`: bytes of the file on disk consumed so far.
    `ids`: the id of each row, the same in every re-send, where the mapping sends it.
    """

    kind: Literal["table", "records"]
    header: tuple[str, ...]
    held: pd.DataFrame | Members
    rows: NDArray[np.int64]
    lines: NDArray[np.int64]
    raw: Sequence[bytes] | None
    unreadable: tuple[Unreadable, ...]
    position: int
    ids: list[str] | None = None

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def frame(self) -> pd.DataFrame:
        """The rows as a frame."""
        return self.held.frame if isinstance(self.held, Members) else self.held

    @property
    def members(self) -> Members | None:
        """The records as columns, where they are known so."""
        return self.held if isinstance(self.held, Members) else None

    def cells(self, place: int) -> list[str]:
        """One row of a table."""
        values: list[Any] = self.frame.iloc[place].tolist()
        return values

    def record(self, place: int) -> dict[str, Any]:
        """One of the records."""
        value: Any = self.frame.iat[place, 0]
        return dict(value)

    def head(self, most: int) -> pd.DataFrame:
        """The frame of its first rows."""
        if isinstance(self.held, Members):
            return self.held.take(slice(most)).frame
        return self.held.head(most)

    def records(self, most: int) -> list[Any]:
        """The first of the records."""
        values: list[Any] = self.head(most)[0].tolist()
        return values

    def take(self, places: NDArray[np.bool_]) -> Chunk:
        """The same chunk with some of its rows."""
        raw = (
            None if self.raw is None else [line for line, kept in zip(self.raw, places, strict=True) if kept]
        )
        if isinstance(self.held, Members):
            held: pd.DataFrame | Members = self.held.take(places)
        else:
            held = self.held[places].reset_index(drop=True)
        return replace(self, held=held, rows=self.rows[places], lines=self.lines[places], raw=raw)


@dataclass(frozen=True, slots=True)
class Finding:
    """One rule broken by some rows of a chunk, at one field.

    `positions` are places in the chunk (0 is its first row), ascending; `values` the offending
    values, one a position; `message` holds for all of them.
    """

    rule: str
    field: str
    positions: list[int]
    values: list[Any]
    message: str

    def upto(self, end: int) -> Finding:
        """The same of the places before `end`."""
        count = bisect_left(self.positions, end)
        return replace(self, positions=self.positions[:count], values=self.values[:count])


@dataclass(frozen=True, slots=True)
class Mapped:
    """What a mapping makes of a chunk: a column a target.

    `columns`: each a pandas Series whose index holds places in the chunk (ascending; a place that
    is not in it has no value there) and whose values are str, int, float, Decimal, bool, list, dict.
    `findings`: what the mapping itself could not do (`cast-failed`, `time-unreadable`, `type-wrong`,
    `field-unknown`…).
    `times`: the original times, a Series like the columns', microseconds since 1970 in UTC, or None.
    """

    size: int
    columns: dict[Target, pd.Series[Any]]
    findings: list[Finding]
    times: pd.Series[Any] | None = None

    def upto(self, end: int) -> Mapped:
        """The same of the places before `end`."""
        columns = {target: column[column.index < end] for target, column in self.columns.items()}
        return replace(self, size=end, columns=columns)

    def part(self, start: int, end: int) -> Mapped:
        """What it makes of the places from `start` to before `end`, as if they were all; without findings."""
        columns: dict[Target, pd.Series[Any]] = {}
        for target, column in self.columns.items():
            first, last = column.index.searchsorted([start, end])
            columns[target] = column.iloc[first:last].set_axis(column.index[first:last] - start)
        return Mapped(end - start, columns, [])


class Event(msgspec.Struct, eq=False):
    """One row, ready to be sent.

    `source` is its place among the run's sources, `row` its number there. `lanes` are what it
    shares with others of its user: it goes after every earlier row that has one of them. `chunk` and
    `place` lead back to the record as it was read. `started`: a request of it began to leave.
    `waits` and `followers` are its place in the order, kept by the sender. `copy`, `number` and `slot`
    are its place in the ledger, kept by whoever writes there. `is_doubtful`: nobody
    knows whether an earlier request of the row arrived, be it of this run or of one before. `left_at`:
    when its latest request began to leave, in seconds of the monotonic clock. `key` is its event key.
    """

    source: int
    row: int
    body: bytes
    lanes: tuple[str, ...]
    chunk: Chunk | None
    place: int
    started: bool = False
    waits: int = 0
    followers: list[Event] | None = None
    copy: int = 0
    number: int = 0
    slot: int = -1
    is_doubtful: bool = False
    left_at: float = 0.0
    key: str = ""

    def __repr__(self) -> str:
        return f"Event(source={self.source}, row={self.row}, lanes={self.lanes})"


@dataclass(frozen=True, slots=True)
class Result:
    """How a row ended: its outcome, the status of its last answer (if any), and why.

    `group`: the reason without what only this row has, where the words alone do not show what that is.
    `reports_failure`: the row counts as delivered, and the body of its answer is a page or reports an error.
    """

    outcome: Outcome
    status: int | None
    attempts: int
    reason: str
    group: str = ""
    reports_failure: bool = False


LATENCIES: Final = tuple(
    round(base * scale, 4) for scale in (0.001, 0.01, 0.1, 1.0, 10.0) for base in (1, 1.5, 2, 3, 5, 7.5)
)
"""Upper bounds of the buckets that latencies are counted in, in seconds; one more bucket is open."""

NO_STATUS: Final = 0
"""The status of an attempt that no answer came to."""


@dataclass(slots=True)
class Answers:
    """What came back from requests: how many of each status (NO_STATUS for none), and how fast.

    `latencies`: a count a bucket of LATENCIES and one beyond them, from the request's first byte to its
    end; `seconds` is their sum. A request that never left has no latency.
    """

    statuses: dict[int, int] = field(default_factory=dict)
    latencies: list[int] = field(default_factory=lambda: [0] * (len(LATENCIES) + 1))
    seconds: float = 0.0

    def add(self, status: int | None, seconds: float | None) -> None:
        """Count one."""
        key = status or NO_STATUS
        self.statuses[key] = self.statuses.get(key, 0) + 1
        if seconds is not None:
            self.latencies[bisect_left(LATENCIES, seconds)] += 1
            self.seconds += seconds

    def take(self, parts: Iterable[Answers]) -> None:
        """Become the sum of some others, if there are any."""
        if not (parts := list(parts)):
            return
        statuses = sorted({status for part in parts for status in part.statuses})
        self.statuses = {status: sum(part.statuses.get(status, 0) for part in parts) for status in statuses}
        self.latencies = [sum(counts) for counts in zip(*(part.latencies for part in parts), strict=True)]
        self.seconds = sum(part.seconds for part in parts)

    def since(self, earlier: Answers) -> Answers:
        """What came after an earlier copy was made."""
        before = earlier.statuses
        statuses = {status: count - before.get(status, 0) for status, count in self.statuses.items()}
        pairs = zip(self.latencies, earlier.latencies, strict=True)
        return Answers(
            {status: count for status, count in statuses.items() if count},
            [now - then for now, then in pairs],
            self.seconds - earlier.seconds,
        )

    def copy(self) -> Answers:
        """The same, to be compared with later."""
        return Answers(dict(self.statuses), list(self.latencies), self.seconds)

    def latency(self, share: float) -> float | None:
        """Seconds within which this share (0 to 1) came back, as near as the buckets tell; None for none.

        Within a bucket they are taken as evenly spread; beyond the last its bound is told.
        """
        rank, below = share * sum(self.latencies), 0
        for place, count in enumerate(self.latencies[:-1]):
            if count and below + count >= rank:
                start = LATENCIES[place - 1] if place else 0.0
                return start + (LATENCIES[place] - start) * max(rank - below, 0.0) / count
            below += count
        return LATENCIES[-1] if self.latencies[-1] else None
