"""Owns the proposal of `[time]`: which column, and how it is written. A zone is never guessed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from replay.mapping.drafting import names
from replay.mapping.drafting.writing import count

if TYPE_CHECKING:
    from collections.abc import Sequence

    from replay.mapping.drafting.candidates import Candidate
    from replay.mapping.drafting.evidence import Evidence

PROPERTY: Final = "originalTime"
_UNITS: Final = {"seconds": "s", "milliseconds": "ms", "microseconds": "us"}
_FORMATS: Final = (
    "%Y/%m/%d", "%Y/%m/%d %H:%M", "%Y/%m/%d %H:%M:%S", "%Y.%m.%d", "%Y.%m.%d %H:%M", "%Y.%m.%d %H:%M:%S",
)  # fmt: skip
_SIGNS: Final = ("/", ".", "-")


@dataclass(frozen=True, slots=True)
class Clock:
    """The proposed time: `members` of the table, and what was seen.

    `is_ready` where it can be read as it stands; else a person must say something first, as `remark` tells.
    """

    candidate: Candidate
    members: dict[str, str]
    remark: str
    is_ready: bool


def propose_time(candidates: Sequence[Candidate]) -> Clock | None:
    """The time among some columns: the best name whose values can be read, else the best name."""
    ranked = [(names.rank(one.name, names.TIME), one) for one in candidates]
    named = [one for _, one in sorted((r, one) for r, one in ranked if r is not None)]
    if not named:
        named = [one for one in candidates if one.evidence.all_of("zoned", "local")]
        named = named if len(named) == 1 else []
    clocks = [_clock(one) for one in named]
    return next((clock for clock in clocks if clock.is_ready), clocks[0] if clocks else None)


def _clock(candidate: Candidate) -> Clock:
    evidence = candidate.evidence
    column = {"column": candidate.text}
    if evidence.all_of("zoned"):
        return Clock(candidate, column, f"{count(evidence.present, 'time')} with a zone", is_ready=True)
    for kind, unit in _UNITS.items():
        if _all_integers(evidence, kind):
            remark = f"{count(evidence.present, 'count')} of {kind} since 1970, which are in UTC"
            return Clock(candidate, {**column, "unit": unit}, remark, is_ready=True)
    if evidence.all_of("zoned", "local"):
        return _local(candidate, column, evidence.kinds["local"])
    form = _format_of(evidence)
    if form is not None:
        return _local(candidate, {**column, "format": form}, evidence.present)
    return Clock(candidate, column, _unclear(evidence), is_ready=False)


def _local(candidate: Candidate, members: dict[str, str], rows: int) -> Clock:
    """A time without a zone; only its own name can tell that it is in UTC."""
    if "utc" in names.words(candidate.name):
        remark = f"{count(rows, 'time')} without a zone; the column's name says UTC"
        return Clock(candidate, {**members, "timezone": "UTC"}, remark, is_ready=True)
    remark = (
        f"{rows:,} of {count(candidate.evidence.present, 'time')} without a zone, and none is guessed. "
        "If you know it, write it, and take away the #"
    )
    return Clock(candidate, {**members, "timezone": "…"}, remark, is_ready=False)


def _all_integers(evidence: Evidence, kind: str) -> bool:
    whole = evidence.kinds["integer"] + evidence.types["number"]
    return evidence.present > 0 and evidence.also[kind] == whole == evidence.present


def _format_of(evidence: Evidence) -> str | None:
    for form in _FORMATS:
        if evidence.all_of(form):
            return form
    if _all_integers(evidence, "clock"):
        return "%Y%m%d%H%M%S"
    if _all_integers(evidence, "day"):
        return "%Y%m%d"
    first, second = evidence.also["first is day"] > 0, evidence.also["second is day"] > 0
    if evidence.all_of("day or month first") and len(evidence.signs) == 1 and first is not second:
        (shape,) = evidence.signs
        day = "%d{0}%m{0}%Y" if first else "%m{0}%d{0}%Y"
        return day.format(shape[0]) + ("", " %H:%M", " %H:%M:%S")[int(shape[-1])]
    return None


def _unclear(evidence: Evidence) -> str:
    if evidence.all_of("day or month first"):
        return 'nothing tells the day from the month. Write format = "%d/%m/%Y" or "%m/%d/%Y", and a timezone'
    return "its values are written in several ways, or in one that is not known; mend them, or write a format"
