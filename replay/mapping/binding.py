"""Owns the fitting of a mapping to one source: which column or path each text of the mapping names.

Whatever does not fit is an error before the first row, with near matches.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from replay.errors import MappingError
from replay.mapping import paths
from replay.mapping.bound import Bound, FieldBound, Place, Where
from replay.mapping.fields import Column, Constant, Join, Single
from replay.mapping.finders import RecordFinder, TableFinder
from replay.mapping.itself import bind_itself
from replay.mapping.located import JoinPlaces, Located, Many, StarBound, Test, TimeBound
from replay.mapping.stars import Part, Star

if TYPE_CHECKING:
    from collections.abc import Container, Iterator

    import pandas as pd

    from replay.mapping.fieldmap import Mapping
    from replay.mapping.timing import Time
    from replay.mapping.where import Condition
    from replay.records import Target

Finder = TableFinder | RecordFinder


def bind(
    mapping: Mapping | None,
    kind: Literal["table", "records"],
    header: tuple[str, ...],
    name: str,
    sample: pd.DataFrame | None,
) -> Bound:
    """Fit a mapping to one source, or find that the source maps itself if there is none.

    `header` of a table is its columns; `sample` of records is the frame of their first chunk; `name`
    is the source's in messages. Raises MappingError where they do not fit.
    """
    records = _records(sample) if kind == "records" else []
    finder = RecordFinder(records, name) if kind == "records" else TableFinder(header, name)
    where = Where(tuple(_test(condition, finder) for condition in mapping.where)) if mapping else Where()
    if mapping is None or (not mapping.fields and mapping.time is None):
        return bind_itself(kind, header, name, records, where)
    singles = dict(_singles(mapping, finder))
    time = None if mapping.time is None else _bind_time(mapping.time, finder, singles)
    stars = {target: star for target, star in mapping.fields.items() if isinstance(star, Star)}
    places = {(target, part): _object(part, finder) for target, star in stars.items() for part in star.parts}
    named = [place.whole_path for place in _all_places(singles, time)]
    named += [place.whole_path for place in places.values() if place is not None]
    return FieldBound(
        fields=tuple(singles.items()),
        stars=tuple(
            StarBound(
                target[:-1],
                tuple(
                    _many(part, places[target, part], finder, named)
                    for part in star.parts
                    if part.kind == "rest" or places[target, part] is not None
                ),
            )
            for target, star in stars.items()
        ),
        time=time,
        where=where,
        missing=finder.missing if isinstance(finder, RecordFinder) else {},
    )


def _records(sample: pd.DataFrame | None) -> list[Any]:
    return [] if sample is None or sample.empty else sample.iloc[:, 0].tolist()


def _singles(mapping: Mapping, finder: Finder) -> Iterator[tuple[Target, Place]]:
    """Each single target with what it has become; an optional column that is not there is left out."""
    for target, source in mapping.fields.items():
        if not isinstance(source, Star):
            place = _find(source, finder)
            if place is not None:
                yield target, place


def _find(source: Single, finder: Finder) -> Place | None:
    if isinstance(source, Join):
        return JoinPlaces(tuple(_must_find(text, finder) for text in source.columns), source.between)
    if not isinstance(source, Column):
        return source
    place = finder(source)
    return Constant(source.default) if place is None and source.default is not None else place


def _must_find(text: str, finder: Finder) -> Located:
    place = finder(Column(text))
    assert place is not None  # it is not optional
    return place


def _test(condition: Condition, finder: Finder) -> Test:
    place = _must_find(condition.text, finder)
    if place.type is not None:
        raise MappingError(
            f"{place.source}: [where]: {condition.text!r}: a condition takes no type. Values are compared as "
            "text."
        )
    return Test(place, condition.test())


def _bind_time(time: Time, finder: Finder, taken: Container[Target]) -> TimeBound:
    place = _must_find(time.column, finder)
    if place.type is not None:
        raise MappingError(
            f"{place.source}: [time]: column = {time.column!r}: a time takes no type. Use unit or format."
        )
    if time.property is not None and ("event", "properties", time.property) in taken:
        raise MappingError(
            f"{place.source}: [time]: property = {time.property!r}: the mapping fills this property already. "
            "Name another one."
        )
    return TimeBound(place, time)


def _all_places(singles: dict[Target, Place], time: TimeBound | None) -> Iterator[Located]:
    """Every place that a single target or the time reads."""
    for place in singles.values():
        if isinstance(place, Located):
            yield place
        elif isinstance(place, JoinPlaces):
            yield from place.places
    if time is not None:
        yield time.located


def _object(part: Part, finder: Finder) -> Located | None:
    """Where the object or the array of a part stands; None for the rest, and where it is not there."""
    if part.kind == "rest":
        return None
    place = finder(Column(part.text, optional=part.optional))
    if place is not None and place.type is not None:
        raise MappingError(
            f'{place.source}: {part.text!r}: what is unpacked takes no type here. Add type = "…" beside it.'
        )
    return place


def _many(part: Part, place: Located | None, finder: Finder, named: list[tuple[str, ...]]) -> Many:
    """One part of a star, fitted: what it must not bring is left out, and what something else names."""
    above = () if place is None else place.whole_path
    # of a path that goes on below this object, the member that it goes through; pairs have no paths
    taken = frozenset(
        path[len(above)] for path in named if len(path) > len(above) and path[: len(above)] == above
    )
    columns: tuple[Located, ...] = ()
    missing: dict[str, str] = {}
    watched: dict[str, str] = {}
    if isinstance(finder, RecordFinder):
        missing = finder.missing
        watched = {} if part.optional else _watch(part, above, finder)
    elif part.kind == "rest":
        if not part.optional:
            finder.check_left_out(part.left_out)
        columns = tuple(finder.others({*taken, *part.left_out}))
    return Many(
        part.kind,
        place,
        columns,
        frozenset(part.left_out),
        taken,
        part.type,
        missing=missing,
        watched=watched,
    )


def _watch(part: Part, above: tuple[str, ...], finder: RecordFinder) -> dict[str, str]:
    """What each name that is left out is noted as, until a record has it."""
    return {name: finder.expect((*above, name), paths.show((*above, name))) for name in part.left_out}
