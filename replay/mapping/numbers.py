"""Owns how a number is read from text: JSON's grammar, leading zeros allowed, no digit lost."""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation
from math import isfinite
from typing import Final

Number = int | float | Decimal

_NUMBER: Final = re.compile(r"-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?", re.ASCII)
_EXACT: Final = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?", re.ASCII)
_INT_DIGITS: Final = 400  # past a double's range anyway, and short of what int() refuses
_AUTO_DIGITS: Final = 15  # what a double keeps for certain


def parse(text: str) -> Number | None:
    """The number that a text spells, or None.

    An integer is an int of any length, a decimal a float where that loses no digit, else a Decimal;
    a number past all range is a Decimal infinity, for the rules to refuse.
    """
    match = _NUMBER.fullmatch(text)
    if match is None:
        return None
    if match[1] is None and match[2] is None and len(text) <= _INT_DIGITS:
        return int(text)
    return exact(text)


def exact(text: str) -> float | Decimal:
    """The float that equals a number's text, or the Decimal where no float does."""
    try:
        decimal = Decimal(text)
    except InvalidOperation:  # an exponent of twenty digits
        return Decimal("-Infinity" if text.startswith("-") else "Infinity")
    value = float(text)
    return value if isfinite(value) and Decimal(repr(value)) == decimal else decimal


def parse_auto(text: str) -> int | float | bool | str:
    """The number or boolean that a text is for certain, else the text itself.

    Only where writing the value gives the text again: `12` yes; `007`, `1e5`, `12.50` and more than
    15 digits no.
    """
    if text in ("true", "false"):
        return text == "true"
    match = _EXACT.fullmatch(text)
    if match is None or len(text.lstrip("-").replace(".", "")) > _AUTO_DIGITS:
        return text
    value = int(text) if match[2] is None else float(text)
    return value if str(value) == text else text
