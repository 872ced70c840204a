"""What the report of a check says, before it is dressed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from replay.report.text import plural

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

KEYS_SHOWN: Final = 50


@dataclass(frozen=True, slots=True)
class ColumnProfile:
    """What a column looks like: `kinds`: values by what they read as, the commonest first.

    `rows`: how many could have had a value. `shortest` and `longest`: the length in characters, and the
    value, as it may be shown; so are the `samples`.
    """

    name: str
    kinds: Sequence[tuple[str, int]]
    filled: int
    rows: int
    distinct: int
    is_estimate: bool
    shortest: tuple[int, str]
    longest: tuple[int, str]
    samples: Sequence[str]

    @property
    def type(self) -> str:
        """What its values read as, in words."""
        (first, count), *others = self.kinds
        if not others:
            return first
        if {kind for kind, _ in self.kinds} == {"number", "whole number"}:
            return "number"
        rest = " or ".join(kind for kind, _ in others)
        return f"{first}; {plural(self.filled - count, 'other')}: {rest}"


@dataclass(frozen=True, slots=True)
class Checked:
    """What a check found: as `check --json` tells it, and more.

    `rules`: the limit and the advice of each broken rule, by its id. `sources`: the names of the files.
    """

    result: Mapping[str, Any]
    rules: Mapping[str, tuple[str, str]]
    sources: Sequence[str]
    profiles: Sequence[ColumnProfile]
    columns_beyond: int = 0
    time_range: tuple[str, str] | None = None
    masked: Sequence[str] = ()


def verdict(checked: Checked) -> str:
    """What a check says, in one sentence."""
    rows = checked.result["rows"]
    judged, left = rows["read"] - skipped(checked), skipped(checked)
    left_out = f"; {left:,} more are left out by the mapping's [where]" if left else ""
    if not judged:
        return f"There is no row to send{left_out}."
    if not rows["invalid"]:
        warned = f"; {plural(rows['warned'], 'row')} with a warning" if rows["warned"] else ""
        return f"All {plural(judged, 'row')} can be sent{warned}{left_out}."
    return f"{rows['valid']:,} of {plural(judged, 'row')} can be sent; {rows['invalid']:,} cannot{left_out}."


def skipped(checked: Checked) -> int:
    """Rows that the mapping leaves out."""
    return sum(int(reason["rows"]) for reason in checked.result.get("reasons") or ())


def tone(checked: Checked) -> str:
    """What colour it has: good, mixed or bad."""
    rows = checked.result["rows"]
    if not rows["valid"] and rows["read"]:
        return "bad"
    return "mixed" if rows["invalid"] or rows["warned"] else "good"


def shares(checked: Checked) -> list[tuple[str, int]]:
    """Rows by what becomes of them."""
    rows = checked.result["rows"]
    return [
        ("delivered", rows["valid"] - rows["warned"]),
        ("warning", rows["warned"]),
        ("error", rows["invalid"]),
        ("skipped", skipped(checked)),
    ]


def keys(checked: Checked) -> tuple[list[tuple[str, int, float]], str]:
    """The commonest event keys with their rows and shares of the commonest, and words about the others."""
    found = list(checked.result["event_keys"].items())
    most = max((rows for _, rows in found), default=0)
    shown = [(key or "(none)", rows, rows / most if most else 0.0) for key, rows in found[:KEYS_SHOWN]]
    rest = found[KEYS_SHOWN:]
    more = " or more" if "event_keys" in checked.result["estimates"] else ""
    words = (
        f"{len(rest):,}{more} other event keys, {sum(rows for _, rows in rest):,} rows."
        if rest or more
        else ""
    )
    return shown, words
