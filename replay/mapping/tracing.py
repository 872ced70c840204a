"""Owns which columns stand behind which targets: so that what is masked by one name is masked everywhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

from replay.errors import UsageError
from replay.mapping import paths
from replay.mapping.bound import ApiRecords, FieldBound
from replay.mapping.located import JoinPlaces, Located
from replay.masks import Mask

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from replay.mapping.bound import Bound
    from replay.mapping.located import Many, StarBound
    from replay.records import Target


class Traces:
    """What is known of some sources: their columns, the targets that they fill, and which fills which."""

    def __init__(self) -> None:
        self._links: set[tuple[Target, str]] = set()
        self._columns: dict[str, None] = {}
        self._targets: dict[Target, None] = {}
        self._stars: list[StarBound] = []
        self._are_api = False

    def add(self, bound: Bound, columns: Iterable[str], targets: Iterable[Target]) -> None:
        """Take in a source: the mapping as it fits, its columns, and the targets that its first rows fill."""
        self._columns.update(dict.fromkeys(columns))
        self._targets.update(dict.fromkeys(targets))
        if isinstance(bound, FieldBound):
            links = list(_links(bound))
            self._links.update(links)
            self._columns.update(dict.fromkeys(column for _, column in links))
            self._targets.update(dict.fromkeys(target for target, _ in links))
            self._targets.update(dict.fromkeys(target for target, _ in bound.fields))
            self._stars += bound.stars
        self._are_api |= isinstance(bound, ApiRecords)

    def mask(self, fields: Sequence[str], salt: bytes) -> Mask:
        """The mask of fields, each named by its target or by its column.

        Whatever else is filled by a masked column is masked too. Raises UsageError for a name that is
        neither, with near matches.
        """
        targets: set[Target] = set()
        columns: set[str] = set()
        for field in fields:
            target = paths.split(field)
            is_target, is_column = self._has_target(target), field in self._columns
            if not (is_target or is_column):
                raise UsageError(self._unknown(field))
            targets.update([target] if is_target else [])
            columns.update([field] if is_column else [])
        self._spread(targets, columns)
        return Mask(tuple(dict.fromkeys(fields)), frozenset(targets), frozenset(columns), salt)

    def _has_target(self, target: Target) -> bool:
        """Whether the target, or an object of the request that the target is, is filled or may be.

        `event` and `user` are too much to be meant: they are taken for columns.
        """
        if len(target) > 1 and any(known[: len(target)] == target for known in self._targets):
            return True
        is_valid = target in paths.SINGLES or (len(target) == 3 and target[:2] in paths.OBJECTS)
        return is_valid and (self._are_api or any(star.owner == target[:-1] for star in self._stars))

    def _spread(self, targets: set[Target], columns: set[str]) -> None:
        """Add the columns behind the targets that were named, and then whatever else these columns fill.

        What is joined of several columns, of which one is masked, does not mask the others.
        """
        links = [*self._links, *self._taken_along(targets, columns)]
        columns |= {column for target, column in links if any(target[: len(one)] == one for one in targets)}
        links = [*self._links, *self._taken_along(targets, columns)]
        targets |= {target for target, column in links if column in columns}

    def _taken_along(self, targets: Iterable[Target], columns: Iterable[str]) -> Iterator[tuple[Target, str]]:
        """The links that a `"*"` makes to names which only the rows tell."""
        names = {target[-1] for target in targets} | {paths.split(column)[-1] for column in columns}
        for star in self._stars:
            for part in star.parts:
                if part.place is not None and _column(part.place) in columns:
                    yield star.owner, _column(part.place)
                for name in names - part.named - part.left_out:
                    if (column := _column_of(part, name)) is not None:
                        yield (*star.owner, name), column

    def _unknown(self, field: str) -> str:
        known = [*map(paths.show, self._targets), *self._columns]
        return (
            f"--mask {field}: neither a field of the request nor a column of the sources"
            f"{paths.near(field, known) or '.'} There are {_some(known)}."
        )


def _links(bound: FieldBound) -> Iterator[tuple[Target, str]]:
    """What the mapping itself links: each target with the columns that fill it."""
    for target, place in bound.fields:
        if isinstance(place, Located):
            yield target, _column(place)
        elif isinstance(place, JoinPlaces):
            yield from ((target, _column(one)) for one in place.places)
    for star in bound.stars:
        yield from (((*star.owner, one.owner), one.owner) for part in star.parts for one in part.columns)
    if bound.time is not None and bound.time.time.property is not None:
        yield ("event", "properties", bound.time.time.property), _column(bound.time.located)


def _column_of(part: Many, name: str) -> str | None:
    """The column or path that a part of a `"*"` takes a name from; None where that is known already."""
    if part.place is None:
        return None if part.columns else paths.escape(name)
    if part.kind == "members" and part.place.column is None:
        return paths.show((*part.place.path, name))
    return _column(part.place)


def _column(place: Located) -> str:
    """A table's column as a whole, also where a path leads into its cell; else the path in a record."""
    return place.owner if place.column is not None else paths.show(place.path)


def _some(names: Sequence[str]) -> str:
    most = 12
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
