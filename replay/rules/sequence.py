"""Owns the rules that compare a row with those before it: the order of times, and rows that repeat."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from replay.rules.findings import found, is_text, show

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from replay.records import Chunk, Finding, Mapped

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class TimeOrder:
    """Remembers the time of the last row that had one."""

    def __init__(self) -> None:
        self._last: int | None = None

    def judge(self, mapped: Mapped) -> Iterator[Finding]:
        """Rows whose time is before that of the row before them."""
        times = mapped.times
        if times is None or times.empty:
            return
        micros = times.to_numpy()
        first = micros[0] if self._last is None else self._last
        before = np.concatenate([[first], micros[:-1]])
        self._last = int(micros[-1])
        early = times[micros < before]
        if len(early):
            written = pd.Series(_written(early.to_numpy()), index=early.index, dtype=object)
            yield found("time-out-of-order", str(times.name or "time"), written)


def _written(micros: NDArray[np.int64]) -> list[str]:
    """Times as ISO 8601."""
    if (micros % 1_000_000).any():
        return [_iso(value) for value in micros.tolist()]
    texts = pc.cast(pa.array(micros // 1_000_000).cast(pa.timestamp("s")), pa.string())
    return [f"{text[:10]}T{text[11:]}Z" for text in texts.to_pylist()]


def _iso(micros: int) -> str:
    return (_EPOCH + timedelta(microseconds=micros)).isoformat().replace("+00:00", "Z")


class Duplicates:
    """Remembers a 64-bit hash of what every row says to the API, and the row that said it first."""

    def __init__(self) -> None:
        self._first: dict[int, int] = {}

    def judge(self, mapped: Mapped, chunk: Chunk) -> Iterator[Finding]:
        """Rows that say the same as an earlier one; the value is that row's number."""
        places, firsts = [], []
        rows = zip(_hashes(mapped).tolist(), chunk.rows.tolist(), strict=True)
        for place, (digest, row) in enumerate(rows):
            first = self._first.setdefault(digest, row)
            if first != row:
                places.append(place)
                firsts.append(first)
        if places:
            yield found(
                "row-duplicate", "row", pd.Series(firsts, index=places), "the value is the first such row"
            )


def _hashes(mapped: Mapped) -> NDArray[np.uint64]:
    """A hash a row, whatever the order of its members."""
    total = np.zeros(mapped.size, dtype=np.uint64)
    for target, column in mapped.columns.items():
        keyed = _hash_column(column) ^ _hash_name(show(target))
        total[column.index.to_numpy()] += pd.util.hash_array(keyed)
    return total


def _hash_column(column: pd.Series[Any]) -> NDArray[np.uint64]:
    values: Any = column.array
    if not is_text(column):
        spelled = [value if isinstance(value, str) else f"\0{value!r}" for value in column.tolist()]
        values = np.array(spelled, dtype=object)
    return np.asarray(pd.util.hash_array(values, categorize=False), dtype=np.uint64)


def _hash_name(name: str) -> np.uint64:
    return np.uint64(pd.util.hash_array(np.array([name], dtype=object))[0])
