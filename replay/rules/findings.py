"""Owns how a rule looks at a column: its texts, its numbers, its lists; and how a breach is written down."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from replay.records import Finding
from replay.rules.catalog import RULES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from replay.records import Mapped, Target


def show(target: Target) -> str:
    r"""The dotted name of a target; a dot inside a name is written `\.`."""
    return ".".join(name.replace(".", "\\.") for name in target)


def found(rule: str, field: str, column: pd.Series[Any], remark: str = "") -> Finding:
    """The finding that every value of this column breaks the rule."""
    limit = f"allowed: {RULES[rule].limit}; {RULES[rule].advice}"
    message = f"{remark}; {limit}" if remark else limit
    return Finding(rule, field, column.index.tolist(), column.tolist(), message)


def refusals(mapped: Mapped, concerns: Callable[[str], bool]) -> Iterator[Finding]:
    """The mapping's findings about values of these fields that are there, but could not be taken."""
    for finding in mapped.findings:
        if finding.rule in ("cast-failed", "type-wrong") and concerns(finding.field):
            yield finding


def members(mapped: Mapped, *owner: str) -> Iterator[tuple[Target, pd.Series[Any]]]:
    """The columns of one of the objects whose members the user names."""
    for target, column in mapped.columns.items():
        if len(target) == len(owner) + 1 and target[: len(owner)] == owner:
            yield target, column


def is_text(column: pd.Series[Any]) -> bool:
    """Whether a column holds nothing but text, in Arrow's memory."""
    return isinstance(column.dtype, pd.StringDtype)


def where(column: pd.Series[Any], mask: Any) -> pd.Series[Any]:
    """The part of a column that a mask of it names."""
    part: pd.Series[Any] = column[mask]
    return part


def of_type(column: pd.Series[Any], *kinds: type) -> pd.Series[Any]:
    """The values of a column of mixed types that are exactly of these types."""
    return where(column, [type(value) in kinds for value in column.tolist()])


def texts(column: pd.Series[Any]) -> pd.Series[Any]:
    """The texts of a column, as a text column."""
    if is_text(column):
        return column
    if column.dtype != object:
        return column.iloc[:0].astype("str")
    return of_type(column, str).astype("str")


def arrow(column: pd.Series[Any]) -> pa.Array:
    """The Arrow array of a text column."""
    array = pa.array(column.array)
    return array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array


def numbers(column: pd.Series[Any]) -> pd.Series[Any]:
    """The numbers of a column: int64, float64, or objects where they are mixed or beyond these."""
    if column.dtype == object:
        return of_type(column, int, float, Decimal)
    return column if column.dtype.kind in "if" else column.iloc[:0]


def too_long(column: pd.Series[Any], limit: int) -> pd.Series[Any]:
    """The texts of a column that have more than `limit` UTF-16 units."""
    column = texts(column)
    sizes = pc.binary_length(arrow(column))
    if not len(column) or pc.max(sizes).as_py() <= limit:  # a text never has more units than bytes
        return column.iloc[:0]
    near = where(column, sizes.to_numpy(zero_copy_only=False) > limit)
    return where(near, [units(text) > limit for text in near.tolist()])


def units(text: str) -> int:
    """The length of a text in UTF-16 units."""
    return len(text) + sum(letter > "\uffff" for letter in text)


def blank(column: pd.Series[Any]) -> pd.Series[Any]:
    """The texts of a column that are empty or white space only."""
    column = texts(column)
    array = arrow(column)
    spaces = pc.or_(pc.utf8_is_space(array), pc.equal(pc.binary_length(array), 0))
    if not len(array) or not pc.any(spaces).as_py():
        return column.iloc[:0]
    return where(column, spaces.to_numpy(zero_copy_only=False))
