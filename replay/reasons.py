"""Why rows did not arrive, in groups: reasons that differ only in what a single row or request has are one.

A run may end every row with words of its own, so what is kept of them is bounded: KEPT_MAX groups, each with
its count; what comes beyond them is summed by outcome. The failed files hold each row's own words.
"""

from __future__ import annotations

import re
from collections import Counter
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import msgspec

from replay.records import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

KEPT_MAX: Final = 1_000
LISTED_MAX: Final = 100
OTHER: Final = "other"
UNREADABLE: Final = ("row-unreadable:", "row-fields:")
"""How the reasons of rows begin that could not be read: they are in a file of their own."""

GAP: Final = "…"  # where something was that only one row or request has

Reason = tuple[str, int | None, str]
"""(outcome, status, reason)"""

_UNIT: Final = "\x1f"  # between a reason and its group where one text holds both: no reason has it
_CUT_FROM: Final = 300  # characters; a longer reason may end within a word
_VALUE_MIN: Final = 2  # characters; a shorter value of a row may be found anywhere
_HEAD: Final = 8  # characters by which a value is found that the end of a reason cut off
_RANDOM_FROM: Final = 16  # letters; so many, small and capital ones mixed, are no word

_STATUS: Final = re.compile(r"[1-9][0-9]{2}(?: |$)")
_QUOTED: Final = re.compile(r"\"[^\"]*\"|(?<!\w)'[^']*'(?!\w)|`[^`]*`|“[^”]*”|‘[^’]*’|«[^»]*»")
_NAMED_ID: Final = re.compile(
    r"(\bids?|(?:request|req|trace|span|correlation|transaction|session|message|error|event|user|device)"
    r"[-_ ]?id|\b(?:ref|reference|trace|token))(\s*[:=#]\s*)[\w.~+/=-]+",
    re.IGNORECASE,
)
_TOKEN: Final = re.compile(r"[#\w.+:%/@-]+")
_HEX: Final = re.compile(r"#?[0-9a-f]{8,}")
_DATE_WORD: Final = re.compile(
    r"\b(?:(?:mon|tue(?:s)?|wed(?:nes)?|thu(?:rs)?|fri|sat(?:ur)?|sun)(?:day)?|jan(?:uary)?|feb(?:ruary)?"
    r"|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?"
    r"|dec(?:ember)?)\b(?=[ ,.]*…)|(?<=… )[ap]m\b",
    re.IGNORECASE,
)
_GAPS: Final = re.compile(r"…(?:[\s,.]*…)+")


@lru_cache(4_096)
def normalised(reason: str) -> str:
    """A reason without ids, times, numbers and quoted texts; its status stays."""
    status = match[0] if (match := _STATUS.match(reason)) else ""
    words = reason[len(status) :]
    if len(words) >= _CUT_FROM:
        words = words.rpartition(" ")[0] or words
    words = _NAMED_ID.sub(rf"\1\2{GAP}", _QUOTED.sub(GAP, words))
    words = _TOKEN.sub(_own_or_word, words)
    words = _DATE_WORD.sub(GAP, _DATE_WORD.sub(GAP, words))  # a weekday comes before a month
    return status + _GAPS.sub(GAP, words)


def _own_or_word(token: re.Match[str]) -> str:
    """A word as it is; a gap for what has a digit or reads like a random id."""
    text = token[0]
    if not text.isalpha():
        is_own = any(char.isdigit() for char in text) or _HEX.fullmatch(text) is not None
    elif len(text) >= _RANDOM_FROM:
        capitals = sum(char.isupper() for char in text)
        is_own = 1 / 4 <= capitals / len(text) <= 3 / 4
    else:
        is_own = _HEX.fullmatch(text) is not None
    return GAP if is_own else text


def group_of(reason: str, body: bytes) -> str:
    """A reason without the values of its row's request either; "" where `normalised` gives the same."""
    try:
        document = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return ""
    return group_without(reason, _texts(document))


class Groups:
    """The groups of reasons, each worked out from the first row that ended with these words."""

    def __init__(self) -> None:
        self._known: dict[str, str] = {}

    def of(self, reason: str, body: bytes) -> str:
        """As `group_of`; rows that share all words share what they quote, too."""
        group = self._known.get(reason)
        if group is None:
            if len(self._known) >= KEPT_MAX:
                self._known.clear()
            group = self._known[reason] = group_of(reason, body)
        return group


def group_without(reason: str, values: Iterable[str]) -> str:
    """A reason without these values of its row; "" where `normalised` gives the same."""
    plain = normalised(reason)
    group = normalised(_without(reason, values))
    return "" if group == plain else group


def _texts(value: Any) -> Iterator[str]:
    """The texts in a request, however deep; what its members are called is no value."""
    left = [value]
    while left:
        inner = left.pop()
        if isinstance(inner, str):
            yield inner
        elif isinstance(inner, dict | list):
            left.extend(inner.values() if isinstance(inner, dict) else inner)


def _without(reason: str, values: Iterable[str]) -> str:
    """A reason with a gap wherever it quotes one of these values, be it cut off at the end."""
    most = len(reason)
    shorts = {value[: most + 1].strip().lower() for value in values if len(value) >= _VALUE_MIN}
    lower = reason.lower()
    if len(lower) != most:
        return reason
    found = [value for value in shorts if value[:_HEAD] in lower and len(value) >= _VALUE_MIN]
    for value in sorted(found, key=len, reverse=True):
        reason = _without_one(reason, value)
    return reason


def _without_one(reason: str, value: str) -> str:
    lower, at = reason.lower(), 0
    while (at := lower.find(value[:_HEAD], at)) >= 0:
        rest = lower[at:]
        is_cut = len(rest) < len(value) and len(rest) >= _HEAD and value.startswith(rest)
        end = len(lower) if is_cut else at + len(value)
        if (is_cut or rest.startswith(value)) and not _continues(lower, at, end):
            reason, lower = reason[:at] + GAP + reason[end:], lower[:at] + GAP + lower[end:]
        at += 1
    return reason


def _continues(text: str, start: int, end: int) -> bool:
    """Whether this part of the text belongs to a longer word."""
    return (start > 0 and text[start - 1].isalnum()) or (end < len(text) and text[end].isalnum())


def joined(reason: str, group: str) -> str:
    """A reason and its group as one text, for the ledger."""
    return f"{reason}{_UNIT}{group}" if group else reason


def parted(text: str) -> tuple[str, str]:
    """The reason and the group that `joined` made one text of."""
    reason, _, group = text.partition(_UNIT)
    return reason, group


class Reasons:
    """Rows by outcome, status and group of reasons; of a bounded size, whatever the rows end with."""

    def __init__(self) -> None:
        self._rows: Counter[Reason] = Counter()
        self._words: dict[Reason, str] = {}  # of each group its only reason, or what all have in common
        self._others: Counter[str] = Counter()  # by outcome, beyond KEPT_MAX

    def add(self, outcome: str, status: int | None, reason: str, group: str = "", rows: int = 1) -> None:
        """Count rows that ended with this reason; `group` as `group_of` gives it."""
        group = group or normalised(reason)
        self._count((outcome, status, group), reason, group, rows)

    def skip(self, cause: str, rows: int) -> None:
        """Count rows that are left out on purpose; causes are few and stay as they are."""
        self._count((Outcome.SKIPPED.value, None, cause), cause, cause, rows)

    def merge(self, reasons: Reasons) -> None:
        """Count what was counted elsewhere."""
        for key, rows in reasons._rows.items():
            self._count(key, reasons._words[key], key[2], rows)
        self._others += reasons._others

    def by_cause(self) -> Counter[str]:
        """Skipped rows by cause."""
        return Counter({key[2]: rows for key, rows in self._rows.items() if key[0] == Outcome.SKIPPED.value})

    def listed(self, most: int = LISTED_MAX) -> list[dict[str, Any]]:
        """The reasons, the commonest first, at most so many; the rest are summed as OTHER by outcome.

        Skipped rows are all listed by cause, and rows that could not be read go before others: a resend
        does not take them, so they are counted by their reasons.
        """
        found = [
            _listed(*key[:2], self._words[key], rows) for key, rows in self._rows.most_common() if rows > 0
        ]
        others = +self._others
        if len(found) + len(others) <= most:
            return found + _listed_others(others)
        skips = [one for one in found if one["outcome"] == Outcome.SKIPPED.value]
        ended = [one for one in found if one["outcome"] != Outcome.SKIPPED.value]
        ended.sort(key=lambda one: not one["reason"].startswith(UNREADABLE))
        room = max(0, most - len(skips) - len({one["outcome"] for one in ended} | set(others)))
        for one in ended[room:]:
            others[one["outcome"]] += one["rows"]
        kept = sorted(ended[:room] + skips, key=lambda one: -one["rows"])
        return kept + _listed_others(others)

    def _count(self, key: Reason, reason: str, group: str, rows: int) -> None:
        if key not in self._rows:
            if len(self._rows) >= KEPT_MAX and key[0] != Outcome.SKIPPED.value:
                self._others[key[0]] += rows
                return
            self._words[key] = reason
        elif self._words[key] != reason:
            self._words[key] = group
        self._rows[key] += rows


def _listed(outcome: str, status: int | None, reason: str, rows: int) -> dict[str, Any]:
    return {"outcome": outcome, "status": status, "reason": reason, "rows": rows}


def _listed_others(others: Counter[str]) -> list[dict[str, Any]]:
    return [_listed(outcome, None, OTHER, rows) for outcome, rows in others.most_common()]
