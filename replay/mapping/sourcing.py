"""Owns the `[source]` table: how sources are read, by the names of the options that say the same."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from replay.errors import MappingError, UsageError
from replay.mapping.fields import check_members
from replay.settings import ReadSettings


def parse_reading(spec: Any, origin: str) -> ReadSettings:
    """Read the `[source]` table."""
    where = f"{origin}: [source]"
    if not isinstance(spec, dict):
        raise MappingError(f'{where}: {spec!r} is no table. Write [source] and encoding = "cp949" below it.')
    names = tuple(field.name for field in fields(ReadSettings))
    check_members(spec, names, where)
    said: dict[str, Any] = {
        name: _columns(value, where) if name == "columns" else value for name, value in spec.items()
    }
    for name, value in said.items():
        if name != "columns" and not isinstance(value, str):
            raise MappingError(f"{where}: {name} = {value!r} is no text. Write it in quotes.")
    try:
        return ReadSettings(**said)
    except UsageError as error:
        raise MappingError(f"{where}: {str(error).removeprefix('--')}") from error


def _columns(value: Any, where: str) -> tuple[str, ...]:
    """The names of a table without a header: a list, or as `--columns` takes them."""
    names = value.split(",") if isinstance(value, str) else value
    if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
        raise MappingError(
            f'{where}: columns = {value!r}: write a list of names, as in ["ts", "user", "event"].'
        )
    return tuple(names)


def reading_document(read: ReadSettings) -> dict[str, Any]:
    """The `[source]` table; parsing it gives an equal one."""
    said = {field.name: getattr(read, field.name) for field in fields(read)}
    return {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in said.items()
        if value is not None
    }
