"""Owns the finding of columns: what each text of a mapping names in a table's header or in records."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from replay.errors import MappingError
from replay.mapping import fields, paths
from replay.mapping.located import Located
from replay.records import CARRIED

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

_NAMES_SHOWN = 20
_PATH_DEPTH = 6  # how deep near matches are looked for in a record


class TableFinder:
    """Finds columns in a table's header: a literal name first, a path into a JSON cell second."""

    def __init__(self, header: tuple[str, ...], name: str) -> None:
        self.header = header
        self.name = name
        self._counts = Counter(header)

    def __call__(self, source: fields.Column) -> Located | None:
        """Where a column stands; None for an optional one that does not, else a MappingError."""
        text, kind = source.text, source.type
        found = self._place(text, literal_only=True)
        if found is None and kind is None:
            text, kind = split_type(text)
        found = found or self._place(text)
        if found is None and source.optional:
            return None
        if found is None:
            raise MappingError(missing(source.text, self.header, self.name, "column"))
        owner, path = found
        return located(source, self.name, owner, self.header.index(owner), path, kind)

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

    def check_left_out(self, names: Iterable[str]) -> None:
        """Refuse to leave out a column that is not there: it may be a slip of the pen."""
        for name in names:
            if name not in self._counts:
                raise MappingError(missing(name, self.header, self.name, "column"))

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
    """Finds dotted paths in records, judged by those of the first chunk.

    A path that none of them has may still come in a later record: it goes into `missing`, with what
    to say about it if it does not.
    """

    def __init__(self, records: list[Any], name: str) -> None:
        self.name = name
        self.missing: dict[str, str] = {}
        self._records = records

    def __call__(self, source: fields.Column) -> Located:
        """Where a member stands, or would stand."""
        text, kind = source.text, source.type
        if kind is None and not self._has(paths.split(text)):
            text, kind = split_type(text)
        path = paths.split(text)
        if not source.optional:
            self.expect(path, source.text)
        return located(source, self.name, path[0], None, path, kind)

    def expect(self, path: tuple[str, ...], text: str) -> str:
        """Note a path, written so, that some record must have; returns what it is noted as."""
        if self._records and not self._has(path):
            self.missing[paths.show(path)] = missing(text, self._known(), self.name, "member")
        return paths.show(path)

    def _has(self, path: tuple[str, ...]) -> bool:
        return any(paths.reaches(record, path) for record in self._records)

    def _known(self) -> list[str]:
        known: dict[str, None] = {}
        for record in self._records:
            known.update(dict.fromkeys(_record_paths(record, (), _PATH_DEPTH)))
        return list(known)


def located(
    source: fields.Column,
    name: str,
    owner: str,
    column: int | None,
    path: tuple[str, ...],
    kind: fields.TypeName | None,
) -> Located:
    """A column of a mapping, found."""
    return Located(
        source=name,
        text=source.text,
        owner=owner,
        column=column,
        path=path,
        type=kind,
        default=source.default,
        format=source.format,
        trim=source.trim,
        lower=source.lower,
    )


def _record_paths(record: Any, owner: tuple[str, ...], depth: int) -> Iterator[str]:
    record = paths.opened(record)
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
    where = "its records" if noun == "member" else "its header"
    return f"{source}: no {noun} {text!r} in {where}{close} It has: {shown or 'nothing'}."
