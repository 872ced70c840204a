"""Owns the rules of a user's identifiers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd

from replay import hackle
from replay.rules.findings import blank, found, members, refusals, show, too_long, units

if TYPE_CHECKING:
    from collections.abc import Iterator

    from replay.records import Finding, Mapped, Target

_DEPRECATED: Final = ("user", "id")
_NAMED: Final = (("user", "userId"), ("user", "deviceId"), _DEPRECATED)


def judge_identifiers(mapped: Mapped) -> Iterator[Finding]:
    """Whether each row has an identifier that can be used, and the SDKs would take each of them."""
    usable = np.zeros(mapped.size, dtype=bool)
    for target, column in _identifiers(mapped):
        blanks = blank(column)
        usable[column.index.difference(blanks.index) if len(blanks) else column.index] = True
        if len(blanks):
            yield found("identifier-blank", show(target), blanks)
        longer = too_long(column, hackle.IDENTIFIER_MAX)
        if len(longer):
            yield found("identifier-too-long", show(target), longer)
        if len(target) == 3 and units(target[2]) > hackle.IDENTIFIER_NAME_MAX:
            yield found("identifier-name-too-long", show(target), column)
        if target == _DEPRECATED:
            yield found("user-id-deprecated", show(target), column)
    yield from _judge_missing(mapped, usable)


def _identifiers(mapped: Mapped) -> Iterator[tuple[Target, pd.Series[Any]]]:
    for target in _NAMED:
        if target in mapped.columns:
            yield target, mapped.columns[target]
    yield from members(mapped, "user", "identifiers")


def _judge_missing(mapped: Mapped, usable: Any) -> Iterator[Finding]:
    """Rows without a usable identifier, less those that have one which could not be taken."""
    for refusal in refusals(mapped, _concerns_user):
        usable[refusal.positions] = True
    if not usable.all():
        holes = np.flatnonzero(~usable)
        nothing = pd.Series([None] * len(holes), index=holes, dtype=object)
        yield found("user-missing", "user", nothing, "the row names no user")


def _concerns_user(field: str) -> bool:
    return field in ("", "user", "user.identifiers", *map(show, _NAMED)) or field.startswith(
        "user.identifiers."
    )
