"""Owns what is known of a column's values: how many there are of each kind."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

DISTINCT_MAX: Final = 1_000

KINDS: Final = {
    "integer": r"^-?[0-9]+$",
    "decimal": r"^-?[0-9]+\.[0-9]+$",
    "boolean": r"^(?i:true|false|yes|no)$",
    "zoned": r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(:[0-9]{2}([.,][0-9]{1,9})?)?"
    r" ?(Z|UTC|[+-][0-9]{2}(:?[0-9]{2})?)$",
    "local": r"^[0-9]{4}-[0-9]{2}-[0-9]{2}([T ][0-9]{2}:[0-9]{2}(:[0-9]{2}([.,][0-9]{1,9})?)?)?$",
    "1,234.56": r"^-?[0-9]{1,3}(,[0-9]{3})+\.[0-9]+$",
    "1.234,56": r"^-?[0-9]{1,3}(\.[0-9]{3})+,[0-9]+$",
    "1,234": r"^-?[0-9]{1,3}(,[0-9]{3})+$",
    "1.234.567": r"^-?[0-9]{1,3}(\.[0-9]{3}){2,}$",
    "0,61": r"^-?[0-9]+,([0-9]{1,2}|[0-9]{4,})$",
    "%Y/%m/%d": r"^[0-9]{4}/[0-9]{1,2}/[0-9]{1,2}$",
    "%Y/%m/%d %H:%M": r"^[0-9]{4}/[0-9]{1,2}/[0-9]{1,2} [0-9]{1,2}:[0-9]{2}$",
    "%Y/%m/%d %H:%M:%S": r"^[0-9]{4}/[0-9]{1,2}/[0-9]{1,2} [0-9]{1,2}:[0-9]{2}:[0-9]{2}$",
    "%Y.%m.%d": r"^[0-9]{4}\.[0-9]{1,2}\.[0-9]{1,2}$",
    "%Y.%m.%d %H:%M": r"^[0-9]{4}\.[0-9]{1,2}\.[0-9]{1,2} [0-9]{1,2}:[0-9]{2}$",
    "%Y.%m.%d %H:%M:%S": r"^[0-9]{4}\.[0-9]{1,2}\.[0-9]{1,2} [0-9]{1,2}:[0-9]{2}:[0-9]{2}$",
    "day or month first": r"^[0-9]{1,2}[/.-][0-9]{1,2}[/.-][0-9]{4}"
    r"( [0-9]{1,2}:[0-9]{2}(:[0-9]{2})?)?$",
    "e-mail": r"^[^@\s]+@[^@\s]+\.[A-Za-z]{2,}$",
    "resident number": r"^[0-9]{6}-[1-8][0-9]{6}$",
    "phone": r"^(\+[0-9]{1,3}[- ]?[0-9]{1,4}[- ]?[0-9]{3,4}[- ]?[0-9]{3,4}"
    r"|0[0-9]{1,2}[- ][0-9]{3,4}[- ][0-9]{4})$",
    "object": r"^\s*\{",
    "array": r"^\s*\[",
}
"""The kinds of texts, each told by an expression; a text is of the first that fits, else a plain text."""

_OF_INTEGERS: Final = {
    "leading zero": r"^-?0[0-9]",
    "long": r"^-?[0-9]{16,}$",
    "seconds": r"^[12][0-9]{9}$",
    "milliseconds": r"^[12][0-9]{12}$",
    "microseconds": r"^[12][0-9]{15}$",
    "clock": r"^(19|20)[0-9]{2}(0[1-9]|1[0-2])([0-2][0-9]|3[01])[0-2][0-9][0-5][0-9][0-5][0-9]$",
    "day": r"^(19|20)[0-9]{2}(0[1-9]|1[0-2])([0-2][0-9]|3[01])$",
    "0 or 1": r"^[01]$",
    "phone": r"^01[016789][0-9]{7,8}$",
    "resident number": r"^[0-9]{2}(0[1-9]|1[0-2])([0-2][0-9]|3[01])[1-8][0-9]{6}$",
}
_DAYS: Final = re.compile(r"^([0-9]{1,2})[/.-]([0-9]{1,2})[/.-]")
NUMBERS_FOR_PEOPLE: Final = ("1,234.56", "1.234,56", "1,234", "1.234.567", "0,61")


@dataclass(slots=True)
class Evidence:
    """What a column holds: `kinds` of its texts, `types` of its other JSON values, how many in all.

    `also` counts what integers are besides; `distinct` holds hashes of values, up to a bound.
    """

    present: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    types: Counter[str] = field(default_factory=Counter)
    also: Counter[str] = field(default_factory=Counter)
    distinct: set[int] = field(default_factory=set)
    longest: int = 0
    sample: Any = None
    signs: set[str] = field(default_factory=set)

    @property
    def texts(self) -> int:
        """How many of the values are texts."""
        return sum(self.kinds.values())

    def all_of(self, *kinds: str) -> bool:
        """Whether every value is a text of one of these kinds."""
        return self.present > 0 and sum(self.kinds[kind] for kind in kinds) == self.present

    def add_texts(self, texts: pa.Array) -> None:
        """Count texts, none of them empty."""
        if not len(texts):
            return
        self.present += len(texts)
        self.longest = max(self.longest, pc.max(pc.utf8_length(texts)).as_py())
        if len(self.distinct) <= DISTINCT_MAX:
            self.distinct.update(map(hash, pc.unique(texts).to_pylist()))
        left = texts
        for kind, pattern in KINDS.items():
            fits = pc.match_substring_regex(left, pattern)
            if pc.any(fits).as_py():
                self._count(kind, left.filter(fits))
                left = left.filter(pc.invert(fits))
                if not len(left):
                    return
        self.kinds["text"] += len(left)

    def _count(self, kind: str, texts: pa.Array) -> None:
        self.kinds[kind] += len(texts)
        if kind == "integer":
            for name, pattern in _OF_INTEGERS.items():
                self.also[name] += pc.sum(pc.match_substring_regex(texts, pattern)).as_py()
        elif kind in ("object", "array") and self.sample is None:
            self.sample = texts[0].as_py()
        elif kind == "day or month first":
            self._look_at_days(pc.unique(texts).to_pylist())

    def _look_at_days(self, texts: list[str]) -> None:
        """Which of two numbers before a year is the day: the one that is more than 12 somewhere."""
        for text in texts:
            match = _DAYS.match(text)
            assert match is not None  # it is of that kind
            self.signs.add(f"{re.sub('[0-9]', '', text)[:2]}{text.count(':')}")
            self.also["first is day"] += int(match[1]) > 12
            self.also["second is day"] += int(match[2]) > 12

    def add_value(self, value: Any) -> None:
        """Count a JSON value that is no text."""
        self.present += 1
        self.types[_type_of(value)] += 1
        if type(value) is int:
            digits = str(value)
            for name, pattern in _OF_INTEGERS.items():
                self.also[name] += re.search(pattern, digits) is not None
        if type(value) is list and self.sample is None:
            self.sample = value
        if len(self.distinct) <= DISTINCT_MAX and not isinstance(value, list | dict):
            self.distinct.add(hash(value))


def _type_of(value: Any) -> str:
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, dict):
        return "object"
    if isinstance(value, list):
        return "objects" if any(isinstance(item, dict | list) for item in value) else "array"
    return "number"
