"""Owns the rules of properties: their names, their number, their values."""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal
from math import isfinite
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd

from replay import hackle
from replay.rules.findings import found, members, numbers, of_type, show, too_long, units

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from replay.records import Finding, Mapped, Target

_MOST: Final = {
    ("event", "properties"): hackle.EVENT_PROPERTIES_MAX,
    ("user", "properties"): hackle.USER_PROPERTIES_MAX,
}
_NAME_RULES: Final[dict[str, Callable[[str], bool]]] = {
    "property-name-too-long": lambda name: units(name) > hackle.PROPERTY_NAME_MAX,
    "property-name-blank": lambda name: not name.strip(),
    "property-reserved": lambda name: name.startswith(hackle.RESERVED_PREFIX),
}
_INTEGER_BOUND: Final = 10**hackle.NUMBER_INTEGER_DIGITS
_DECIMAL_SCALE: Final = 10**hackle.NUMBER_DECIMALS
_EXACT_BOUND: Final = 2**53  # up to here a double holds every integer
_DOUBTFUL_BOUND: Final = 2.0**31  # beyond it a float and its millionths may each be rounded half a millionth


def judge_properties(mapped: Mapped) -> Iterator[Finding]:
    """Whether the API's documentation allows these properties, of the event and of the user."""
    for owner, most in _MOST.items():
        columns = dict(members(mapped, *owner))
        yield from _judge_number_of(owner, columns, most)
        yield from _judge_case(columns)
        for target, column in columns.items():
            yield from _judge_name(target, column)
            yield from _judge_values(show(target), column)


def judge_numbers(mapped: Mapped) -> Iterator[Finding]:
    """Whether every number, `event.value` included, is finite and has digits that are kept."""
    for target, column in mapped.columns.items():
        if target == ("event", "value") or (len(target) == 3 and target[1] == "properties"):
            yield from _judge_digits(show(target), numbers(column))


def _judge_number_of(owner: Target, columns: dict[Target, pd.Series[Any]], most: int) -> Iterator[Finding]:
    if len(columns) <= most:
        return
    places = np.concatenate([column.index.to_numpy() for column in columns.values()])
    counts = np.bincount(places)
    over = np.flatnonzero(counts > most)
    if len(over):
        numbers_of = pd.Series(counts[over], index=over)
        yield found("properties-too-many", show(owner), numbers_of, "so many properties have one row")


def _judge_case(columns: dict[Target, pd.Series[Any]]) -> Iterator[Finding]:
    twins: defaultdict[str, list[Target]] = defaultdict(list)
    for target in columns:
        twins[target[-1].casefold()].append(target)
    for targets in twins.values():
        seen = columns[targets[0]].index
        for target in targets[1:]:
            both = columns[target].index.intersection(seen)
            if len(both):
                first = show(targets[0])
                yield found("property-name-case", show(target), columns[target][both], f"also there: {first}")
            seen = seen.union(columns[target].index)


def _judge_name(target: Target, column: pd.Series[Any]) -> Iterator[Finding]:
    for rule, breaks in _NAME_RULES.items():
        if breaks(target[-1]):
            yield found(rule, show(target), column)


def _judge_values(field: str, column: pd.Series[Any]) -> Iterator[Finding]:
    if column.dtype.kind in "ifb":
        return
    longer = too_long(column, hackle.STRING_MAX)
    if len(longer):
        yield found("string-too-long", field, longer)
    if column.dtype != object:
        return
    compound = of_type(column, dict, list)
    for rule, breaks in (("value-nested", _is_nested), ("array-element", _has_bad_element)):
        broken = compound[[breaks(value) for value in compound.tolist()]]
        if len(broken):
            yield found(rule, field, broken)


def _is_nested(value: Any) -> bool:
    return isinstance(value, dict) or any(element is None or isinstance(element, dict) for element in value)


def _has_bad_element(value: Any) -> bool:
    return isinstance(value, list) and not all(map(_is_good_element, value))


def _is_good_element(element: Any) -> bool:
    if isinstance(element, str):
        return units(element) <= hackle.STRING_MAX
    return isinstance(element, int | float | Decimal) and not isinstance(element, bool)


def _judge_digits(field: str, column: pd.Series[Any]) -> Iterator[Finding]:
    if column.empty:
        return
    for rule, breaks in (("number-not-finite", _is_not_finite), ("number-digits", _has_many_digits)):
        broken = column[breaks(column)]
        if len(broken):
            yield found(rule, field, broken)


def _is_not_finite(column: pd.Series[Any]) -> Any:
    if column.dtype == object:
        return _by_kind(column, _is_not_finite, lambda value: not _is_finite(value))
    return ~np.isfinite(column.to_numpy())


def _by_kind(
    column: pd.Series[Any], of_doubles: Callable[[pd.Series[Any]], Any], of_one: Callable[[Any], bool]
) -> NDArray[np.bool_]:
    """What holds of each number of a mixed column: of its doubles all at once, of others one by one."""
    values = column.tolist()
    is_double = np.array([type(value) is float for value in values], dtype=np.bool_)
    holds = np.zeros(len(values), dtype=np.bool_)
    holds[is_double] = of_doubles(column[is_double].astype("float64"))
    for place, value in enumerate(values):
        is_small = type(value) is int and -_INTEGER_BOUND < value < _INTEGER_BOUND  # which breaks no rule
        if not is_small and type(value) is not float:
            holds[place] = of_one(value)
    return holds


def _is_finite(value: float | Decimal) -> bool:
    try:
        return isfinite(float(value))
    except OverflowError:  # an integer of more than 308 digits
        return False


def _has_many_digits(column: pd.Series[Any]) -> Any:
    values = column.to_numpy()
    if column.dtype == object:
        return _by_kind(column, _has_many_digits, lambda value: _is_finite(value) and _digits_exceed(value))
    large = (values >= _INTEGER_BOUND) | (values <= -_INTEGER_BOUND)
    return large if column.dtype.kind == "i" else np.isfinite(values) & (large | _has_many_decimals(values))


def _has_many_decimals(values: Any) -> Any:
    """Whether floats have more decimals than are kept.

    A float of at most six decimals is the one nearest to some integer divided by a million. Past 2**53
    millionths that integer is not exact, but floats lie so far apart that six decimals tell them apart.
    """
    with np.errstate(over="ignore"):  # what is infinite then is large all the same
        millionths = np.rint(values * _DECIMAL_SCALE)
    many = (millionths / _DECIMAL_SCALE != values) & (np.abs(millionths) < _EXACT_BOUND)
    for place in np.flatnonzero(many & (np.abs(values) > _DOUBTFUL_BOUND)):
        many[place] = _digits_exceed(float(values[place]))
    return many


def _digits_exceed(value: float | Decimal) -> bool:
    decimal = value if isinstance(value, Decimal) else Decimal(str(value))
    if abs(decimal) >= _INTEGER_BOUND:
        return True
    _, digits, exponent = decimal.as_tuple()
    trailing = len(digits) - len("".join(map(str, digits)).rstrip("0"))
    return isinstance(exponent, int) and any(digits) and -exponent - trailing > hackle.NUMBER_DECIMALS
