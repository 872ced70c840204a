"""Owns the fitting of a mapping to one source: which column or path each text of the mapping names.

Whatever does not fit is an error before the first row, with near matches.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from replay.errors import MappingError
from replay.mapping import fields
from replay.mapping.bound import Bound, FieldBound, Located, TimeBound
from replay.mapping.finders import RecordFinder, TableFinder
from replay.mapping.itself import bind_itself

if TYPE_CHECKING:
    from collections.abc import Container, Iterator

    import pandas as pd

    from replay.mapping.fieldmap import Mapping
    from replay.records import Target


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
    if mapping is None or (not mapping.fields and mapping.time is None):
        return bind_itself(kind, header, name, records)
    locate = RecordFinder(records, name) if kind == "records" else TableFinder(header, name)
    located = {
        target: locate(source) if isinstance(source, fields.Column) else source
        for target, source in mapping.fields.items()
    }
    time = _bind_time(mapping.time, locate, located)
    named = {place.owner for place in located.values() if isinstance(place, Located)}
    if time is not None:
        named.add(time.located.owner)
    return FieldBound(
        fields=tuple(_expand(located, locate, named)),
        rest=tuple(
            target[:-1]
            for target, place in located.items()
            if isinstance(place, fields.Rest) and isinstance(locate, RecordFinder)
        ),
        named=frozenset(named),
        time=time,
        missing=locate.missing if isinstance(locate, RecordFinder) else {},
    )


def _records(sample: pd.DataFrame | None) -> list[Any]:
    return [] if sample is None or sample.empty else sample.iloc[:, 0].tolist()


def _bind_time(
    time: fields.Time | None, locate: TableFinder | RecordFinder, taken: Container[Target]
) -> TimeBound | None:
    if time is None:
        return None
    place = locate(fields.Column(time.column))
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


def _expand(
    located: dict[Target, Any], locate: TableFinder | RecordFinder, named: set[str]
) -> Iterator[tuple[Target, Located | fields.Constant | fields.RowId]]:
    """The fields with every `"*"` of a table written out; what is named explicitly stays so."""
    for target, place in located.items():
        if not isinstance(place, fields.Rest):
            yield target, place
        elif isinstance(locate, TableFinder):
            for other in locate.others(named):
                if (*target[:-1], other.owner) not in located:
                    yield (*target[:-1], other.owner), other
