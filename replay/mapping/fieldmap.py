"""Owns the field map: which column, constant or path stands behind each target of the API."""

from __future__ import annotations

import difflib
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

from replay import toml
from replay.errors import MappingError
from replay.mapping import numbers, paths, presets
from replay.mapping.fields import RowId, Single, check_members, parse_single, single_document
from replay.mapping.sourcing import parse_reading, reading_document
from replay.mapping.stars import Star, parse_star, star_document
from replay.mapping.timing import Time, parse_time, time_document
from replay.mapping.where import Condition, parse_where
from replay.settings import SEVERITIES, ReadSettings, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from replay.records import Target

Source = Single | Star

_TABLES: Final = ("source", "where", "event", "user", "time", "rules")
_MEMBERS: Final = {
    "event": ("key", "value", "properties"),
    "user": ("userId", "deviceId", "id", "identifiers", "properties"),
}
_OPTION: Final = "--set"
_IN_BODY: Final = ("event", "user", "time")


@dataclass(frozen=True, slots=True)
class Mapping:
    """A field map: a source for each target, the time, and the severities of its rules.

    `fields` keeps the order in which targets were written; `where` are the conditions of the rows that are
    taken; `read` is how sources are read; `origin` names the file in messages.
    """

    fields: dict[Target, Source] = field(default_factory=dict)
    time: Time | None = None
    rules: dict[str, Severity] = field(default_factory=dict)
    where: tuple[Condition, ...] = ()
    read: ReadSettings = field(default_factory=ReadSettings)
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
            document = toml.load(Path(path))
        except toml.TomlError as error:
            raise MappingError(f"{path}: {error}. Fix the mapping, or draft a new one.") from error
        except OSError as error:
            draft = f"replay map SOURCE -o {path}"
            if str(path) in presets.names():
                draft = f"replay map --preset {path} -o {path}.toml"
            raise MappingError(
                f"{path}: cannot be read ({error.strerror}).{_near(Path(path))} Draft one with: {draft}"
            ) from error
        return cls.parse(document, str(path))

    @classmethod
    def preset(cls, name: str) -> Mapping:
        """The mapping of a vendor's export, such as `amplitude`. Raises MappingError where there is none."""
        return cls.loads(presets.text(name), f"the preset {name}")

    @classmethod
    def loads(cls, text: str, origin: str) -> Mapping:
        """Read a mapping from TOML; `origin` is for messages."""
        try:
            document = toml.loads(text)
        except toml.TomlError as error:
            raise MappingError(f"{origin}: {error}. Fix the mapping.") from error
        return cls.parse(document, origin)

    @classmethod
    def parse(cls, document: dict[str, Any], origin: str) -> Mapping:
        """Read a mapping from its document, the tables that TOML gives; `origin` is for messages."""
        check_members(document, _TABLES, origin)
        return cls(
            fields={
                target: _parse_source(spec, target, origin)
                for table in ("event", "user")
                for target, spec in _targets(document.get(table, {}), table, origin)
            },
            time=parse_time(document["time"], origin) if "time" in document else None,
            rules=_parse_rules(document.get("rules", {}), origin),
            where=parse_where(document["where"], origin) if "where" in document else (),
            read=parse_reading(document.get("source", {}), origin),
            origin=origin,
        )

    def with_set(self, assignments: Sequence[str]) -> Mapping:
        """Lay `TARGET=SOURCE` assignments over the mapping; `@text` is a constant."""
        assigned = dict(_parse_assignment(assignment) for assignment in assignments)
        return replace(self, fields={**self.fields, **assigned})

    def document(self) -> dict[str, Any]:
        """The mapping as TOML tables; parsing them gives an equal mapping."""
        tables: dict[str, Any] = {}
        if self.read != ReadSettings():
            tables["source"] = reading_document(self.read)
        if self.where:
            tables["where"] = [condition.document() for condition in self.where]
        for target, source in self.fields.items():
            owner = tables
            for name in target[:-1]:
                owner = owner.setdefault(name, {})
            owner[paths.escape(target[-1])] = _document(source)
        if self.time is not None:
            tables["time"] = time_document(self.time)
        if self.rules:
            tables["rules"] = dict(self.rules)
        return tables

    def body_document(self) -> dict[str, Any]:
        """The part of the document that decides what a row's body is."""
        return body_part(self.document())


def body_part(document: dict[str, Any]) -> dict[str, Any]:
    """What makes a body: `[event]`, `[user]`, `[time]`, and of `[source]` the texts that count as absent."""
    part: dict[str, Any] = {name: document[name] for name in _IN_BODY if name in document}
    absent = document.get("source", {}).get("absent")
    return part if absent is None else {**part, "absent": absent}


def _parse_source(spec: Any, target: Target, origin: str) -> Source:
    return parse_star(spec, target, origin) if target[-1] == "*" else parse_single(spec, target, origin)


def _document(source: Source) -> Any:
    return star_document(source) if isinstance(source, Star) else single_document(source)


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
        return target, _parse_source(source, target, _OPTION)
    value = numbers.parse(source[1:]) if target == ("event", "value") else source[1:]
    if value is None:
        raise MappingError(f"{_OPTION} {assignment}: {source[1:]!r} is no number, as the API wants here.")
    return target, _parse_source({"const": value}, target, _OPTION)


def _near(path: Path) -> str:
    """Mappings beside the one that is not there, if one of them may be meant."""
    names = {other.name for other in path.parent.glob("*.toml")}
    near = difflib.get_close_matches(path.name, names, 1)
    return f" Did you mean {path.with_name(near[0])}?" if near else ""
