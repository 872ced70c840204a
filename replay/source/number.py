"""Numbers of JSON as they are written: a float only where it is written the same again."""

from __future__ import annotations

import math
import re
from decimal import Decimal
from typing import Final

import msgspec

_NOT_ZERO: Final = re.compile(r"-?[0.]*[1-9]")


def number(text: str) -> float | Decimal:
    """A JSON number with a fraction or an exponent: a float where that is written the same, else a Decimal.

    Raises ValueError for what is beyond a double's range, in the large and in the small.
    """
    value = float(text)
    if math.isinf(value) or (value == 0 and _NOT_ZERO.match(text)):
        raise ValueError("a number is beyond the range of a double")
    return value if repr(value) == text or value == 0 else Decimal(text)


DECODER: Final = msgspec.json.Decoder(float_hook=number)
"""Reads JSON so; what comes twice in an object is read without a word."""
