"""What came back, by status, and what was sent, by event key: the lines of two tables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from replay.records import NO_STATUS
from replay.report.bars import parts
from replay.report.text import plural, short

if TYPE_CHECKING:
    from collections.abc import Sequence

    from replay.report.course import Course

KEYS_SHOWN: Final = 30
KEY_SHOWN: Final = 100  # characters of an event key
_MEANINGS: Final = {
    NO_STATUS: "no answer came: the connection failed, or it took too long",
    400: "the row was refused",
    401: "the API key was refused",
    403: "the API key was refused",
    408: "not accepted; tried again",
    413: "the row was too large",
    422: "the row was refused",
    425: "not accepted; tried again",
    429: "too many requests; tried again more slowly",
    503: "not accepted where it names a time to wait, else unknown",
}


@dataclass(frozen=True, slots=True)
class StatusLine:
    """How often a status came."""

    name: str
    count: int
    share: float
    kind: str
    meaning: str


@dataclass(frozen=True, slots=True)
class KeyLine:
    """The rows of an event key, and `bar`: a drawing of them."""

    name: str
    delivered: int
    failed: int
    bar: str


@dataclass(frozen=True, slots=True)
class Keys:
    """The commonest event keys, and words about the others."""

    lines: Sequence[KeyLine]
    beyond: str


def statuses(course: Course) -> list[StatusLine]:
    """Answers by status, the commonest first."""
    counted: dict[int, int] = {}
    for stretch in course.stretches.values():
        for status, answers in stretch.statuses.items():
            counted[status] = counted.get(status, 0) + answers
    total = sum(counted.values())
    return [
        StatusLine(str(status or "none"), count, count / total, _kind(status), _meaning(status))
        for status, count in sorted(counted.items(), key=lambda item: (-item[1], item[0]))
    ]


def _kind(status: int) -> str:
    if 200 <= status < 300:
        return "delivered"
    if status in (408, 425, 429):
        return "retried"
    return "failed" if 300 <= status < 500 else "ambiguous"


def _meaning(status: int) -> str:
    if 200 <= status < 300:
        return "accepted"
    if status in _MEANINGS:
        return _MEANINGS[status]
    if status >= 500:
        return "unknown: it may have been accepted"
    return "refused"


def event_keys(course: Course) -> Keys:
    """Rows by event key, the commonest first."""
    known = sorted(course.whole.keys.items(), key=lambda item: (-sum(item[1]), item[0]))
    known = [(key, rows) for key, rows in known if any(rows)]
    most = max((sum(rows) for _, rows in known), default=0)
    lines = [
        KeyLine(short(key, KEY_SHOWN) or "(none)", rows[0], rows[1], _bar(rows, most))
        for key, rows in known[:KEYS_SHOWN]
    ]
    rest = [sum(rows) for _, rows in known[KEYS_SHOWN:]]
    beyond = sum(course.whole.others)
    if not rest and not beyond:
        return Keys(lines, "")
    more = " or more" if beyond else ""
    return Keys(
        lines, f"{plural(sum(rest) + beyond, 'row')} of {len(rest) + bool(beyond):,}{more} other event keys."
    )


def _bar(rows: tuple[int, int], most: int) -> str:
    delivered, failed = rows
    return parts([("delivered", delivered), ("failed", failed), ("empty", most - delivered - failed)])
