"""Owns what may stand behind a single target: a column, a constant, several columns joined, the row's id."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

from replay.errors import MappingError
from replay.mapping import paths
from replay.mapping.figures import Figures
from replay.records import CARRIED

if TYPE_CHECKING:
    from collections.abc import Mapping as Document

    from replay.records import Target

TypeName = Literal["string", "number", "boolean", "json", "auto"]
TYPES: Final[tuple[TypeName, ...]] = get_args(TypeName)

_COLUMN_MEMBERS: Final = ("column", "type", "format", "default", "trim", "lower", "optional")
_JOIN_MEMBERS: Final = ("join", "with")


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table or a dotted path into a record, as the mapping writes it.

    `text` may end in `:type`; only the source's header can tell whether that is part of the name.
    `format` is how its numbers are written for people, `trim` and `lower` change its texts before they
    are cast, `optional` ones may be missing from a source.
    """

    text: str
    type: TypeName | None = None
    default: Any = None
    format: Figures | None = None
    trim: bool = False
    lower: bool = False
    optional: bool = False


@dataclass(frozen=True, slots=True)
class Constant:
    """The same value for every row."""

    value: Any


@dataclass(frozen=True, slots=True)
class Join:
    """Several columns as one text, for the rows that have all of them."""

    columns: tuple[str, ...]
    between: str = ""


@dataclass(frozen=True, slots=True)
class RowId:
    """The id of the row, the same in every re-send."""


Single = Column | Constant | Join | RowId


def parse_single(spec: Any, target: Target, origin: str) -> Single:
    """Read what a mapping writes behind a target: text, or an inline table."""
    where = f"{origin}: {paths.show(target)}"
    if spec == "*" or (isinstance(spec, dict) and "pairs" in spec):
        many = "every other column" if spec == "*" else "many values"
        raise MappingError(f'{where}: {spec!r} stands for {many}, nothing else. Write it behind "*".')
    if isinstance(spec, str):
        return Column(column_text(spec, where))
    if not isinstance(spec, dict):
        raise MappingError(
            f"{where}: {spec!r} is no column. Write a column's name in quotes, or {{ const = … }}."
        )
    return _parse_inline(spec, target, where)


def _parse_inline(spec: Document[str, Any], target: Target, where: str) -> Single:
    if "const" in spec:
        check_members(spec, ("const",), where)
        return Constant(_value(spec["const"], target, where))
    if "replay" in spec:
        check_members(spec, ("replay",), where)
        one_of(spec["replay"], ("id",), f"{where}: replay")
        return RowId()
    if "join" in spec:
        return _parse_join(spec, target, where)
    if "column" not in spec:
        raise MappingError(_not_inline(spec, where))
    return _parse_column(spec, target, where)


def _parse_column(spec: Document[str, Any], target: Target, where: str) -> Column:
    check_members(spec, _COLUMN_MEMBERS, where)
    default = spec.get("default")
    kind = one_of(spec.get("type"), TYPES, f"{where}: type")
    return Column(
        column_text(spec["column"], where),
        kind,
        None if default is None else _value(default, target, where),
        _figures(spec.get("format"), kind, where),
        **{name: flag(spec, name, where) for name in ("trim", "lower", "optional")},
    )


def _figures(spec: Any, kind: TypeName | None, where: str) -> Figures | None:
    if spec is None:
        return None
    if kind != "number":
        raise MappingError(f'{where}: format says how numbers are written. Add type = "number".')
    figures = Figures.parse(spec) if isinstance(spec, str) else None
    if figures is None:
        raise MappingError(
            f"{where}: format = {spec!r} shows no number. Write one as the column does: "
            '"1,234", "1,234.56", "1.234,56", "1 234,56" or "0,61".'
        )
    return figures


def _parse_join(spec: Document[str, Any], target: Target, where: str) -> Join:
    check_members(spec, _JOIN_MEMBERS, where)
    if target == ("event", "value"):
        raise MappingError(f"{where}: the API takes a number here, and a join is a text.")
    columns, between = spec["join"], spec.get("with", "")
    if not isinstance(columns, list) or len(columns) < 2:
        raise MappingError(f'{where}: join = {columns!r}: name two columns or more, as in join = ["a", "b"].')
    if not isinstance(between, str):
        raise MappingError(f"{where}: with = {between!r} is no text. Write it in quotes.")
    return Join(tuple(column_text(text, where) for text in columns), between)


def _not_inline(spec: Document[str, Any], where: str) -> str:
    names = "".join(paths.near(name, (*_COLUMN_MEMBERS, "const", "join", "replay")) for name in spec)
    return (
        f"{where}: {dict(spec)!r} names no column{names or '.'} Write {{ column = … }} or {{ const = … }}. "
        "The API takes no nested properties: a dot inside a name is written 'a\\.b'."
    )


def column_text(text: Any, where: str) -> str:
    """The name of a column, as a mapping may write it."""
    if not isinstance(text, str) or text == "":
        raise MappingError(f"{where}: {text!r} is no column's name. Write it in quotes.")
    if text.startswith(CARRIED):
        raise MappingError(
            f"{where}: {text!r} is a note of this tool on a failed row, never data. Map the original column."
        )
    return text


def flag(spec: Document[str, Any], name: str, where: str) -> bool:
    """A member that is true or false, and false where it is not there."""
    value = spec.get(name, False)
    if not isinstance(value, bool):
        raise MappingError(f"{where}: {name} = {value!r}: write true or false.")
    return value


def _value(value: Any, target: Target, where: str) -> Any:
    """The constant or default, if the API takes such a value at this target."""
    if paths.is_text(target):
        if isinstance(value, str) or (isinstance(value, int) and not isinstance(value, bool)):
            return str(value)
        raise MappingError(f"{where}: {value!r}: the API takes a text here. Write it in quotes.")
    if target == ("event", "value") and (isinstance(value, (bool, str)) or not _is_plain(value)):
        raise MappingError(f"{where}: {value!r}: the API takes a number here.")
    plain = all(map(_is_plain, value)) if isinstance(value, list) else _is_plain(value)
    if not plain:
        raise MappingError(
            f"{where}: {value!r}: the API takes a text, a finite number, true or false, or a list of them."
        )
    return value


def _is_plain(value: Any) -> bool:
    return isinstance(value, (str, bool, int)) or (isinstance(value, float) and math.isfinite(value))


def one_of(value: Any, allowed: tuple[Any, ...], where: str) -> Any:
    """The value, if it is one of those allowed or not there."""
    if value is None or value in allowed:
        return value
    close = paths.near(value, allowed) if isinstance(value, str) else ""
    raise MappingError(f"{where} = {value!r} is none of {', '.join(allowed)}{close or '.'}")


def check_members(table: Document[str, Any], allowed: tuple[str, ...], where: str) -> None:
    """Refuse a member that the mapping's language does not have."""
    for name in table:
        if name not in allowed:
            raise MappingError(
                f"{where}: {name} is unknown{paths.near(name, allowed) or '.'} It takes {', '.join(allowed)}."
            )


def single_document(source: Single) -> Any:
    """The source as a mapping writes it; parsing it gives an equal source."""
    match source:
        case Constant(value):
            return {"const": value}
        case RowId():
            return {"replay": "id"}
        case Join(columns, between):
            return {"join": list(columns)} | ({"with": between} if between else {})
        case Column():
            members = {
                "column": source.text,
                "type": source.type,
                "format": None if source.format is None else source.format.shown,
                "default": source.default,
                "trim": source.trim or None,
                "lower": source.lower or None,
                "optional": source.optional or None,
            }
            said = {name: value for name, value in members.items() if value is not None}
            return source.text if len(said) == 1 else said
