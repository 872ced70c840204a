"""Owns sources that map themselves: records of the API's own shape, tables whose headers are its paths."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any, Final

from replay.errors import MappingError
from replay.mapping import api, fields, paths
from replay.mapping.bound import ApiRecords, Bound, FieldBound, Where
from replay.mapping.finders import TableFinder, split_type
from replay.mapping.located import Located
from replay.records import CARRIED

if TYPE_CHECKING:
    from replay.records import Target

_EVERY_ROW: Final = Where()


def bind_itself(
    kind: str, header: tuple[str, ...], name: str, records: list[Any], where: Where = _EVERY_ROW
) -> Bound:
    """Fit the API's own names to a source that uses them; MappingError if it does not."""
    if kind == "records":
        if not records or api.is_event(records[0]):
            return ApiRecords(where)
        raise MappingError(_needs_mapping(name, "its records are not of the API's shape ({event, user})"))
    targets = [None if column.startswith(CARRIED) else header_target(column) for column in header]
    named = {target[:2] for target, _ in filter(None, targets)}
    if ("event", "key") not in named or not any(owner[0] == "user" for owner in named):
        raise MappingError(_needs_mapping(name, "its columns are not the API's own (event.key, …)"))
    return _bind_header(header, targets, TableFinder(header, name), where)


def _bind_header(
    header: tuple[str, ...],
    targets: list[tuple[Target, fields.TypeName | None] | None],
    finder: TableFinder,
    where: Where,
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
    return FieldBound(fields=tuple(bound.items()), unknown=unknown, where=where)


def header_target(text: str) -> tuple[Target, fields.TypeName | None] | None:
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
