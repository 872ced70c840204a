"""Owns what `"*"` brings: columns, members of objects, arrays of pairs, each as a column a name."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any, Final

from replay.mapping import columns, paths
from replay.mapping.reading import BROKEN, cast_many, found
from replay.records import CARRIED

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import pandas as pd

    from replay.mapping.located import Many, StarBound
    from replay.mapping.reading import Reading
    from replay.records import Members

_NAMES: Final = ("key", "name")
_VALUES: Final = ("string_value", "int_value", "double_value", "float_value")
_NOTHING: Final = (None, "null")


def unpack(reading: Reading, star: StarBound) -> None:
    """Fill an object with what its `"*"` brings; what the mapping names itself stays as it is."""
    taken: dict[str, pd.Series[Any]] = {}
    explicit = set(reading.columns)
    for part in star.parts:
        for name, column in _bring(reading, star, part):
            if (*star.owner, name) not in explicit:
                cast = cast_many(reading, (*star.owner, name), column, part.type)
                taken[name] = columns.after(taken[name], cast) if name in taken else cast
    for name, column in taken.items():
        reading.columns[*star.owner, name] = column


def _bring(reading: Reading, star: StarBound, part: Many) -> Iterator[tuple[str, pd.Series[Any]]]:
    """The columns that one part brings, each with its name."""
    if part.columns:
        for located in part.columns:
            yield located.owner, reading.raw(paths.show((*star.owner, located.owner)), located)
        return
    members = reading.chunk.members if part.kind == "rest" else None
    known = None if members is None else _rest(members, part)
    if known is not None:
        yield from known
        return
    gathered: defaultdict[str, tuple[list[int], list[Any]]] = defaultdict(lambda: ([], []))
    for place, name, value in _values(reading, star, part):
        if name in part.left_out:
            part.missing.pop(part.watched.get(name, ""), None)
        elif name not in part.named and not columns.is_absent(value):
            places, values = gathered[name]
            if not places or places[-1] != place:
                places.append(place)
                values.append(value)
            else:  # a key that comes twice: the last one holds
                values[-1] = value
    for name, (places, values) in gathered.items():
        yield name, columns.build(values, places)


def _rest(members: Members, part: Many) -> list[tuple[str, pd.Series[Any]]] | None:
    """The members of records that nothing else names; None where it takes the records to say."""
    found = []
    for name in members.names:
        if name in part.left_out:
            part.missing.pop(part.watched.get(name, ""), None)
        elif name not in part.named and not name.startswith(CARRIED):
            values = members.column((name,))
            if values is None:
                return None
            found.append((name, columns.from_values(values)))
    return sorted(((name, column) for name, column in found if len(column)), key=lambda one: one[1].index[0])


def _values(reading: Reading, star: StarBound, part: Many) -> Iterator[tuple[int, str, Any]]:
    """Every value that a part brings: its place in the chunk, its name, itself."""
    if part.kind == "rest":
        for place, record in enumerate(reading.records if reading.chunk.kind == "records" else ()):
            for name, value in record.items():
                if not name.startswith(CARRIED):
                    yield place, name, value
        return
    assert part.place is not None
    shown = paths.show((*star.owner, "*"))
    column = reading.raw(shown, part.place)
    is_pairs = part.kind == "pairs"
    wrong: list[int] = []
    for order, (place, value) in enumerate(zip(column.index.tolist(), column.tolist(), strict=True)):
        inside = reading.unpacked(value)
        pairs = pairs_of(inside) if is_pairs else inside.items() if type(inside) is dict else None
        if pairs is not None:
            for name, one in pairs:
                yield place, name, one
        elif inside is BROKEN or value not in _NOTHING:
            wrong.append(order)
    if wrong:
        shape = "an array of keys and values" if is_pairs else "an object"
        message = f"{part.place.text!r} is not {shape}; mend it, or map it as a column"
        reading.findings.append(found("cast-failed", shown, column.iloc[wrong], message))


def pairs_of(array: Any) -> list[tuple[str, Any]] | None:
    """The keys and values of an array such as `[{"key": "a", "value": {"int_value": "1"}}]`, or None."""
    if type(array) is not list:
        return None
    pairs = []
    for item in array:
        name = (
            next((item[member] for member in _NAMES if member in item), None) if type(item) is dict else None
        )
        if type(name) is not str:
            return None
        if name:
            pairs.append((name, value_of(item)))
    return pairs


def value_of(item: dict[str, Any]) -> Any:
    """The value of one pair: plain, or the one `*_value` that it has, beside the key or in an object.

    A text of digits in `int_value` is the integer that it spells.
    """
    value = item.get("value", item)
    if type(value) is not dict:
        return value
    kind = next((kind for kind in _known(value) if value[kind] is not None), None)
    if kind is None:
        return None if value is item or _is_typed(value) or not value else value
    found = value[kind]
    if kind == "int_value" and type(found) is str and _is_integer(found):
        return int(found)
    return found


def _known(value: dict[str, Any]) -> Iterable[str]:
    return (kind for kind in _VALUES if kind in value)


def _is_typed(value: dict[str, Any]) -> bool:
    return any(name.endswith(("_value", "_timestamp_micros")) for name in value)


def _is_integer(text: str) -> bool:
    digits = text.removeprefix("-")
    return digits.isascii() and digits.isdigit() and len(digits) <= 400
