"""Owns the rules of the event key and the event value."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd
import pyarrow.compute as pc

from replay import hackle
from replay.rules.findings import arrow, blank, found, numbers, refusals, units

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from replay.records import Finding, Mapped

_KEY: Final = ("event", "key")
_VALUE: Final = ("event", "value")
_ALLOWED: Final = re.compile(hackle.EVENT_KEY_CHARSET)


def judge_key(mapped: Mapped) -> Iterator[Finding]:
    """Whether each row has an event key, and the documentation allows it."""
    keys = mapped.columns.get(_KEY)
    yield from _judge_missing(mapped, keys)
    if keys is None or keys.empty:
        return
    distinct = pc.dictionary_encode(arrow(keys))
    words = distinct.dictionary.to_pylist()
    codes = distinct.indices.to_numpy()
    for rule, breaks in _KEY_RULES.items():
        broken = np.array([breaks(word) for word in words])
        if broken.any():
            yield found(rule, "event.key", keys[broken[codes]])


def _judge_missing(mapped: Mapped, keys: pd.Series[Any] | None) -> Iterator[Finding]:
    """Rows without a key, less those whose key is there but could not be taken."""
    absent = np.ones(mapped.size, dtype=bool)
    if keys is not None:
        absent[keys.index.to_numpy()] = False
        blanks = blank(keys)
        if len(blanks):
            yield found("event-key-missing", "event.key", blanks, "the key is blank")
    for refusal in refusals(mapped, ("", "event", "event.key").__contains__):
        absent[refusal.positions] = False
    if absent.any():
        holes = np.flatnonzero(absent)
        nothing = pd.Series([None] * len(holes), index=holes, dtype=object)
        yield found("event-key-missing", "event.key", nothing, "the row has no key")


def _breaks_charset(key: str) -> bool:
    plain = key.removeprefix(hackle.RESERVED_PREFIX)
    return key.strip() != "" and _ALLOWED.fullmatch(plain) is None


_KEY_RULES: Final[dict[str, Callable[[str], bool]]] = {
    "event-key-too-long": lambda key: units(key) > hackle.EVENT_KEY_MAX,
    "event-key-charset": _breaks_charset,
    "event-key-reserved": lambda key: key.startswith(hackle.RESERVED_PREFIX),
}


def judge_value(mapped: Mapped) -> Iterator[Finding]:
    """Whether the event's value is a number."""
    values = mapped.columns.get(_VALUE)
    if values is None:
        return
    wrong = values.drop(index=numbers(values).index)
    if len(wrong):
        yield found("value-not-number", "event.value", wrong, "this is no number")
