"""Owns what a mapping makes of a chunk, once it is bound to a source: a column a target.

Work goes a column at a time; only records and JSON cells are looked at one by one.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from replay.mapping import api, casts, columns, paths, times
from replay.mapping.fields import Constant, RowId, Time, TypeName
from replay.records import CARRIED, Chunk, Finding, Mapped, Target

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd


class Bound(Protocol):
    """A mapping that fits one source."""

    def apply(self, chunk: Chunk) -> Mapped:
        """What the mapping makes of a chunk of that source."""
        ...

    def unseen(self) -> dict[str, str]:
        """Members that the mapping names and no record so far has, with what to say about each."""
        ...


@dataclass(frozen=True, slots=True)
class Located:
    """A column found in a source.

    `text` is as the mapping writes it, `owner` the table's column or the record's top-level member,
    `column` its label in a table's frame, `path` the names below a JSON cell, or all of a record's.
    """

    source: str
    text: str
    owner: str
    column: int | None = None
    path: tuple[str, ...] = ()
    type: TypeName | None = None
    default: Any = None


@dataclass(frozen=True, slots=True)
class TimeBound:
    """The original time, found in a source."""

    located: Located
    time: Time


@dataclass(frozen=True, slots=True)
class ApiRecords:
    """Records of the API's own shape map themselves."""

    def apply(self, chunk: Chunk) -> Mapped:
        """What the records say, target by target."""
        reader = api.Reader()
        for place, record in enumerate(chunk.frame[0].tolist()):
            reader.read(place, record)
        mapped = reader.mapped(len(chunk))
        made = {t: _as_taken(t, column, mapped.findings) for t, column in mapped.columns.items()}
        return Mapped(mapped.size, _filled(made), mapped.findings)

    def unseen(self) -> dict[str, str]:
        """Nothing: no mapping names anything."""
        return {}


@dataclass(frozen=True, slots=True)
class FieldBound:
    """A field map whose every text has found its column.

    `rest` are the objects that take every member nothing `named` (of records; a table's are written
    out in `fields`); `unknown` are columns left out because the API does not name them; `missing`
    are paths, as the mapping writes them, that no record so far has, with what to say about each.
    """

    fields: tuple[tuple[Target, Located | Constant | RowId], ...]
    rest: tuple[Target, ...] = ()
    named: frozenset[str] = frozenset()
    unknown: tuple[tuple[int, str], ...] = ()
    time: TimeBound | None = None
    missing: dict[str, str] = field(default_factory=dict)

    def unseen(self) -> dict[str, str]:
        """Members that the mapping names and no record so far has, with what to say about each."""
        return dict(self.missing)

    def apply(self, chunk: Chunk) -> Mapped:
        """What the mapping makes of a chunk: each target's values where there are any."""
        reading = _Reading(chunk)
        self._look_for_missing(reading)
        for target, place in self.fields:
            if isinstance(place, Constant):
                reading.columns[target] = columns.repeat(place.value, len(chunk))
            elif isinstance(place, RowId):
                reading.columns[target] = columns.build(chunk.ids or [], range(len(chunk.ids or [])))
            else:
                reading.field(target, place)
        if self.rest:
            self._read_rest(reading)
        for column, name in self.unknown:
            reading.unknown(column, name)
        micros = reading.time(self.time) if self.time is not None else None
        return Mapped(len(chunk), _filled(reading.columns), reading.findings, micros)

    def _look_for_missing(self, reading: _Reading) -> None:
        for text in list(self.missing):
            if any(paths.reaches(record, paths.split(text)) for record in reading.records):
                del self.missing[text]

    def _read_rest(self, reading: _Reading) -> None:
        members = list(_gather(reading.records, self.named))
        for owner in self.rest:
            for name, column in members:
                target = (*owner, name)
                if target not in reading.columns:
                    reading.columns[target] = _as_taken(target, column, reading.findings)


def _filled(columns: dict[Target, pd.Series[Any]]) -> dict[Target, pd.Series[Any]]:
    return {target: column for target, column in columns.items() if len(column)}


def _gather(records: list[Any], named: frozenset[str]) -> Iterator[tuple[str, pd.Series[Any]]]:
    """The top-level members of records that nothing names, each a column of the places that have it."""
    cells: defaultdict[str, tuple[list[int], list[Any]]] = defaultdict(lambda: ([], []))
    for place, record in enumerate(records):
        for name, value in record.items():
            if name not in named and not name.startswith(CARRIED) and not columns.is_absent(value):
                places, values = cells[name]
                places.append(place)
                values.append(value)
    for name, (places, values) in cells.items():
        yield name, columns.build(values, places)


@dataclass
class _Reading:
    """One chunk while it is read: the columns and findings so far, and its JSON cells once decoded."""

    chunk: Chunk
    columns: dict[Target, pd.Series[Any]] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    _decoded: dict[int, casts.Cast] = field(default_factory=dict)

    @cached_property
    def records(self) -> list[Any]:
        return self.chunk.frame[0].tolist()

    def field(self, target: Target, place: Located) -> None:
        """Read, cast and keep one target's column."""
        shown = paths.show(target)
        raw = self._raw(shown, place)
        cast = casts.cast(raw, place.type)
        if place.type is not None and len(cast.failed):
            message = f"column {place.owner!r} does not read as {place.type}; {casts.ADVICE[place.type]}"
            self.findings.append(_found("cast-failed", shown, cast.failed, message))
        column = _as_taken(target, cast.column, self.findings)
        if place.default is not None:
            column = columns.fill(column, place.default, self._free(shown))
        self.columns[target] = column

    def _free(self, shown: str) -> Any:
        """The places (a mask) where a default may stand: not where a value was refused."""
        free = np.ones(len(self.chunk), dtype=bool)
        for finding in self.findings:
            if finding.field == shown:
                free[finding.positions] = False
        return free

    def _raw(self, shown: str, place: Located) -> pd.Series[Any]:
        if place.column is None:
            values = [_member(record, place.path) for record in self.records]
            return columns.drop_absent(values, range(len(values)))
        if not place.path:
            return columns.present(self.chunk.frame[place.column], len(self.chunk))
        cells = self._json(place.column)
        if len(cells.failed):
            message = f"column {place.owner!r} does not read as json, and {place.text!r} is a path into it"
            self.findings.append(_found("cast-failed", shown, cells.failed, f"{message}; mend the cell"))
        values = [_member(cell, place.path) for cell in cells.column.tolist()]
        return columns.drop_absent(values, cells.column.index.tolist())

    def _json(self, column: int) -> casts.Cast:
        if column not in self._decoded:
            cells = columns.present(self.chunk.frame[column], len(self.chunk))
            self._decoded[column] = casts.cast(cells, "json")
        return self._decoded[column]

    def unknown(self, column: int, name: str) -> None:
        """Warn of a column that the API does not name."""
        cells = columns.present(self.chunk.frame[column], len(self.chunk))
        if len(cells):
            message = "the API names no such field, and it is left out; name it event.properties.… to send it"
            self.findings.append(_found("field-unknown", name, cells, message))

    def time(self, bound: TimeBound) -> pd.Series[Any]:
        """Read the original time, and carry it as a property if the mapping asks for it."""
        text = bound.located.text
        read = times.read(self._raw(text, bound.located), bound.time)
        for reason, values in read.unreadable.items():
            self.findings.append(_found("time-unreadable", text, values, f"column {text!r}: {reason}"))
        if bound.time.property is not None and len(read.micros):
            self.columns["event", "properties", bound.time.property] = times.write(read.micros)
        read.micros.name = text
        return read.micros


def _member(record: Any, path: tuple[str, ...]) -> Any:
    for name in path:
        if type(record) is not dict:
            return None
        record = record.get(name)
    return record


def _as_taken(target: Target, column: pd.Series[Any], findings: list[Finding]) -> pd.Series[Any]:
    """The column as the API takes it: key and identifiers are text, an integer becomes its digits."""
    if not paths.is_text(target) or (len(target) == 2 and target in paths.OBJECTS) or columns.is_text(column):
        return column
    values = column.tolist()
    right = [order for order, value in enumerate(values) if type(value) in (str, int)]
    if len(right) < len(values):
        wrong = column.drop(index=column.index[right])
        message = "the API takes a text here; write it in quotes, or map another column"
        findings.append(_found("type-wrong", paths.show(target), wrong, message))
    return columns.build([str(values[order]) for order in right], column.index[right])


def _found(rule: str, shown: str, values: pd.Series[Any], message: str) -> Finding:
    return Finding(rule, shown, values.index.tolist(), values.tolist(), message)
