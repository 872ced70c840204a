"""Owns the reading of one chunk: its columns, members and JSON cells, cast, with what did not fit."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from replay.mapping import casts, cells, columns, paths, times
from replay.records import Finding

if TYPE_CHECKING:
    import pandas as pd

    from replay.mapping.fields import TypeName
    from replay.mapping.located import JoinPlaces, Located, TimeBound
    from replay.records import Chunk, Target

BROKEN: Final = object()
"""What stands for a JSON text that cannot be read."""


@dataclass
class Reading:
    """One chunk while it is read: the columns and findings so far, and its JSON once decoded."""

    chunk: Chunk
    columns: dict[Target, pd.Series[Any]] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    _decoded: dict[int, casts.Cast] = field(default_factory=dict)
    _texts: dict[str, Any] = field(default_factory=dict)

    @cached_property
    def records(self) -> list[Any]:
        """The chunk's records, where it has any."""
        return self.chunk.frame[0].tolist()

    def field(self, target: Target, place: Located) -> None:
        """Read, cast and keep one target's column."""
        shown = paths.show(target)
        column = self.taken(target, self.raw(shown, place), place)
        if place.default is not None:
            column = columns.fill(column, place.default, self._free(shown))
        self.columns[target] = column

    def taken(self, target: Target, column: pd.Series[Any], place: Located) -> pd.Series[Any]:
        """A column as a target takes it: trimmed, lowered and cast as the mapping says."""
        if place.trim:
            column = columns.trimmed(column)
        if place.lower:
            column = columns.lowered(column)
        if place.type is not None:
            cast = casts.cast(column, place.type, place.format)
            if len(cast.failed):
                message = _does_not_read(place)
                self.findings.append(found("cast-failed", paths.show(target), cast.failed, message))
            column = cast.column
        return as_taken(target, column, self.findings)

    def join(self, target: Target, join: JoinPlaces) -> None:
        """Join several columns as texts, in the rows that have all of them."""
        shown = paths.show(target)
        parts = []
        for place in join.places:
            column = self.raw(shown, place)
            lists = [type(value) in (list, dict) for value in column.tolist()]
            if any(lists):
                message = f"column {place.text!r} holds objects or arrays; join texts and numbers"
                self.findings.append(found("type-wrong", shown, column[lists], message))
                column = column[[not one for one in lists]]
            texts = casts.cast(column, "string").column
            parts.append(dict(zip(texts.index.tolist(), texts.tolist(), strict=True)))
        shared = sorted(set(parts[0]).intersection(*parts[1:]))
        joined = [join.between.join(part[row] for part in parts) for row in shared]
        self.columns[target] = columns.build(joined, shared)

    def _free(self, shown: str) -> Any:
        """The places (a mask) where a default may stand: not where a value was refused."""
        free = np.ones(len(self.chunk), dtype=bool)
        for finding in self.findings:
            if finding.field == shown:
                free[finding.positions] = False
        return free

    def raw(self, shown: str, place: Located) -> pd.Series[Any]:
        """What stands at a place, uncast; `shown` is the field of what is found wrong there."""
        if place.column is None and self.chunk.members is not None:
            known = self.chunk.members.column(place.path)
            if known is not None:
                return columns.from_values(known)
        if place.column is None and len(place.path) == 1:
            (name,) = place.path
            values = _members(self.records, name)
            return columns.drop_absent(values, range(len(values)))
        if place.column is None:
            return self._picked(shown, place, self.records, range(len(self.records)))
        if not place.path:
            return columns.present(self.chunk.frame[place.column], len(self.chunk))
        read = self._json(shown, place)
        return self._picked(shown, place, read.tolist(), read.index.tolist())

    def _picked(self, shown: str, place: Located, values: list[Any], places: Any) -> pd.Series[Any]:
        picked = [self.member(value, place.path) for value in values]
        broken = [at for at, value in zip(places, picked, strict=True) if value is BROKEN]
        if broken:
            texts = columns.build([None] * len(broken), broken)
            message = f"{place.text!r} is a path into a text that does not read as json; mend the text"
            self.findings.append(found("cast-failed", shown, texts, message))
            picked = [None if value is BROKEN else value for value in picked]
        return columns.drop_absent(picked, places)

    def member(self, value: Any, path: tuple[str, ...]) -> Any:
        """What a value has at a path, None for nothing; objects on the way may be written as JSON texts."""
        for name in path:
            if type(value) is not dict:
                value = self.unpacked(value)
                if type(value) is not dict:
                    return BROKEN if value is BROKEN else None
            value = value.get(name)
        return value

    def unpacked(self, value: Any) -> Any:
        """An object or array as it is, or as a JSON text holds it; BROKEN, or None for anything else."""
        if type(value) in (dict, list):
            return value
        if type(value) is not str or not value.lstrip().startswith(("{", "[")):
            return None
        if value not in self._texts:
            try:
                self._texts[value] = cells.decode(value)
            except ValueError:
                self._texts[value] = BROKEN
        return self._texts[value]

    def _json(self, shown: str, place: Located) -> pd.Series[Any]:
        """A table's column of JSON cells, decoded; what does not read is found."""
        assert place.column is not None
        if place.column not in self._decoded:
            texts = columns.present(self.chunk.frame[place.column], len(self.chunk))
            self._decoded[place.column] = casts.cast(texts, "json")
        read = self._decoded[place.column]
        if len(read.failed):
            message = f"column {place.owner!r} does not read as json, and {place.text!r} is a path into it"
            self.findings.append(found("cast-failed", shown, read.failed, f"{message}; mend the cell"))
        return read.column

    def unknown(self, column: int, name: str) -> None:
        """Warn of a column that the API does not name."""
        values = columns.present(self.chunk.frame[column], len(self.chunk))
        if len(values):
            message = "the API names no such field, and it is left out; name it event.properties.… to send it"
            self.findings.append(found("field-unknown", name, values, message))

    def time(self, bound: TimeBound) -> pd.Series[Any]:
        """Read the original time, and carry it as a property if the mapping asks for it."""
        text = bound.located.text
        read = times.read(self.raw(text, bound.located), bound.time)
        for reason, values in read.unreadable.items():
            self.findings.append(found("time-unreadable", text, values, f"column {text!r}: {reason}"))
        if bound.time.property is not None and len(read.micros):
            self.columns["event", "properties", bound.time.property] = (
                times.write(read.micros) if read.written is None else read.written
            )
        read.micros.name = text
        return read.micros


def _does_not_read(place: Located) -> str:
    assert place.type is not None
    if place.format is None:
        return f"column {place.owner!r} does not read as {place.type}; {casts.ADVICE[place.type]}"
    return (
        f"column {place.owner!r} is not written as format = {place.format.shown!r} shows; "
        "mend the value or the format"
    )


def _members(records: list[Any], name: str) -> list[Any]:
    """The member of this name of each record, None where there is none."""
    try:
        return list(map(itemgetter(name), records))
    except (KeyError, TypeError):
        return [record.get(name) if type(record) is dict else None for record in records]


def as_taken(target: Target, column: pd.Series[Any], findings: list[Finding]) -> pd.Series[Any]:
    """The column as the API takes it: key and identifiers are text, an integer becomes its digits."""
    if not paths.is_text(target) or (len(target) == 2 and target in paths.OBJECTS) or columns.is_text(column):
        return column
    values = column.tolist()
    right = [order for order, value in enumerate(values) if type(value) in (str, int)]
    if len(right) < len(values):
        wrong = column.drop(index=column.index[right])
        message = "the API takes a text here; write it in quotes, or map another column"
        findings.append(found("type-wrong", paths.show(target), wrong, message))
    return columns.build([str(values[order]) for order in right], column.index[right])


def found(rule: str, shown: str, values: pd.Series[Any], message: str) -> Finding:
    """The finding that these values break a rule."""
    return Finding(rule, shown, values.index.tolist(), values.tolist(), message)


def cast_many(
    reading: Reading, target: Target, column: pd.Series[Any], kind: TypeName | None
) -> pd.Series[Any]:
    """A column that `"*"` brought, as its target takes it."""
    if kind is not None:
        cast = casts.cast(column, kind)
        if len(cast.failed):
            message = f"{target[-1]!r} does not read as {kind}; {casts.ADVICE[kind]}"
            reading.findings.append(found("cast-failed", paths.show(target), cast.failed, message))
        column = cast.column
    return as_taken(target, column, reading.findings)
