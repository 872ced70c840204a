"""Owns the fitting of a mapping to one source: which column or path each text of the mapping names.

Whatever does not fit is an error before the first row, with near matches.
"""

from __future__ import annotations

import shlex
from collections import Counter
from typing import TYPE_CHECKING, Any, Literal

from replay.errors import MappingError
from replay.mapping import api, fields, paths
from replay.mapping.bound import ApiRecords, Bound, FieldBound, Located, TimeBound
from replay.records import CARRIED

if TYPE_CHECKING:
    from collections.abc import Container, Iterator, Sequence

    import pandas as pd

    from replay.mapping.fieldmap import Mapping
    from replay.records import Target

_NAMES_SHOWN = 20
_PATH_DEPTH = 6  # how deep near matches are looked for in a record


def bind(
    mapping: Mapping | None,
    kind: Literal["table", "records"],
    header: tuple[str, ...],
    name: str,
    sample: pd.DataFrame | None,
) -> Bound:
    """Fit a mapping to one source, or find that the source maps itself if there is none.

    `header` of a table is its columns; `sample` of records is the frame of their first chunk; `name`
    is the source's in messages. Raises MappingError where they do not fit.
    """
    records = _records(sample) if kind == "records" else []
    if mapping is None or (not mapping.fields and mapping.time is None):
        return _bind_itself(kind, header, name, records)
    locate = RecordFinder(records, name) if kind == "records" else TableFinder(header, name)
    located = {
        target: locate(source) if isinstance(source, fields.Column) else source
        for target, source in mapping.fields.items()
    }
    time = _bind_time(mapping.time, locate, located)
    named = {place.owner for place in located.values() if isinstance(place, Located)}
    if time is not None:
        named.add(time.located.owner)
    return FieldBound(
        fields=tuple(_expand(located, locate, named)),
        rest=tuple(
            target[:-1]
            for target, place in located.items()
            if isinstance(place, fields.Rest) and isinstance(locate, RecordFinder)
        ),
        named=frozenset(named),
        time=time,
    )


def _records(sample: pd.DataFrame | None) -> list[Any]:
    return [] if sample is None or sample.empty else sample.iloc[:, 0].tolist()


def _bind_time(
    time: fields.Time | None, locate: TableFinder | RecordFinder, taken: Container[Target]
) -> TimeBound | None:
    if time is None:
        return None
    place = locate(fields.Column(time.column))
    if place.type is not None:
        raise MappingError(
            f"{place.source}: [time]: column = {time.column!r}: a time takes no type. Use unit or format."
        )
    if time.property is not None and ("event", "properties", time.property) in taken:
        raise MappingError(
            f"{place.source}: [time]: property = {time.property!r}: the mapping fills this property already. "
            "Name another one."
        )
    return TimeBound(place, time)


def _expand(
    located: dict[Target, Any], locate: TableFinder | RecordFinder, named: set[str]
) -> Iterator[tuple[Target, Located | fields.Constant]]:
    """The fields with every `"*"` of a table written out; what is named explicitly stays so."""
    for target, place in located.items():
        if not isinstance(place, fields.Rest):
            yield target, place
        elif isinstance(locate, TableFinder):
            for other in locate.others(named):
                if (*target[:-1], other.owner) not in located:
                    yield (*target[:-1], other.owner), other


class TableFinder:
    """Finds columns in a table's header: a literal name first, a path into a JSON cell second."""

    def __init__(self, header: tuple[str, ...], name: str) -> None:
        self.header = header
        self.name = name
        self._counts = Counter(header)

    def __call__(self, source: fields.Column) -> Located:
        """Where a column stands, or a MappingError with near matches."""
        text, kind = source.text, source.type
        found = self._place(text, literal_only=True)
        if found is None and kind is None:
            text, kind = split_type(text)
        found = found or self._place(text) or self._place(source.text)
        if found is None:
            raise MappingError(missing(source.text, self.header, self.name, "column"))
        owner, path = found
        return Located(self.name, source.text, owner, self.header.index(owner), path, kind, source.default)

    def _place(self, text: str, *, literal_only: bool = False) -> tuple[str, tuple[str, ...]] | None:
        names = paths.split(text)
        heads = (
            [(text, ())]
            if literal_only
            else [(".".join(names[:size]), names[size:]) for size in range(len(names), 0, -1)]
        )
        for owner, path in heads:
            if owner in self._counts:
                self.check_unique(owner)
                return owner, path
        return None

    def others(self, named: set[str]) -> Iterator[Located]:
        """Every column that nothing names; our own notes are none."""
        for column, name in enumerate(self.header):
            if name not in named and not name.startswith(CARRIED):
                self.check_unique(name)
                yield Located(self.name, name, name, column)

    def check_unique(self, name: str) -> None:
        """Refuse to read a column whose name is empty or not its own."""
        if name != "" and self._counts[name] == 1:
            return
        places = [place for place, other in enumerate(self.header, 1) if other == name]
        if name == "":
            raise MappingError(
                f"{self.name}: column {places[0]} has an empty name, and the mapping would read it. "
                'Name it in the header, or name the columns you need instead of "*".'
            )
        raise MappingError(
            f"{self.name}: the name {name!r} stands over {len(places)} columns "
            f"({', '.join(map(str, places))}), and the mapping would read it. Give each its own name."
        )


class RecordFinder:
    """Finds dotted paths in records, judged by those of the first chunk."""

    def __init__(self, records: list[Any], name: str) -> None:
        self.name = name
        self._records = records

    def __call__(self, source: fields.Column) -> Located:
        """Where a member stands, or a MappingError with near matches if no record has it."""
        text, kind = source.text, source.type
        if kind is None and not self._has(paths.split(text)):
            text, kind = split_type(text)
        path = paths.split(text)
        if self._records and not self._has(path):
            raise MappingError(missing(source.text, self._known(), self.name, "member"))
        return Located(self.name, source.text, path[0], None, path, kind, source.default)

    def _has(self, path: tuple[str, ...]) -> bool:
        return any(_reaches(record, path) for record in self._records)

    def _known(self) -> list[str]:
        known: dict[str, None] = {}
        for record in self._records:
            known.update(dict.fromkeys(_record_paths(record, (), _PATH_DEPTH)))
        return list(known)


def _reaches(record: Any, path: tuple[str, ...]) -> bool:
    for name in path:
        if type(record) is not dict or name not in record:
            return False
        record = record[name]
    return True


def _record_paths(record: Any, owner: tuple[str, ...], depth: int) -> Iterator[str]:
    if type(record) is not dict or depth == 0:
        return
    for name, value in record.items():
        if owner or not name.startswith(CARRIED):
            yield paths.show((*owner, name))
            yield from _record_paths(value, (*owner, name), depth - 1)


def split_type(text: str) -> tuple[str, fields.TypeName | None]:
    """The two sides of `column:type`; a text that ends in no type is all column."""
    column, colon, kind = text.rpartition(":")
    for known in fields.TYPES:
        if colon and column and kind == known:
            return column, known
    return text, None


def missing(text: str, known: Sequence[str], source: str, noun: str) -> str:
    """What to say about a column that the source does not have."""
    names = [name for name in known if not name.startswith(CARRIED)]
    column, _ = split_type(text)
    base, _, kind = text.rpartition(":")
    close = f"; it has {base!r}, but {kind!r} is none of the types {', '.join(fields.TYPES)}."
    if base not in names:
        close = paths.near(column, names) or "."
    shown = ", ".join(names[:_NAMES_SHOWN]) + (", …" if len(names) > _NAMES_SHOWN else "")
    where = "its first records" if noun == "member" else "its header"
    return f"{source}: no {noun} {text!r} in {where}{close} It has: {shown or 'nothing'}."


def _bind_itself(kind: str, header: tuple[str, ...], name: str, records: list[Any]) -> Bound:
    if kind == "records":
        if not records or api.is_event(records[0]):
            return ApiRecords()
        raise MappingError(_needs_mapping(name, "its records are not of the API's shape ({event, user})"))
    targets = [None if column.startswith(CARRIED) else _header_target(column) for column in header]
    named = {target[:2] for target, _ in filter(None, targets)}
    if ("event", "key") not in named or not any(owner[0] == "user" for owner in named):
        raise MappingError(_needs_mapping(name, "its columns are not the API's own (event.key, …)"))
    return _bind_header(header, targets, TableFinder(header, name))


def _bind_header(
    header: tuple[str, ...],
    targets: list[tuple[Target, fields.TypeName | None] | None],
    finder: TableFinder,
) -> Bound:
    bound: dict[Target, Located | fields.Constant] = {}
    for column, (text, found) in enumerate(zip(header, targets, strict=True)):
        if found is None:
            continue
        finder.check_unique(text)
        target, kind = found
        if target in bound:
            raise MappingError(f"{finder.name}: two columns give {paths.show(target)}. Remove one of them.")
        bound[target] = Located(finder.name, text, text, column, (), kind)
    unknown = tuple(
        (column, text)
        for column, text in enumerate(header)
        if targets[column] is None and not text.startswith(CARRIED)
    )
    return FieldBound(fields=tuple(bound.items()), unknown=unknown)


def _header_target(text: str) -> tuple[Target, fields.TypeName | None] | None:
    """The target that a header of the API's own names, as in `event.properties.amount:number`."""
    column, kind = split_type(text)
    names = tuple(column.split(".", 2))
    if len(names) == 3 and names[:2] in paths.OBJECTS and names[2]:
        return (*names[:2], paths.unescape(names[2])), kind
    return (names, kind) if names in paths.SINGLES else None


def _needs_mapping(name: str, why: str) -> str:
    return (
        f"{name}: {why}, so it needs a mapping. "
        f"Draft one with: replay map {shlex.quote(name)} -o mapping.toml, and give it with "
        "--map mapping.toml; or name the columns with "
        "--set event.key=COLUMN --set user.userId=COLUMN."
    )
