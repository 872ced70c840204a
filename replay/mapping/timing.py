"""Owns the `[time]` table: where the original time stands, and how it is written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal, get_args
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from replay.errors import MappingError
from replay.mapping import paths
from replay.mapping.fields import check_members, column_text, one_of

Unit = Literal["s", "ms", "us"]
UNITS: Final[tuple[Unit, ...]] = get_args(Unit)

_MEMBERS: Final = ("column", "unit", "format", "timezone", "property")


@dataclass(frozen=True, slots=True)
class Time:
    """Where the original time stands, how it is written, and the event property that carries it."""

    column: str
    unit: Unit | None = None
    format: str | None = None
    timezone: str | None = None
    property: str | None = None


def parse_time(spec: Any, origin: str) -> Time:
    """Read the `[time]` table."""
    where = f"{origin}: [time]"
    if not isinstance(spec, dict):
        raise MappingError(f'{where}: {spec!r} is no table. Write [time] and column = "…" below it.')
    check_members(spec, _MEMBERS, where)
    for name, value in spec.items():
        if not isinstance(value, str) or value == "":
            raise MappingError(f"{where}: {name} = {value!r} is no text. Write it in quotes.")
    if "column" not in spec:
        raise MappingError(f'{where}: names no column. Add column = "…", the one with the original time.')
    time = Time(**{**spec, "column": column_text(spec["column"], where)})
    _check_time(time, where)
    return time


def _check_time(time: Time, where: str) -> None:
    one_of(time.unit, UNITS, f"{where}: unit")
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


def time_document(time: Time) -> dict[str, str]:
    """The `[time]` table; parsing it gives an equal one."""
    members = {name: getattr(time, name) for name in _MEMBERS}
    return {name: value for name, value in members.items() if value is not None}
