"""Owns `[where]`: which rows a mapping takes; all conditions must hold, the other rows are skipped.

| written | holds where the value |
|---|---|
| `type = "track"`, `{ column = "type", in = ["track"] }` | is one of these, compared as text: `5` is `"5"` |
| `{ column = "type", present = true }` | is there (or is absent: `present = false`) |
| `{ column = "type", matches = "re" }` | is what the expression matches, from its beginning to its end |
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import msgspec

from replay.errors import MappingError
from replay.mapping import columns
from replay.mapping.fields import check_members, column_text, flag

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_WORDS: Final = ("in", "present", "matches")
_MEMBERS: Final = ("column", *_WORDS)
_ENCODE: Final = msgspec.json.Encoder(decimal_format="number").encode


@dataclass(frozen=True, slots=True)
class Condition:
    """What must hold of a column, written like one of a field: a name, or a path."""

    text: str
    values: tuple[str, ...] | None = None
    present: bool | None = None
    pattern: str | None = None

    def test(self) -> Callable[[Any], bool]:
        """Whether one value, which is None where it is absent, fulfils the condition."""
        tests = list(self._tests())
        return lambda value: all(test(value) for test in tests)

    def _tests(self) -> Iterator[Callable[[Any], bool]]:
        if self.present is not None:
            yield lambda value: columns.is_absent(value) is not self.present
        if self.values is not None:
            known = frozenset(self.values)
            yield lambda value: not columns.is_absent(value) and as_text(value) in known
        if self.pattern is not None:
            matches = re.compile(self.pattern).fullmatch
            yield lambda value: not columns.is_absent(value) and matches(as_text(value)) is not None

    def document(self) -> dict[str, Any]:
        """The condition as a mapping writes it; parsing it gives an equal one."""
        members = {
            "column": self.text,
            "in": None if self.values is None else list(self.values),
            "present": self.present,
            "matches": self.pattern,
        }
        return {name: value for name, value in members.items() if value is not None}


def as_text(value: Any) -> str:
    """A value as conditions compare it: a text as it is, anything else as JSON writes it."""
    return value if type(value) is str else _ENCODE(value).decode()


def parse_where(spec: Any, origin: str) -> tuple[Condition, ...]:
    """Read the `[where]` table, or a list of conditions."""
    where = f"{origin}: [where]"
    if isinstance(spec, list):
        return tuple(_condition(one, where) for one in spec)
    if not isinstance(spec, dict):
        raise MappingError(f'{where}: {spec!r} is no table. Write [where] and type = "track" below it.')
    if "column" in spec and any(word in spec for word in _WORDS):
        return (_condition(spec, where),)
    return tuple(_named(spec, (), where))


def _named(table: dict[str, Any], owner: tuple[str, ...], where: str) -> Iterator[Condition]:
    """The conditions of a table whose names are columns; what TOML nests by its dots is a path."""
    for name, spec in table.items():
        path = (*owner, name)
        text = column_text(".".join(path), where)
        if not isinstance(spec, dict):
            yield Condition(text, values=_texts(spec if isinstance(spec, list) else [spec], text, where))
        elif set(spec) <= set(_WORDS):
            yield _condition({"column": text, **spec}, where)
        elif "column" in spec:
            raise MappingError(f"{where}: {text}: write the condition as a list: where = [{{ column = … }}].")
        else:
            yield from _named(spec, path, where)


def _condition(spec: Any, where: str) -> Condition:
    if not isinstance(spec, dict) or "column" not in spec:
        raise MappingError(f'{where}: {spec!r} names no column. Write {{ column = "type", in = ["track"] }}.')
    check_members(spec, _MEMBERS, where)
    text = column_text(spec["column"], where)
    if len(spec) == 1:
        raise MappingError(f"{where}: {text}: says nothing of the column. Add in, present or matches.")
    values = spec.get("in")
    if values is not None and not isinstance(values, list):
        raise MappingError(f'{where}: {text}: in = {values!r}: write a list, as in ["track", "page"].')
    present = flag(spec, "present", where) if "present" in spec else None
    return Condition(
        text,
        None if values is None else _texts(values, text, where),
        present,
        _pattern(spec.get("matches"), text, where),
    )


def _texts(values: list[Any], text: str, where: str) -> tuple[str, ...]:
    for value in values:
        if not isinstance(value, str | bool | int | float) or value == "":
            raise MappingError(
                f"{where}: {text}: {value!r} is no value to compare with. Write a text, a number, true or "
                "false; for rows that have none, { column = …, present = false }."
            )
    return tuple(as_text(value) for value in values)


def _pattern(pattern: Any, text: str, where: str) -> str | None:
    if pattern is None:
        return None
    try:
        re.compile(pattern)
    except (re.error, TypeError) as error:
        raise MappingError(f"{where}: {text}: matches = {pattern!r} is no expression: {error}.") from error
    return str(pattern)
