"""Owns what may stand behind a target: a column, a constant, every other column; and the time table."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, get_args
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from replay.errors import MappingError
from replay.mapping import paths
from replay.records import CARRIED

if TYPE_CHECKING:
    from collections.abc import Mapping as Document

    from replay.records import Target

TypeName = Literal["string", "number", "boolean", "json", "auto"]
TYPES: Final[tuple[TypeName, ...]] = get_args(TypeName)
Unit = Literal["s", "ms", "us"]
UNITS: Final[tuple[Unit, ...]] = get_args(Unit)

_COLUMN_MEMBERS: Final = ("column", "type", "default")
_TIME_MEMBERS: Final = ("column", "unit", "format", "timezone", "property")


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table or a dotted path into a record, as the mapping writes it.

    `text` may end in `:type`; only the source's header can tell whether that is part of the name.
    """

    text: str
    type: TypeName | None = None
    default: Any = None


@dataclass(frozen=True, slots=True)
class Constant:
    """The same value for every row."""

    value: Any


@dataclass(frozen=True, slots=True)
class Rest:
    """Every column that nothing else names, under its own name."""


@dataclass(frozen=True, slots=True)
class RowId:
    """The id of the row, the same in every re-send."""


Source = Column | Constant | Rest | RowId


@dataclass(frozen=True, slots=True)
class Time:
    """Where the original time stands, how it is written, and the event property that carries it."""

    column: str
    unit: Unit | None = None
    format: str | None = None
    timezone: str | None = None
    property: str | None = None


def parse_source(spec: Any, target: Target, origin: str) -> Source:
    """Read what a mapping writes behind a target: text, or an inline table."""
    where = f"{origin}: {paths.show(target)}"
    if (target[-1] == "*") != (spec == "*"):
        raise MappingError(f'{where}: "*" = "*" stands for every other column, nothing else.')
    if spec == "*":
        return Rest()
    if isinstance(spec, str):
        return Column(_column_text(spec, where))
    if not isinstance(spec, dict):
        raise MappingError(
            f"{where}: {spec!r} is no column. Write a column's name in quotes, or {{ const = … }}."
        )
    return _parse_inline(spec, target, where)


def _parse_inline(spec: Document[str, Any], target: Target, where: str) -> Source:
    if "const" in spec:
        check_members(spec, ("const",), where)
        return Constant(_value(spec["const"], target, where))
    if "replay" in spec:
        check_members(spec, ("replay",), where)
        _one_of(spec["replay"], ("id",), f"{where}: replay")
        return RowId()
    if "column" not in spec:
        raise MappingError(_not_inline(spec, where))
    check_members(spec, _COLUMN_MEMBERS, where)
    default = spec.get("default")
    return Column(
        _column_text(spec["column"], where),
        _one_of(spec.get("type"), TYPES, f"{where}: type"),
        None if default is None else _value(default, target, where),
    )


def _not_inline(spec: Document[str, Any], where: str) -> str:
    names = "".join(paths.near(name, (*_COLUMN_MEMBERS, "const", "replay")) for name in spec)
    return (
        f"{where}: {dict(spec)!r} names no column{names or '.'} Write {{ column = … }} or {{ const = … }}. "
        "The API takes no nested properties: a dot inside a name is written 'a\\.b'."
    )


def _column_text(text: Any, where: str) -> str:
    if not isinstance(text, str) or text == "":
        raise MappingError(f"{where}: {text!r} is no column's name. Write it in quotes.")
    if text.startswith(CARRIED):
        raise MappingError(
            f"{where}: {text!r} is a note of this tool on a failed row, never data. Map the original column."
        )
    return text


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


def parse_time(spec: Any, origin: str) -> Time:
    """Read the `[time]` table."""
    where = f"{origin}: [time]"
    if not isinstance(spec, dict):
        raise MappingError(f'{where}: {spec!r} is no table. Write [time] and column = "…" below it.')
    check_members(spec, _TIME_MEMBERS, where)
    for name, value in spec.items():
        if not isinstance(value, str) or value == "":
            raise MappingError(f"{where}: {name} = {value!r} is no text. Write it in quotes.")
    if "column" not in spec:
        raise MappingError(f'{where}: names no column. Add column = "…", the one with the original time.')
    time = Time(**{**spec, "column": _column_text(spec["column"], where)})
    _check_time(time, where)
    return time


def _check_time(time: Time, where: str) -> None:
    _one_of(time.unit, UNITS, f"{where}: unit")
    if time.unit is not None and time.format is not None:
        raise MappingError(f"{where}: unit and format exclude each other. Keep one.")
    if time.unit is not None and time.timezone is not None:
        raise MappingError(f"{where}: a count of {time.unit} since 1970 is in UTC. Remove timezone.")
    if time.format is not None and "%Z" in time.format:
        raise MappingError(f"{where}: %Z reads a zone's name and then forgets it. Use %z, or timezone.")
    if time.timezone is not None:
        _check_zone(time.timezone, where)


def _check_zone(name: str, where: str) -> None:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise MappingError(
            f"{where}: timezone = {name!r} is no zone of the IANA database"
            f"{paths.near(name, available_timezones()) or '.'} Write it like Asia/Seoul."
        ) from error


def _one_of(value: Any, allowed: tuple[Any, ...], where: str) -> Any:
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


def source_document(source: Source) -> Any:
    """The source as a mapping writes it; parsing it gives an equal source."""
    match source:
        case Rest():
            return "*"
        case Constant(value):
            return {"const": value}
        case RowId():
            return {"replay": "id"}
        case Column(text, None, None):
            return text
        case Column(text, kind, default):
            members = {"column": text, "type": kind, "default": default}
            return {name: value for name, value in members.items() if value is not None}


def time_document(time: Time) -> dict[str, str]:
    """The `[time]` table; parsing it gives an equal one."""
    members = {name: getattr(time, name) for name in _TIME_MEMBERS}
    return {name: value for name, value in members.items() if value is not None}
