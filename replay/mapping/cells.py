"""Owns JSON inside a cell: read as strictly as a record is, so that nothing is lost without a word."""

from __future__ import annotations

import json
from math import isfinite
from typing import TYPE_CHECKING, Any, Final

import msgspec

from replay.mapping import numbers

if TYPE_CHECKING:
    from decimal import Decimal

DEPTH: Final = 128
"""The most objects and arrays inside one another."""


def _number(text: str) -> float | Decimal:
    if not isfinite(float(text)):
        raise ValueError("a number is beyond the range of a double")
    return numbers.exact(text)


_DECODER: Final = msgspec.json.Decoder(float_hook=_number)


def decode(text: str) -> Any:
    """The value that a JSON text holds, every number with its digits.

    Raises ValueError for what is no JSON, names a member twice, nests too deep, or holds a number that
    no double can.
    """
    try:
        value = _DECODER.decode(text)
    except RecursionError as error:
        raise ValueError("nested too deep") from error
    if text.count("{") + text.count("[") > DEPTH:
        _check_depth(value)
    if "{" in text:
        json.loads(text, object_pairs_hook=_check_names, parse_int=len, parse_float=len)
    return value


def _check_names(members: list[tuple[str, Any]]) -> None:
    if len({name for name, _ in members}) < len(members):
        raise ValueError("a name comes twice in one object")


def _check_depth(value: Any) -> None:
    layer = [value]
    for _ in range(DEPTH):
        inside = [item.values() if isinstance(item, dict) else item for item in layer]
        layer = [member for members in inside for member in members if isinstance(member, dict | list)]
        if not layer:
            return
    raise ValueError("nested too deep")
