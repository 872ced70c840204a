"""Owns records of the API's own shape: `{"event": {…}, "user": {…}}` read into a column a target.

An empty text stays, a null is absent; members that the API does not name are left out with a warning.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any, Final

from replay import hackle
from replay.mapping import columns, paths
from replay.records import CARRIED, Finding, Mapped, Target

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from replay.records import Members

_OWNERS: Final = {"event": hackle.EVENT_MEMBERS, "user": hackle.USER_MEMBERS}

Cells = defaultdict[str, tuple[list[int], list[Any]]]
"""Per name, the places that have it, and their values."""


def is_event(record: Any) -> bool:
    """Whether a record is an object with an `event` and a `user`."""
    return type(record) is dict and "event" in record and "user" in record


class Reader:
    """Reads records one after the other, and keeps what each target has at each place."""

    def __init__(self) -> None:
        self._cells: defaultdict[Target, Cells] = defaultdict(_no_cells)
        self._wrong: defaultdict[tuple[str, str], tuple[list[int], list[Any]]] = defaultdict(_no_cell)

    def read(self, place: int, record: Any) -> None:
        """Read one record, at its place in the chunk."""
        if type(record) is not dict:
            self._find("type-wrong", "", place, record)
            return
        for name, value in record.items():
            members = _OWNERS.get(name)
            if members is None:
                if not name.startswith(CARRIED):
                    self._find("field-unknown", paths.escape(name), place, value)
            elif type(value) is dict:
                self._read_owner(place, name, members, value)
            elif value is not None:
                self._find("type-wrong", name, place, value)

    def _read_owner(self, place: int, owner: str, members: tuple[str, ...], record: dict[str, Any]) -> None:
        singles = self._cells[owner,]
        for name, value in record.items():
            if name not in members:
                self._find("field-unknown", paths.show((owner, name)), place, value)
            elif value is None:
                continue
            elif type(value) is dict and (owner, name) in paths.OBJECTS:
                self._read_members(place, (owner, name), value)
            elif (owner, name) in paths.OBJECTS:
                self._find("type-wrong", f"{owner}.{name}", place, value)
            else:
                _keep(singles, name, place, value)

    def _read_members(self, place: int, owner: Target, members: dict[str, Any]) -> None:
        if not members:
            _keep(self._cells[owner[:1]], owner[1], place, members)
            return
        cells = self._cells[owner]
        for name, value in members.items():
            if value is not None:
                places, values = cells[name]
                places.append(place)
                values.append(value)

    def _find(self, rule: str, field: str, place: int, value: Any) -> None:
        places, values = self._wrong[rule, field]
        places.append(place)
        values.append(value)

    def mapped(self, size: int) -> Mapped:
        """What was read, as columns and findings."""
        findings = [
            Finding(rule, field, places, values, _MESSAGES[rule])
            for (rule, field), (places, values) in self._wrong.items()
        ]
        made = {
            (*owner, name): columns.build(values, places)
            for owner, cells in self._cells.items()
            for name, (places, values) in cells.items()
        }
        return Mapped(size, made, findings)


def of_records(records: Sequence[Any]) -> Mapped:
    """What records say, target by target."""
    reader = Reader()
    for place, record in enumerate(records):
        reader.read(place, record)
    return reader.mapped(len(records))


def of_members(members: Members) -> Mapped | None:
    """What records say whose members are all values that the API names; None for others."""
    if members.paths is None:
        return None
    owners: dict[Target, dict[Target, pd.Series[Any]]] = {}
    for path in members.paths:
        if path[0].startswith(CARRIED):
            continue
        values = members.column(path) if _is_named(path) else None
        if values is None:
            return None
        owners.setdefault(path[:1], {})
        column = columns.without_null(values)
        if len(column):
            owners.setdefault(path[:-1], {})[path] = column
    made = [
        pair for part in owners.values() for pair in sorted(part.items(), key=lambda one: one[1].index[0])
    ]
    return Mapped(len(members), dict(made), [])


def _is_named(path: Target) -> bool:
    if len(path) == 2:
        return path[1] in _OWNERS.get(path[0], ()) and path not in paths.OBJECTS
    return len(path) == 3 and path[:2] in paths.OBJECTS


def _no_cell() -> tuple[list[int], list[Any]]:
    return [], []


def _no_cells() -> Cells:
    return defaultdict(_no_cell)


def _keep(cells: Cells, name: str, place: int, value: Any) -> None:
    places, values = cells[name]
    places.append(place)
    values.append(value)


_MESSAGES: Final = {
    "type-wrong": "the API takes an object here; write {…}",
    "field-unknown": "the API names no such member, and it is left out; carry it as a property",
}
