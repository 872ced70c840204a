"""Owns the making of columns: a pandas Series indexed by places in the chunk, absent values left out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

_DTYPES: Final = {str: "str", int: "int64", float: "float64", bool: "bool"}

_ASCII_SPACES: Final = " \t\n\r\x0b\x0c\x1c\x1d\x1e\x1f"  # what str.strip takes away


def build(values: Sequence[Any], places: Sequence[int] | NDArray[np.int64] | pd.Index) -> pd.Series[Any]:
    """The column of these values at these places, of the narrowest dtype that keeps every one as it is."""
    index = places if isinstance(places, range | pd.Index) else np.asarray(places, dtype=np.int64)
    kinds = set(map(type, values))
    dtype = _DTYPES.get(kinds.pop(), "object") if len(kinds) == 1 else "object"
    if dtype == "object":
        return pd.Series(_objects(values), index=index)
    if dtype == "str":
        return pd.Series(pa.array(values, pa.large_string()), index=index, dtype="str")
    try:
        return pd.Series(values, index=index, dtype=dtype)
    except OverflowError:  # an integer of more than 64 bits
        return pd.Series(_objects(values), index=index)


def _objects(values: Sequence[Any]) -> NDArray[np.object_]:
    array = np.empty(len(values), dtype=object)
    for place, value in enumerate(values):  # numpy would unpack lists
        array[place] = value
    return array


def repeat(value: Any, size: int) -> pd.Series[Any]:
    """The column that has one value at each of `size` places."""
    return build([value] * size, range(size))


def is_text(column: pd.Series[Any]) -> bool:
    """Whether every value of a column is a text, in Arrow's memory."""
    return isinstance(column.dtype, pd.StringDtype)


def texts(column: pd.Series[Any]) -> pa.Array:
    """The Arrow array of a text column."""
    array = pa.array(column.array)
    array = array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array
    return array if array.type == pa.large_string() else array.cast(pa.large_string())


def from_texts(array: pa.Array, index: Any) -> pd.Series[Any]:
    """The text column of an Arrow array."""
    return pd.Series(array, index=index, dtype="str")


def from_values(values: pa.Array | list[Any]) -> pd.Series[Any]:
    """The column of a value a row, absent ones left out: a list, or an Arrow array of one type."""
    if isinstance(values, list):
        return drop_absent(values, range(len(values)))
    column = without_null(values)
    return filled(column) if is_text(column) else column


def without_null(values: pa.Array | list[Any]) -> pd.Series[Any]:
    """The same, where an empty text is there."""
    if isinstance(values, list):
        places = [place for place, value in enumerate(values) if value is not None]
        return build([values[place] for place in places], places)
    index: pd.Index[int] = pd.RangeIndex(len(values))
    if values.null_count:
        index = pd.Index(np.flatnonzero(values.is_valid().to_numpy(zero_copy_only=False)))
        values = values.drop_null()
    if not len(values):
        return build([], [])
    if values.type == pa.large_string():
        return from_texts(values, index)
    return pd.Series(values.to_numpy(zero_copy_only=False), index=index)


def present(cells: pd.Series[Any], size: int) -> pd.Series[Any]:
    """A table's column of cells as a column of values: empty cells are absent."""
    column = pd.Series(cells.array, index=pd.RangeIndex(size))
    if not is_text(column):
        return drop_absent(column.tolist(), range(size))
    return filled(column)


def filled(column: pd.Series[Any]) -> pd.Series[Any]:
    """A text column without its empty texts."""
    lengths = pc.binary_length(texts(column))
    if len(column) == 0 or pc.min(lengths).as_py() > 0:
        return column
    kept: pd.Series[Any] = column.loc[lengths.to_numpy(zero_copy_only=False) > 0]
    return kept


def drop_absent(values: Sequence[Any], places: Sequence[int]) -> pd.Series[Any]:
    """The column of those values that are there: no null and no empty text."""
    kinds = set(map(type, values))
    if type(None) not in kinds and (str not in kinds or "" not in values):
        return build(values, places)
    kept = [(place, value) for place, value in zip(places, values, strict=True) if not is_absent(value)]
    return build([value for _, value in kept], [place for place, _ in kept])


def is_absent(value: Any) -> bool:
    """Whether a mapping reads a value as not there."""
    return value is None or (value == "" and type(value) is str)


def after(first: pd.Series[Any], other: pd.Series[Any]) -> pd.Series[Any]:
    """The first column, and the other one's values wherever the first has none."""
    free = ~other.index.isin(first.index)
    if not free.any():
        return first
    where = np.concatenate([first.index.to_numpy(), other.index.to_numpy()[free]])
    values = [*first.tolist(), *other[free].tolist()]
    order = np.argsort(where)
    return build([values[place] for place in order], where[order])


def fill(column: pd.Series[Any], default: Any, allowed: NDArray[np.bool_]) -> pd.Series[Any]:
    """The column with a default wherever it has no value and is `allowed` one (a mask of the chunk)."""
    free = allowed.copy()
    free[column.index.to_numpy()] = False
    if not free.any():
        return column
    holes = np.flatnonzero(free)
    where = np.concatenate([column.index.to_numpy(), holes])
    order = np.argsort(where)
    values = [*column.tolist(), *[default] * len(holes)]
    return build([values[place] for place in order], where[order])


def trimmed(column: pd.Series[Any]) -> pd.Series[Any]:
    """The column with the white space around its texts taken away; what is empty then is absent."""
    return _change_texts(column, lambda texts: pc.utf8_trim(texts, _ASCII_SPACES), str.strip)


def lowered(column: pd.Series[Any]) -> pd.Series[Any]:
    """The column with its texts in lower case."""
    return _change_texts(column, pc.ascii_lower, str.lower)


def _change_texts(
    column: pd.Series[Any], of_ascii: Callable[[pa.Array], pa.Array], of_text: Callable[[str], str]
) -> pd.Series[Any]:
    """Change every text, all at once where they are ASCII: beyond it Arrow and Python do not always agree."""
    if is_text(column) and len(column) and pc.all(pc.string_is_ascii(texts(column))).as_py():
        return filled(from_texts(of_ascii(texts(column)), column.index))
    changed = [of_text(value) if type(value) is str else value for value in column.tolist()]
    return drop_absent(changed, column.index.tolist())
