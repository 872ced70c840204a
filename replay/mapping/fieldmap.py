"""Owns the field map: which column, constant or path stands behind each target of the API."""

from __future__ import annotations

import difflib
import tomllib
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

from replay.errors import MappingError
from replay.mapping import numbers, paths
from replay.mapping.fields import (
    RowId,
    Source,
    Time,
    check_members,
    parse_source,
    parse_time,
    source_document,
    time_document,
)
from replay.settings import SEVERITIES, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from replay.records import Target

_TABLES: Final = ("event", "user", "time", "rules")
_MEMBERS: Final = {
    "event": ("key", "value", "properties"),
    "user": ("userId", "deviceId", "id", "identifiers", "properties"),
}
_OPTION: Final = "--set"


@dataclass(frozen=True, slots=True)
class Mapping:
    """A field map: a source for each target, the time, and the severities of its rules.

    `fields` keeps the order in which targets were written; `origin` names the file in messages.
    """

    fields: dict[Target, Source] = field(default_factory=dict)
    time: Time | None = None
    rules: dict[str, Severity] = field(default_factory=dict)
    origin: str = field(default="mapping", compare=False)

    @property
    def sends_ids(self) -> bool:
        """Whether a row's id is sent along."""
        return any(isinstance(source, RowId) for source in self.fields.values())

    @classmethod
    def empty(cls) -> Mapping:
        """A mapping that names nothing: the source maps itself."""
        return cls()

    @classmethod
    def load(cls, path: str | Path) -> Mapping:
        """Read a mapping from a TOML file.

        Raises MappingError in words, with the line of broken TOML and near matches of unknown names.
        """
        try:
            document = tomllib.loads(Path(path).read_text(encoding="utf-8-sig"))
        except UnicodeDecodeError as error:
            raise MappingError(f"{path}: not UTF-8 ({error.reason}). Save the mapping as UTF-8.") from error
        except OSError as error:
            raise MappingError(
                f"{path}: cannot be read ({error.strerror}).{_near(Path(path))} "
                f"Draft one with: replay map SOURCE -o {path}"
            ) from error
        except tomllib.TOMLDecodeError as error:
            raise MappingError(f"{path}: not TOML: {error}. Mend the line.") from error
        return cls.parse(document, str(path))

    @classmethod
    def parse(cls, document: dict[str, Any], origin: str) -> Mapping:
        """Read a mapping from its document, the tables that TOML gives; `origin` is for messages."""
        check_members(document, _TABLES, origin)
        return cls(
            fields={
                target: parse_source(spec, target, origin)
                for table in ("event", "user")
                for target, spec in _targets(document.get(table, {}), table, origin)
            },
            time=parse_time(document["time"], origin) if "time" in document else None,
            rules=_parse_rules(document.get("rules", {}), origin),
            origin=origin,
        )

    def with_set(self, assignments: Sequence[str]) -> Mapping:
        """Lay `TARGET=SOURCE` assignments over the mapping; `@text` is a constant."""
        assigned = dict(_parse_assignment(assignment) for assignment in assignments)
        return replace(self, fields={**self.fields, **assigned})

    def document(self) -> dict[str, Any]:
        """The mapping as TOML tables; parsing them gives an equal mapping."""
        tables: dict[str, Any] = {}
        for target, source in self.fields.items():
            owner = tables
            for name in target[:-1]:
                owner = owner.setdefault(name, {})
            owner[paths.escape(target[-1])] = source_document(source)
        if self.time is not None:
            tables["time"] = time_document(self.time)
        if self.rules:
            tables["rules"] = dict(self.rules)
        return tables


def _targets(table: Any, name: str, origin: str) -> Iterator[tuple[Target, Any]]:
    """Every target of the `[event]` or `[user]` table, with what is written behind it."""
    where = f"{origin}: [{name}]"
    _check_table(table, where)
    check_members(table, _MEMBERS[name], where)
    for member, spec in table.items():
        if (name, member) not in paths.OBJECTS:
            yield (name, member), spec
            continue
        _check_table(spec, f"{origin}: [{name}.{member}]")
        for key, inner in spec.items():
            if key == "":
                raise MappingError(f"{origin}: [{name}.{member}]: an empty name. Write one.")
            yield (name, member, paths.unescape(key)), inner


def _check_table(table: Any, where: str) -> None:
    if not isinstance(table, dict):
        raise MappingError(f"{where}: {table!r} is no table. Write the names below it, one a line.")


def _parse_rules(table: Any, origin: str) -> dict[str, Severity]:
    _check_table(table, f"{origin}: [rules]")
    for rule, severity in table.items():
        if severity not in SEVERITIES:
            raise MappingError(
                f"{origin}: [rules]: {rule} = {severity!r} is no severity. Write {', '.join(SEVERITIES)}."
            )
    return cast("dict[str, Severity]", dict(table))


def _parse_assignment(assignment: str) -> tuple[Target, Source]:
    text, equals, source = assignment.partition("=")
    if not equals or not source:
        raise MappingError(
            f"{_OPTION} {assignment}: write TARGET=SOURCE, as in event.key=event_name (@text is a constant)."
        )
    target = paths.parse_target(text, _OPTION)
    if not source.startswith("@"):
        return target, parse_source(source, target, _OPTION)
    value = numbers.parse(source[1:]) if target == ("event", "value") else source[1:]
    if value is None:
        raise MappingError(f"{_OPTION} {assignment}: {source[1:]!r} is no number, as the API wants here.")
    return target, parse_source({"const": value}, target, _OPTION)


def _near(path: Path) -> str:
    """Mappings beside the one that is not there, if one of them may be meant."""
    names = {other.name for other in path.parent.glob("*.toml")}
    near = difflib.get_close_matches(path.name, names, 1)
    return f" Did you mean {path.with_name(near[0])}?" if near else ""
