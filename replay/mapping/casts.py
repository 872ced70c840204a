"""Owns the casts: what a value becomes under a type, and which values do not fit it.

A text column is cast whole where its texts are of one kind; value by value, to the same result,
everywhere else.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import msgspec
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from replay.mapping import cells, columns, numbers

if TYPE_CHECKING:
    from collections.abc import Callable

    from replay.mapping.fields import TypeName
    from replay.mapping.figures import Figures

FAILED: Final = object()
"""What a cast gives for a value that does not fit."""

ADVICE: Final[dict[TypeName, str]] = {
    "string": "mend the value, or map another column",
    "number": "write digits as JSON does (1200, -3.5), or map it without :number",
    "boolean": "write true/false, yes/no or 1/0, or map it without :boolean",
    "json": "write valid JSON, or map it without :json",
    "auto": "mend the value, or map it without :auto",
}

_BOOLEANS: Final = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
_INTEGERS: Final = r"^-?[0-9]{1,18}$"  # int64 for certain
_DECIMALS: Final = r"^-?[0-9]+\.[0-9]+$"
_DECIMAL_BYTES: Final = 16  # 15 digits and the point: a float64 keeps them
_NUMBERS: Final = {int, float, Decimal}
_KEEP_NUMBERS: Final = ("number", "json", "auto")
_ENCODE: Final = msgspec.json.Encoder(decimal_format="number").encode


@dataclass(frozen=True, slots=True)
class Cast:
    """A column after its cast, and the part of it that did not fit, as it was read."""

    column: pd.Series[Any]
    failed: pd.Series[Any]


def cast(column: pd.Series[Any], kind: TypeName | None, figures: Figures | None = None) -> Cast:
    """Cast a column to a type; without one it stays as it is. `figures`: how its numbers are written."""
    if kind is None or (kind == "string" and columns.is_text(column)):
        return Cast(column, column.iloc[:0])
    if figures is None and kind in _KEEP_NUMBERS and column.dtype.kind in "if":
        return Cast(column, column.iloc[:0])
    if (
        figures is None
        and kind == "number"
        and column.dtype == object
        and set(map(type, column.tolist())) <= _NUMBERS
    ):
        return Cast(column, column.iloc[:0])
    whole = _whole(columns.texts(column), kind, figures) if columns.is_text(column) and len(column) else None
    if whole is not None:
        return Cast(pd.Series(whole.to_numpy(zero_copy_only=False), index=column.index), column.iloc[:0])
    return _one_by_one(column, _CASTS[kind] if figures is None else partial(to_figure, figures=figures))


def _whole(texts: pa.Array, kind: TypeName, figures: Figures | None) -> pa.Array | None:
    """The cast of texts that are all of one kind, or None."""
    match kind:
        case "number":
            plain = texts if figures is None else figures.plain_all(texts)
            return None if plain is None else _whole_numbers(plain)
        case "boolean":
            lower = pc.ascii_lower(texts)
            known = pa.array(_BOOLEANS, texts.type)
            if not pc.all(pc.is_in(lower, known)).as_py():
                return None
            return pc.take(pa.array(list(_BOOLEANS.values())), pc.index_in(lower, known))
        case _:
            return None


def _whole_numbers(texts: pa.Array) -> pa.Array | None:
    if pc.max(pc.binary_length(texts)).as_py() > 19:
        return None
    is_decimal = "." in texts[0].as_py()
    if not is_decimal and pc.all(pc.match_substring_regex(texts, _INTEGERS)).as_py():
        return pc.cast(texts, pa.int64())
    fits = pc.less_equal(pc.binary_length(texts), _DECIMAL_BYTES)
    if pc.all(pc.and_(fits, pc.match_substring_regex(texts, _DECIMALS))).as_py():
        return pc.cast(texts, pa.float64())
    return None


def _one_by_one(column: pd.Series[Any], convert: Callable[[Any], Any]) -> Cast:
    values, places, failed = [], [], []
    for order, (place, value) in enumerate(zip(column.index.tolist(), column.tolist(), strict=True)):
        result = convert(value)
        if result is FAILED:
            failed.append(order)
        elif not columns.is_absent(result):
            values.append(result)
            places.append(place)
    return Cast(columns.build(values, places), column.iloc[failed])


def to_string(value: Any) -> Any:
    """A text as it is; any other JSON value as JSON writes it."""
    return value if type(value) is str else _ENCODE(value).decode()


def to_number(value: Any) -> Any:
    """A number as it is, a text by JSON's grammar."""
    if type(value) is str:
        number = numbers.parse(value)
        return FAILED if number is None else number
    return value if type(value) in (int, float, Decimal) else FAILED


def to_figure(value: Any, figures: Figures) -> Any:
    """A number as it is, a text as the format shows its numbers."""
    if type(value) is not str:
        return to_number(value)
    plain = figures.plain(value)
    return FAILED if plain is None else to_number(plain)


def to_boolean(value: Any) -> Any:
    """A boolean as it is; true/false, yes/no, 1/0 in any case."""
    if type(value) is bool:
        return value
    if type(value) not in (str, int):
        return FAILED
    text = str(value)
    return _BOOLEANS.get(text.lower(), FAILED) if text.isascii() else FAILED


def to_json(value: Any) -> Any:
    """What a text says in JSON; any other value as it is."""
    if type(value) is not str:
        return value
    try:
        return cells.decode(value)
    except ValueError:
        return FAILED


def to_auto(value: Any) -> Any:
    """A text as the number or boolean that it is for certain; any other value as it is."""
    return numbers.parse_auto(value) if type(value) is str else value


_CASTS: Final[dict[TypeName, Callable[[Any], Any]]] = {
    "string": to_string,
    "number": to_number,
    "boolean": to_boolean,
    "json": to_json,
    "auto": to_auto,
}
