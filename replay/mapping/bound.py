"""Owns what a mapping makes of a chunk, once it is bound to a source: a column a target.

Work goes a column at a time; only records and JSON cells are looked at one by one.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from replay.mapping import api, columns, paths
from replay.mapping.fields import Constant, RowId
from replay.mapping.located import JoinPlaces, Located, StarBound, Test, TimeBound
from replay.mapping.reading import Reading, as_taken
from replay.mapping.unpacking import unpack
from replay.records import Chunk, Mapped, Target

if TYPE_CHECKING:
    import pandas as pd

Place = Located | JoinPlaces | Constant | RowId


class Bound(Protocol):
    """A mapping that fits one source."""

    def keep(self, chunk: Chunk) -> Chunk:
        """The chunk with the rows that the mapping takes; the others are skipped."""
        ...

    def apply(self, chunk: Chunk) -> Mapped:
        """What the mapping makes of rows that it takes."""
        ...

    def unseen(self) -> dict[str, str]:
        """Members that the mapping names and no record so far has, with what to say about each."""
        ...


@dataclass(frozen=True, slots=True)
class Where:
    """The conditions of the rows that are taken, found in a source."""

    tests: tuple[Test, ...] = ()

    def keep(self, chunk: Chunk) -> Chunk:
        """The chunk with the rows for which every condition holds, or cannot be told."""
        if not self.tests or not len(chunk):
            return chunk
        reading = Reading(chunk)
        kept = np.ones(len(chunk), dtype=np.bool_)
        for test in self.tests:
            kept &= self._held(reading, test)
        for finding in reading.findings:
            kept[finding.positions] = True
        return chunk if kept.all() else chunk.take(kept)

    def _held(self, reading: Reading, test: Test) -> Any:
        held = np.full(len(reading.chunk), test.holds(None), dtype=np.bool_)
        column = reading.raw("where", test.located)
        if columns.is_text(column):
            codes, words = column.factorize()
            outcomes = np.array([test.holds(word) for word in words.tolist()], dtype=np.bool_)
            held[column.index.to_numpy()] = outcomes[codes] if len(column) else outcomes
        else:
            held[column.index.to_numpy()] = [test.holds(value) for value in column.tolist()]
        return held

    def judge(self, reading: Reading) -> None:
        """Find the rows for which a condition cannot be told; they are kept, and never sent."""
        for test in self.tests:
            if len(test.located.whole_path) > 1:
                reading.raw("where", test.located)


@dataclass(frozen=True, slots=True)
class ApiRecords:
    """Records of the API's own shape map themselves."""

    where: Where = field(default_factory=Where)

    def keep(self, chunk: Chunk) -> Chunk:
        """The rows for which the conditions hold."""
        return self.where.keep(chunk)

    def apply(self, chunk: Chunk) -> Mapped:
        """What the records say, target by target."""
        reading = Reading(chunk)
        self.where.judge(reading)
        known = None if chunk.members is None else api.of_members(chunk.members)
        mapped = api.of_records(reading.records) if known is None else known
        made = {t: as_taken(t, column, mapped.findings) for t, column in mapped.columns.items()}
        return Mapped(mapped.size, _filled(made), reading.findings + mapped.findings)

    def unseen(self) -> dict[str, str]:
        """Nothing: no mapping names anything."""
        return {}


@dataclass(frozen=True, slots=True)
class FieldBound:
    """A field map whose every text has found its column.

    `stars` are the objects that take what nothing names; `unknown` are columns left out because the API
    does not name them; `missing` are paths, as the mapping writes them, that no record so far has, with
    what to say about each.
    """

    fields: tuple[tuple[Target, Place], ...]
    stars: tuple[StarBound, ...] = ()
    unknown: tuple[tuple[int, str], ...] = ()
    time: TimeBound | None = None
    where: Where = field(default_factory=Where)
    missing: dict[str, str] = field(default_factory=dict)

    def unseen(self) -> dict[str, str]:
        """Members that the mapping names and no record so far has, with what to say about each."""
        return dict(self.missing)

    def keep(self, chunk: Chunk) -> Chunk:
        """The rows for which the conditions hold."""
        if self.where.tests:
            self._look_for_missing(chunk)
        return self.where.keep(chunk)

    def apply(self, chunk: Chunk) -> Mapped:
        """What the mapping makes of a chunk: each target's values where there are any."""
        reading = Reading(chunk)
        self._look_for_missing(chunk)
        self.where.judge(reading)
        for target, place in self.fields:
            if isinstance(place, Constant):
                reading.columns[target] = columns.repeat(place.value, len(chunk))
            elif isinstance(place, RowId):
                reading.columns[target] = columns.build(chunk.ids or [], range(len(chunk.ids or [])))
            elif isinstance(place, JoinPlaces):
                reading.join(target, place)
            else:
                reading.field(target, place)
        for star in self.stars:
            unpack(reading, star)
        for column, name in self.unknown:
            reading.unknown(column, name)
        micros = reading.time(self.time) if self.time is not None else None
        return Mapped(len(chunk), _filled(reading.columns), reading.findings, micros)

    def _look_for_missing(self, chunk: Chunk) -> None:
        records = chunk.frame[0].tolist() if self.missing and chunk.kind == "records" else []
        for text in list(self.missing):
            if any(paths.reaches(record, paths.split(text)) for record in records):
                del self.missing[text]


def _filled(columns: dict[Target, pd.Series[Any]]) -> dict[Target, pd.Series[Any]]:
    return {target: column for target, column in columns.items() if len(column)}
